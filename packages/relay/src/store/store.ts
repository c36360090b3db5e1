/**
 * The relay's memory: one SQLite database (WAL, synchronous FULL, foreign keys), held by one process. Reads
 * are synchronous and see only what is committed; writes are units of work in group commits.
 */
import { DatabaseSync } from "node:sqlite";
import { ConfigurationError } from "@guard/core";
import { type Apps, apps } from "./apps.ts";
import { type After, committer } from "./commit.ts";
import { type Decisions, decisions } from "./decisions.ts";
import { type Foreign, foreign } from "./foreign.ts";
import { migrate } from "./migrations.ts";
import { executor } from "./query.ts";
import { type Requests, requests } from "./requests.ts";
import { type Invites, invites, type Meta, meta, type Tokens, tokens } from "./tokens.ts";

export interface Tables {
  readonly apps: Apps;
  readonly tokens: Tokens;
  readonly invites: Invites;
  readonly meta: Meta;
  readonly requests: Requests;
  readonly foreign: Foreign;
  readonly decisions: Decisions;
}

/** The tables inside a unit of work, and callbacks for after its commit. */
export interface Unit extends Tables {
  readonly after: After;
}

export interface Store extends Tables {
  /** Runs a synchronous unit of work in the next group; resolves after COMMIT. */
  write<T>(unit: (unit: Unit) => T): Promise<T>;
  /** The same at once, in a transaction of its own. */
  now<T>(unit: (unit: Unit) => T): T;
  /** @throws where the database cannot be written. */
  probe(): void;
  close(): Promise<void>;
}

export function openStore(path: string): Store {
  const db = open(path);
  const execute = executor(db);
  const tables: Tables = {
    apps: apps(execute),
    tokens: tokens(execute),
    invites: invites(execute),
    meta: meta(execute),
    requests: requests(execute),
    foreign: foreign(execute),
    decisions: decisions(execute),
  };
  const commits = committer(db);
  return {
    ...tables,
    write: (unit) => commits.write((after) => unit({ ...tables, after })),
    now: (unit) => commits.now((after) => unit({ ...tables, after })),
    probe: () => commits.now(() => tables.meta.set("probe", "")),
    async close() {
      await commits.idle();
      db.close();
    },
  };
}

function open(path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path);
    // Rosters and wake-ups live in this process: a second one on the same file would be blind to them.
    db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    db.exec("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF");
    migrate(db);
    db.exec("BEGIN IMMEDIATE; COMMIT");
    return db;
  } catch (cause) {
    db?.close();
    if (cause instanceof ConfigurationError) throw cause;
    throw new ConfigurationError(
      `The relay's database cannot be opened (${cause instanceof Error ? cause.message : "unknown reason"}). Check that its folder exists and is writable, and that no other relay uses it.`,
      { cause },
    );
  }
}
