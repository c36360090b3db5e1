/** Requests, their sealed envelopes, inboxes and statements. Every query names the app. */
import type { Answer, RequestState } from "@guard/core";
import { sql } from "kysely";
import { type Executor, query } from "./query.ts";
import { room } from "./room.ts";
import { type EnvelopeRow, type InboxRow, type RequestRow, type StatementRow, sqlite } from "./schema.ts";

type Id = { app: string; request: string };
type Numbered = { number: number };
/** A request that the database has not numbered yet. */
export type NewRequestRow = Omit<RequestRow, "number">;

// Literals, not parameters: what the planner may look at, SQLite plans anew with every value that is bound.
const openStates = (["pending", "approved", "executing"] satisfies RequestState[]).map((state) =>
  sql.lit(state),
);

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
    .limit(sql.lit(1)),
);
const insert = query((a: NewRequestRow) =>
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
    .where("number", "=", a.number)
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
    .where("state", "in", openStates),
);

/** What is listed: at most `limit` rows with a number below `below`. */
interface ListOf {
  readonly app: string;
  readonly owner: string;
  readonly below: number;
  readonly limit: number;
}

const columns = ["request.request", "request.state", "request.version"] as const;
const ofAgent = (open: boolean) =>
  query((a: ListOf) =>
    sqlite
      .selectFrom("request")
      .select([...columns])
      .where("app", "=", a.app)
      .where("agent", "=", a.owner)
      .where("state", open ? "in" : "not in", openStates)
      .where("number", "<", a.below)
      .orderBy("number", "desc")
      .limit(a.limit),
  );
const ofDevice = (open: boolean) =>
  query((a: ListOf) =>
    sqlite
      .selectFrom("inbox")
      .innerJoin("request", "request.number", "inbox.number")
      .select([...columns])
      .where("inbox.app", "=", a.app)
      .where("inbox.device", "=", a.owner)
      .where("request.state", open ? "in" : "not in", openStates)
      .where("inbox.number", "<", a.below)
      .orderBy("inbox.number", "desc")
      .limit(a.limit),
  );
const lists = {
  agent: { open: ofAgent(true), closed: ofAgent(false) },
  device: { open: ofDevice(true), closed: ofDevice(false) },
};

const envelope = query((a: Numbered) =>
  sqlite.selectFrom("envelope").selectAll().where("number", "=", a.number),
);
const insertEnvelope = query((a: EnvelopeRow) =>
  sqlite.insertInto("envelope").values({ number: a.number, ciphertext: a.ciphertext, wraps: a.wraps }),
);
const insertInbox = query((a: InboxRow) =>
  sqlite.insertInto("inbox").values({ app: a.app, device: a.device, number: a.number }),
);
const inInbox = query((a: InboxRow) =>
  sqlite
    .selectFrom("inbox")
    .select("device")
    .where("app", "=", a.app)
    .where("device", "=", a.device)
    .where("number", "=", a.number),
);

const statements = query((a: Numbered) =>
  sqlite.selectFrom("statement").selectAll().where("number", "=", a.number).orderBy("n"),
);
const insertStatement = query((a: StatementRow) =>
  sqlite.insertInto("statement").values({
    number: a.number,
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
  /** Adds a request to the inboxes of `devices`; returns it with its number. */
  add(row: NewRequestRow, sealed: Omit<EnvelopeRow, "number">, devices: readonly string[]): RequestRow;
  /** Writes `row` over the version before it. */
  update(row: RequestRow): void;
  due(now: number, limit: number): RequestRow[];
  /** Whether the agent has less than `limit` open requests. */
  roomOpen(app: string, agent: string, limit: number): boolean;
  list(owner: "agent" | "device", which: "open" | "closed", of: ListOf): Listed[];
  envelope(row: RequestRow): EnvelopeRow;
  sealedTo(row: RequestRow, device: string): boolean;
  /** Oldest first, late ones too. */
  statements(row: RequestRow): StoredStatement[];
  addStatement(row: StatementRow): void;
}

export interface StoredStatement extends StatementRow {
  /** The statement and its reply, parsed. */
  readonly answer: Answer;
}

export function requests(db: Executor): Requests {
  const open = room();
  return {
    find: (app, request) => db.first(find, { app, request }),
    latest: (app, agent, key_id) => db.first(latest, { app, agent, key_id }),
    add(row, sealed, devices) {
      const { app, agent } = row;
      open.added(`${app} ${agent}`);
      const number = db.insert(insert, row);
      db.run(insertEnvelope, { ...sealed, number });
      for (const device of devices) db.run(insertInbox, { app, device, number });
      return { ...row, number };
    },
    update(row) {
      const changed = db.run(update, { ...row, old: row.version - 1 });
      if (changed !== 1) throw new Error("A request changed under its own unit of work.");
    },
    due: (now, limit) => db.all(due, { now, limit }),
    roomOpen: (app, agent, limit) =>
      open.isThere(`${app} ${agent}`, limit, () => Number(db.first(countOpen, { app, agent })?.n ?? 0)),
    list: (owner, which, of) => db.all(lists[owner][which], of),
    envelope: ({ number }) => db.first(envelope, { number }) as EnvelopeRow,
    sealedTo: ({ app, number }, device) => db.first(inInbox, { app, device, number }) !== undefined,
    statements: ({ number }) =>
      db.all(statements, { number }).map((row) => ({
        ...row,
        answer: {
          statement: JSON.parse(row.statement),
          reply: row.reply === null ? null : JSON.parse(row.reply),
        },
      })),
    addStatement: (row) => void db.run(insertStatement, row),
  };
}
