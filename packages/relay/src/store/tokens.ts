/** Tokens (hashed), invitations, and the relay's own named values. */
import { type Executor, query } from "./query.ts";
import { type InviteRow, type MetaRow, sqlite, type TokenKind, type TokenRow } from "./schema.ts";

const find = query((a: { hash: string }) =>
  sqlite.selectFrom("token").selectAll().where("hash", "=", a.hash),
);
const insert = query((a: TokenRow) =>
  sqlite.insertInto("token").values({
    hash: a.hash,
    app: a.app,
    kind: a.kind,
    subject: a.subject,
    created_at: a.created_at,
    expires_at: a.expires_at,
  }),
);
type Subject = { app: string; kind: TokenKind; subject: string };
const ofSubject = query((a: Subject) =>
  sqlite
    .selectFrom("token")
    .selectAll()
    .where("app", "=", a.app)
    .where("kind", "=", a.kind)
    .where("subject", "=", a.subject),
);
const removeSubject = query((a: Subject) =>
  sqlite
    .deleteFrom("token")
    .where("app", "=", a.app)
    .where("kind", "=", a.kind)
    .where("subject", "=", a.subject),
);
const removeExpired = query((a: { now: number }) =>
  sqlite.deleteFrom("token").where("expires_at", "is not", null).where("expires_at", "<=", a.now),
);

export interface Tokens {
  find(hash: string): TokenRow | undefined;
  add(row: TokenRow): void;
  of(subject: Subject): TokenRow[];
  removeOf(subject: Subject): void;
  removeExpired(now: number): void;
}

export function tokens(db: Executor): Tokens {
  return {
    find: (hash) => db.first(find, { hash }),
    add: (row) => void db.run(insert, row),
    of: (subject) => db.all(ofSubject, subject),
    removeOf: (subject) => void db.run(removeSubject, subject),
    removeExpired: (now) => void db.run(removeExpired, { now }),
  };
}

const findInvite = query((a: { app: string; hash: string }) =>
  sqlite.selectFrom("invite").selectAll().where("app", "=", a.app).where("token_hash", "=", a.hash),
);
const openInvites = query((a: { app: string; now: number }) =>
  sqlite
    .selectFrom("invite")
    .select((of) => of.fn.countAll<number>().as("n"))
    .where("app", "=", a.app)
    .where("expires_at", ">", a.now),
);
const insertInvite = query((a: Omit<InviteRow, "enrolment">) =>
  sqlite.insertInto("invite").values({
    token_hash: a.token_hash,
    app: a.app,
    invite: a.invite,
    expires_at: a.expires_at,
    enrolment: null,
  }),
);
const enrol = query((a: { app: string; hash: string; enrolment: string }) =>
  sqlite
    .updateTable("invite")
    .set({ enrolment: a.enrolment })
    .where("app", "=", a.app)
    .where("token_hash", "=", a.hash)
    .where("enrolment", "is", null),
);

export interface Invites {
  find(app: string, hash: string): InviteRow | undefined;
  countOpen(app: string, now: number): number;
  add(row: Omit<InviteRow, "enrolment">): void;
  enrol(app: string, hash: string, enrolment: string): void;
}

export function invites(db: Executor): Invites {
  return {
    find: (app, hash) => db.first(findInvite, { app, hash }),
    countOpen: (app, now) => Number(db.first(openInvites, { app, now })?.n ?? 0),
    add: (row) => void db.run(insertInvite, row),
    enrol: (app, hash, enrolment) => void db.run(enrol, { app, hash, enrolment }),
  };
}

const getMeta = query((a: { name: string }) =>
  sqlite.selectFrom("meta").select("value").where("name", "=", a.name),
);
const setMeta = query((a: MetaRow) =>
  sqlite
    .insertInto("meta")
    .values({ name: a.name, value: a.value })
    .onConflict((on) => on.column("name").doUpdateSet({ value: a.value })),
);

export interface Meta {
  get(name: string): string | null;
  set(name: string, value: string): void;
}

export function meta(db: Executor): Meta {
  return {
    get: (name) => db.first(getMeta, { name })?.value ?? null,
    set: (name, value) => void db.run(setMeta, { name, value }),
  };
}
