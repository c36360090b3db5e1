/** Apps and their roster entries. One row per app holds the head, so that a fork loses a compare-and-set. */
import type { Head, Signed } from "@guard/core";
import { type Executor, query } from "./query.ts";
import { type AppRow, type EntryRow, sqlite } from "./schema.ts";

const find = query((a: { app: string }) => sqlite.selectFrom("app").selectAll().where("app", "=", a.app));
const insert = query((a: AppRow) =>
  sqlite
    .insertInto("app")
    .values({ app: a.app, head_seq: a.head_seq, head_hash: a.head_hash, created_at: a.created_at }),
);
const advance = query((a: { app: string; seq: number; hash: string; oldSeq: number; oldHash: string }) =>
  sqlite
    .updateTable("app")
    .set({ head_seq: a.seq, head_hash: a.hash })
    .where("app", "=", a.app)
    .where("head_seq", "=", a.oldSeq)
    .where("head_hash", "=", a.oldHash),
);
const insertEntry = query((a: EntryRow) =>
  sqlite.insertInto("entry").values({ app: a.app, seq: a.seq, body: a.body, signature: a.signature }),
);
const entries = query((a: { app: string }) =>
  sqlite.selectFrom("entry").select(["body", "signature"]).where("app", "=", a.app).orderBy("seq"),
);

export interface Apps {
  head(app: string): Head | null;
  create(app: string, head: Head, entry: Signed, now: number): void;
  /** False where `from` is not the head any more: somebody else appended first. */
  append(app: string, from: Head, head: Head, entry: Signed): boolean;
  entries(app: string): Signed[];
}

export function apps(db: Executor): Apps {
  const write = (app: string, seq: number, { body, signature }: Signed) =>
    db.run(insertEntry, { app, seq, body, signature: JSON.stringify(signature) });
  return {
    head(app) {
      const row = db.first(find, { app });
      return row ? { seq: row.head_seq, hash: row.head_hash } : null;
    },
    create(app, head, entry, now) {
      db.run(insert, { app, head_seq: head.seq, head_hash: head.hash, created_at: now });
      write(app, head.seq, entry);
    },
    append(app, from, head, entry) {
      const moved = db.run(advance, { app, ...head, oldSeq: from.seq, oldHash: from.hash });
      if (moved !== 1) return false;
      write(app, head.seq, entry);
      return true;
    },
    entries: (app) =>
      db.all(entries, { app }).map((row) => ({ body: row.body, signature: JSON.parse(row.signature) })),
  };
}
