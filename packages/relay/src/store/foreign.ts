/** Other systems' wires as owners switched them on, and the devices that registered. Every query names the app. */
import type { Signed } from "@guard/core";
import { sql } from "kysely";
import { type Executor, query } from "./query.ts";
import { type ForeignAppRow, type ForeignDeviceRow, sqlite } from "./schema.ts";

type InApp = { app: string };
/** A device that the database has not numbered yet. */
export type NewForeignDeviceRow = Omit<ForeignDeviceRow, "number">;

/** A device without its public keys, which make most of its row and are read where they are sent. */
export type KnownDeviceRow = Omit<ForeignDeviceRow, "public_key" | "kem_key">;
const known = [
  "number",
  "app",
  "device",
  "keys",
  "identity",
  "type",
  "proof",
  "kept",
  "revoked",
  "registered_at",
] as const satisfies readonly (keyof KnownDeviceRow)[];

const findApp = query((a: InApp) =>
  sqlite.selectFrom("foreign_app").select(["body", "signature"]).where("app", "=", a.app),
);
const setApp = query((a: ForeignAppRow) =>
  sqlite
    .insertInto("foreign_app")
    .values({ app: a.app, body: a.body, signature: a.signature })
    .onConflict((on) => on.column("app").doUpdateSet({ body: a.body, signature: a.signature })),
);

const find = query((a: InApp & { device: string }) =>
  sqlite
    .selectFrom("foreign_device")
    .select([...known])
    .where("app", "=", a.app)
    .where("device", "=", a.device),
);
const findKeys = query((a: InApp & { keys: string }) =>
  sqlite.selectFrom("foreign_device").selectAll().where("app", "=", a.app).where("keys", "=", a.keys),
);
const ofIdentity = query((a: InApp & { identity: string }) =>
  sqlite
    .selectFrom("foreign_device")
    .selectAll()
    .where("app", "=", a.app)
    .where("identity", "=", a.identity)
    .orderBy("number"),
);
const newest = query((a: InApp & { limit: number }) =>
  sqlite
    .selectFrom("foreign_device")
    .selectAll()
    .where("app", "=", a.app)
    .orderBy("number", "desc")
    .limit(a.limit),
);
const insert = query((a: NewForeignDeviceRow) =>
  sqlite.insertInto("foreign_device").values({
    app: a.app,
    device: a.device,
    keys: a.keys,
    identity: a.identity,
    public_key: a.public_key,
    kem_key: a.kem_key,
    type: a.type,
    proof: a.proof,
    kept: a.kept,
    revoked: a.revoked,
    registered_at: a.registered_at,
  }),
);
const prove = query((a: InApp & { device: string; proof: string }) =>
  sqlite
    .updateTable("foreign_device")
    .set({ proof: a.proof })
    .where("app", "=", a.app)
    .where("device", "=", a.device),
);
const keep = query((a: InApp & { device: string }) =>
  sqlite
    .updateTable("foreign_device")
    .set({ kept: sql.lit(1) })
    .where("app", "=", a.app)
    .where("device", "=", a.device),
);
const revoke = query((a: InApp & { device: string }) =>
  sqlite
    .updateTable("foreign_device")
    .set({ revoked: sql.lit(1) })
    .where("app", "=", a.app)
    .where("device", "=", a.device),
);

// Literals, as in requests.ts.
const unproven = sql<boolean>`proof IS NULL AND kept = 0`;
const proven = sql<boolean>`(proof IS NOT NULL OR kept = 1)`;
const countIn = (which: typeof unproven) =>
  query((a: InApp) =>
    sqlite
      .selectFrom("foreign_device")
      .select((of) => of.fn.countAll<number>().as("n"))
      .where("app", "=", a.app)
      .where(which),
  );
const countOf = (which: typeof unproven) =>
  query((a: InApp & { identity: string }) =>
    sqlite
      .selectFrom("foreign_device")
      .select((of) => of.fn.countAll<number>().as("n"))
      .where("app", "=", a.app)
      .where("identity", "=", a.identity)
      .where(which),
  );
const counts = {
  proven: { app: countIn(proven), identity: countOf(proven) },
  unproven: { app: countIn(unproven), identity: countOf(unproven) },
};
const forgetIn = query((a: InApp) =>
  sqlite
    .deleteFrom("foreign_device")
    .where("number", "=", (of) =>
      of
        .selectFrom("foreign_device")
        .select((inner) => inner.fn.min<number>("number").as("n"))
        .where("app", "=", a.app)
        .where(unproven),
    )
    .returning("device"),
);
const forgetOf = query((a: InApp & { identity: string }) =>
  sqlite
    .deleteFrom("foreign_device")
    .where("number", "=", (of) =>
      of
        .selectFrom("foreign_device")
        .select((inner) => inner.fn.min<number>("number").as("n"))
        .where("app", "=", a.app)
        .where("identity", "=", a.identity)
        .where(unproven),
    )
    .returning("device"),
);

/** Devices that showed the secret or were on the roster, or those that did neither. */
type Sort = "proven" | "unproven";

export interface Foreign {
  app(app: string): Signed | null;
  setApp(app: string, signed: Signed): void;
  find(app: string, device: string): KnownDeviceRow | undefined;
  findKeys(app: string, keys: string): ForeignDeviceRow | undefined;
  /** Oldest first. */
  ofIdentity(app: string, identity: string): ForeignDeviceRow[];
  /** Newest first. */
  newest(app: string, limit: number): ForeignDeviceRow[];
  add(row: NewForeignDeviceRow): void;
  prove(app: string, device: string, proof: string): void;
  /** Notes that it is on the roster. */
  keep(app: string, device: string): void;
  revoke(app: string, device: string): void;
  count(sort: Sort, app: string, identity?: string): number;
  /** Forgets the oldest of those that are neither proven nor kept. @returns which one that was */
  forget(app: string, identity?: string): string[];
}

export function foreign(db: Executor): Foreign {
  return {
    app(app) {
      const row = db.first(findApp, { app });
      return row ? { body: row.body, signature: JSON.parse(row.signature) } : null;
    },
    setApp: (app, { body, signature }) =>
      void db.run(setApp, { app, body, signature: JSON.stringify(signature) }),
    find: (app, device) => db.first(find, { app, device }),
    findKeys: (app, keys) => db.first(findKeys, { app, keys }),
    ofIdentity: (app, identity) => db.all(ofIdentity, { app, identity }),
    newest: (app, limit) => db.all(newest, { app, limit }),
    add: (row) => void db.run(insert, row),
    prove: (app, device, proof) => void db.run(prove, { app, device, proof }),
    keep: (app, device) => void db.run(keep, { app, device }),
    revoke: (app, device) => void db.run(revoke, { app, device }),
    count(sort, app, identity) {
      const row =
        identity === undefined
          ? db.first(counts[sort].app, { app })
          : db.first(counts[sort].identity, { app, identity });
      return Number(row?.n ?? 0);
    },
    forget(app, identity) {
      const rows = identity === undefined ? db.all(forgetIn, { app }) : db.all(forgetOf, { app, identity });
      return rows.map(({ device }) => device);
    },
  };
}
