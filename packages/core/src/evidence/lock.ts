/**
 * One writer for one file: an exclusive SQLite transaction on a file beside it. Unlike a lock file, it ends
 * with its process, however that ends. The file beside stays: deleting it would let two writers in.
 */
import { builtin } from "../crypto/builtin.ts";
import { UnavailableError } from "../errors.ts";

export interface Lock {
  release(): void;
}

const busy = 5; // SQLITE_BUSY

/** Null where somebody else, in this process or another, holds it. @throws UnavailableError */
export function tryLock(file: string): Lock | null {
  const sqlite = builtin<typeof import("node:sqlite")>("node:sqlite");
  if (!sqlite)
    throw new UnavailableError("Files of evidence need node:sqlite for their lock: use Node 22.18 or later.");
  let database: InstanceType<typeof sqlite.DatabaseSync> | undefined;
  try {
    database = new sqlite.DatabaseSync(file, { timeout: 0 });
    database.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    database?.close();
    if ((cause as { errcode?: unknown }).errcode === busy) return null;
    throw new UnavailableError(`The lock ${file} cannot be taken. Is its directory writable?`, { cause });
  }
  const held = database;
  return { release: () => held.close() };
}
