/** Requests, their sealed envelopes, inboxes and statements. Every query names the app. */
import type { Answer, RequestState } from "@guard/core";
import { type Executor, query } from "./query.ts";
import { type EnvelopeRow, type InboxRow, type RequestRow, type StatementRow, sqlite } from "./schema.ts";

type Id = { app: string; request: string };

const find = query((a: Id) =>
  sqlite.selectFrom("request").selectAll().where("app", "=", a.app).where("request", "=", a.request),
);
const latest = query((a: { app: string; agent: string; key_id: string }) =>
  sqlite
    .selectFrom("request")
    .selectAll()
    .where("app", "=", a.app)
    .where("agent", "=", a.agent)
    .where("key_id", "=", a.key_id)
    .orderBy("round", "desc")
    .limit(1),
);
const insert = query((a: RequestRow) =>
  sqlite.insertInto("request").values({
    app: a.app,
    request: a.request,
    agent: a.agent,
    key_id: a.key_id,
    round: a.round,
    state: a.state,
    version: a.version,
    header: a.header,
    header_signature: a.header_signature,
    created_at: a.created_at,
    expires_at: a.expires_at,
    use_by: a.use_by,
    due_at: a.due_at,
    attempt: a.attempt,
    receipt: a.receipt,
    report: a.report,
  }),
);
const update = query((a: RequestRow & { old: number }) =>
  sqlite
    .updateTable("request")
    .set({
      state: a.state,
      version: a.version,
      due_at: a.due_at,
      attempt: a.attempt,
      receipt: a.receipt,
      report: a.report,
    })
    .where("app", "=", a.app)
    .where("request", "=", a.request)
    .where("version", "=", a.old),
);
const due = query((a: { now: number; limit: number }) =>
  sqlite
    .selectFrom("request")
    .selectAll()
    .where("due_at", "is not", null)
    .where("due_at", "<=", a.now)
    .orderBy("due_at")
    .limit(a.limit),
);
const countOpen = query((a: { app: string; agent: string }) =>
  sqlite
    .selectFrom("request")
    .select((of) => of.fn.countAll<number>().as("n"))
    .where("app", "=", a.app)
    .where("agent", "=", a.agent)
    .where("state", "in", ["pending", "approved", "executing"]),
);

const columns = ["request.request", "request.state", "request.version"] as const;
const openStates: RequestState[] = ["pending", "approved", "executing"];
const ofAgent = (open: boolean) =>
  query((a: { app: string; owner: string; limit: number }) =>
    sqlite
      .selectFrom("request")
      .select([...columns])
      .where("app", "=", a.app)
      .where("agent", "=", a.owner)
      .where("state", open ? "in" : "not in", openStates)
      .orderBy("created_at", "desc")
      .limit(a.limit),
  );
const ofDevice = (open: boolean) =>
  query((a: { app: string; owner: string; limit: number }) =>
    sqlite
      .selectFrom("inbox")
      .innerJoin("request", (join) =>
        join.onRef("request.app", "=", "inbox.app").onRef("request.request", "=", "inbox.request"),
      )
      .select([...columns])
      .where("inbox.app", "=", a.app)
      .where("inbox.device", "=", a.owner)
      .where("request.state", open ? "in" : "not in", openStates)
      .orderBy("request.created_at", "desc")
      .limit(a.limit),
  );
const lists = {
  agent: { open: ofAgent(true), closed: ofAgent(false) },
  device: { open: ofDevice(true), closed: ofDevice(false) },
};

const envelope = query((a: Id) =>
  sqlite.selectFrom("envelope").selectAll().where("app", "=", a.app).where("request", "=", a.request),
);
const insertEnvelope = query((a: EnvelopeRow) =>
  sqlite
    .insertInto("envelope")
    .values({ app: a.app, request: a.request, ciphertext: a.ciphertext, wraps: a.wraps }),
);
const insertInbox = query((a: InboxRow) =>
  sqlite.insertInto("inbox").values({ app: a.app, device: a.device, request: a.request }),
);
const inInbox = query((a: InboxRow) =>
  sqlite
    .selectFrom("inbox")
    .select("device")
    .where("app", "=", a.app)
    .where("device", "=", a.device)
    .where("request", "=", a.request),
);
const recipients = query((a: Id) =>
  sqlite.selectFrom("inbox").select("device").where("app", "=", a.app).where("request", "=", a.request),
);

const statements = query((a: Id) =>
  sqlite
    .selectFrom("statement")
    .selectAll()
    .where("app", "=", a.app)
    .where("request", "=", a.request)
    .orderBy("n"),
);
const insertStatement = query((a: StatementRow) =>
  sqlite.insertInto("statement").values({
    app: a.app,
    request: a.request,
    n: a.n,
    id: a.id,
    device: a.device,
    statement: a.statement,
    reply: a.reply,
    late: a.late,
    received_at: a.received_at,
  }),
);

export interface Listed {
  readonly request: string;
  readonly state: RequestState;
  readonly version: number;
}

export interface Requests {
  find(app: string, request: string): RequestRow | undefined;
  /** The key id's highest round. */
  latest(app: string, agent: string, keyId: string): RequestRow | undefined;
  add(row: RequestRow, envelope: EnvelopeRow, devices: readonly string[]): void;
  /** Writes `row` over the version before it. */
  update(row: RequestRow): void;
  due(now: number, limit: number): RequestRow[];
  countOpen(app: string, agent: string): number;
  list(
    owner: "agent" | "device",
    which: "open" | "closed",
    of: { app: string; owner: string; limit: number },
  ): Listed[];
  envelope(app: string, request: string): EnvelopeRow;
  sealedTo(app: string, request: string, device: string): boolean;
  devices(app: string, request: string): string[];
  /** Oldest first, late ones too. */
  statements(app: string, request: string): StoredStatement[];
  addStatement(row: StatementRow): void;
}

export interface StoredStatement extends StatementRow {
  /** The statement and its reply, parsed. */
  readonly answer: Answer;
}

export function requests(db: Executor): Requests {
  return {
    find: (app, request) => db.first(find, { app, request }),
    latest: (app, agent, key_id) => db.first(latest, { app, agent, key_id }),
    add(row, sealed, devices) {
      db.run(insert, row);
      db.run(insertEnvelope, sealed);
      for (const device of devices) db.run(insertInbox, { app: row.app, device, request: row.request });
    },
    update(row) {
      const changed = db.run(update, { ...row, old: row.version - 1 });
      if (changed !== 1) throw new Error("A request changed under its own unit of work.");
    },
    due: (now, limit) => db.all(due, { now, limit }),
    countOpen: (app, agent) => Number(db.first(countOpen, { app, agent })?.n ?? 0),
    list: (owner, which, of) => db.all(lists[owner][which], of),
    envelope: (app, request) => db.first(envelope, { app, request }) as EnvelopeRow,
    sealedTo: (app, request, device) => db.first(inInbox, { app, device, request }) !== undefined,
    devices: (app, request) => db.all(recipients, { app, request }).map((row) => row.device),
    statements: (app, request) =>
      db.all(statements, { app, request }).map((row) => ({
        ...row,
        answer: {
          statement: JSON.parse(row.statement),
          reply: row.reply === null ? null : JSON.parse(row.reply),
        },
      })),
    addStatement: (row) => void db.run(insertStatement, row),
  };
}
