/** Decisions, what of them waits for devices, and how many a month. Every query but the clock's names the app. */
import { sql } from "kysely";
import { type Executor, query } from "./query.ts";
import { room } from "./room.ts";
import { type DecisionRow, type DeliveryRow, sqlite, type UsageRow } from "./schema.ts";

type InApp = { app: string };
/** A decision that the database has not numbered yet. */
export type NewDecisionRow = Omit<DecisionRow, "number">;
/** What one device is sent. */
export interface Sealed {
  readonly kem_ciphertext: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

// A literal, so that the planner sees that the partial indexes fit.
const pending = sql<boolean>`decision.state = 'pending'`;

const find = query((a: InApp & { identity: string; decision: string }) =>
  sqlite
    .selectFrom("decision")
    .selectAll()
    .where("app", "=", a.app)
    .where("identity", "=", a.identity)
    .where("decision", "=", a.decision),
);
const insert = query((a: NewDecisionRow) =>
  sqlite.insertInto("decision").values({
    app: a.app,
    identity: a.identity,
    decision: a.decision,
    agent: a.agent,
    state: a.state,
    created_at: a.created_at,
    expires_at: a.expires_at,
    answered_by: a.answered_by,
    closed_at: a.closed_at,
  }),
);
const close = query((a: DecisionRow) =>
  sqlite
    .updateTable("decision")
    .set({ state: a.state, answered_by: a.answered_by, closed_at: a.closed_at })
    .where("number", "=", a.number)
    .where(pending),
);
const forgetAll = query((a: { number: number }) =>
  sqlite
    .updateTable("delivery")
    .set({ kem_ciphertext: sql.lit(null), nonce: sql.lit(null), ciphertext: sql.lit(null) })
    .where("number", "=", a.number),
);
const due = query((a: { now: number; limit: number }) =>
  sqlite
    .selectFrom("decision")
    .selectAll()
    .where(pending)
    .where("expires_at", "<=", a.now)
    .orderBy("expires_at")
    .limit(a.limit),
);
const countOpen = query((a: InApp & { agent: string }) =>
  sqlite
    .selectFrom("decision")
    .select((of) => of.fn.countAll<number>().as("n"))
    .where("app", "=", a.app)
    .where("agent", "=", a.agent)
    .where(pending),
);

const delivery = query((a: { number: number; device: string }) =>
  sqlite.selectFrom("delivery").select("n").where("number", "=", a.number).where("device", "=", a.device),
);
const deliver = query((a: Omit<DeliveryRow, "n">) =>
  sqlite.insertInto("delivery").values({
    number: a.number,
    app: a.app,
    device: a.device,
    kem_ciphertext: a.kem_ciphertext,
    nonce: a.nonce,
    ciphertext: a.ciphertext,
  }),
);
const forget = query((a: { number: number; device: string }) =>
  sqlite
    .updateTable("delivery")
    .set({ kem_ciphertext: sql.lit(null), nonce: sql.lit(null), ciphertext: sql.lit(null) })
    .where("number", "=", a.number)
    .where("device", "=", a.device),
);
const queue = query((a: InApp & { device: string }) =>
  sqlite
    .selectFrom("delivery")
    .select("n")
    .where("app", "=", a.app)
    .where("device", "=", a.device)
    .where("nonce", "is not", sql.lit(null))
    .orderBy("number"),
);
const countQueue = query((a: InApp & { device: string }) =>
  sqlite
    .selectFrom("delivery")
    .select((of) => of.fn.countAll<number>().as("n"))
    .where("app", "=", a.app)
    .where("device", "=", a.device)
    .where("nonce", "is not", sql.lit(null)),
);
const waiting = query((a: { n: number; now: number }) =>
  sqlite
    .selectFrom("delivery")
    .innerJoin("decision", "decision.number", "delivery.number")
    .select(["decision.decision", "delivery.kem_ciphertext", "delivery.nonce", "delivery.ciphertext"])
    .where("delivery.n", "=", a.n)
    .where("delivery.nonce", "is not", sql.lit(null))
    .where(pending)
    .where("decision.expires_at", ">", a.now),
);

const used = query((a: Omit<UsageRow, "used">) =>
  sqlite.selectFrom("decision_usage").select("used").where("app", "=", a.app).where("month", "=", a.month),
);
const use = query((a: Omit<UsageRow, "used">) =>
  sqlite
    .insertInto("decision_usage")
    .values({ app: a.app, month: a.month, used: sql.lit(1) })
    .onConflict((on) => on.columns(["app", "month"]).doUpdateSet({ used: sql`used + 1` })),
);

export interface Decisions {
  find(app: string, identity: string, decision: string): DecisionRow | undefined;
  add(row: NewDecisionRow): DecisionRow;
  /** Writes how a pending decision ended, and forgets its bytes. */
  close(row: DecisionRow): void;
  due(now: number, limit: number): DecisionRow[];
  /** Whether the agent has fewer pending decisions than that. */
  roomOpen(app: string, agent: string, limit: number): boolean;
  /** Whether the device ever got it, or it waits for the device. */
  isFor(row: DecisionRow, device: string): boolean;
  deliver(row: DecisionRow, device: string, sealed: Sealed): void;
  /** Forgets the bytes for one device. */
  forget(row: DecisionRow, device: string): void;
  /** What was neither acknowledged nor closed, oldest first, as keys for {@link waiting}. */
  queue(app: string, device: string): readonly number[];
  /** Whether fewer than that wait for the device. */
  roomInQueue(app: string, device: string, limit: number): boolean;
  /** One of the queue, if it still waits. */
  waiting(n: number, now: number): (Sealed & { readonly decision: string }) | undefined;
  used(app: string, month: string): number;
  use(app: string, month: string): void;
}

export function decisions(db: Executor): Decisions {
  const open = room();
  const queued = room();
  return {
    find: (app, identity, decision) => db.first(find, { app, identity, decision }),
    add(row) {
      open.added(`${row.app} ${row.agent}`);
      return { ...row, number: db.insert(insert, row) };
    },
    close(row) {
      if (db.run(close, row) !== 1) throw new Error("A decision changed under its own unit of work.");
      db.run(forgetAll, { number: row.number });
    },
    due: (now, limit) => db.all(due, { now, limit }),
    roomOpen: (app, agent, limit) =>
      open.isThere(`${app} ${agent}`, limit, () => Number(db.first(countOpen, { app, agent })?.n ?? 0)),
    isFor: ({ number }, device) => db.first(delivery, { number, device }) !== undefined,
    deliver({ number, app }, device, sealed) {
      queued.added(`${app} ${device}`);
      db.run(deliver, { ...sealed, number, app, device });
    },
    forget: ({ number }, device) => void db.run(forget, { number, device }),
    queue: (app, device) => db.all(queue, { app, device }).map(({ n }) => n),
    roomInQueue: (app, device, limit) =>
      queued.isThere(`${app} ${device}`, limit, () => Number(db.first(countQueue, { app, device })?.n ?? 0)),
    waiting: (n, now) => db.first(waiting, { n, now }) as (Sealed & { decision: string }) | undefined,
    used: (app, month) => db.first(used, { app, month })?.used ?? 0,
    use: (app, month) => void db.run(use, { app, month }),
  };
}
