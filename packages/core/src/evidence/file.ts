/**
 * A chain in a file: one line an event, so that `sha256sum`, `grep` and `jq` can read it.
 *
 * Guarantees: a flushed line is on the disk (fdatasync, one for all who wait); one writer at a time; a last
 * line torn by a crash is put aside, never a whole event; nothing else is mended. Files are 0600, made
 * directories 0700.
 */
import type { FileHandle } from "node:fs/promises";
import * as z from "zod/mini";
import { utf8 } from "../crypto/encoding.ts";
import { ConfigurationError, isGuardError, UnavailableError } from "../errors.ts";
import { fileSystem, readEvidence, readTail } from "./lines.ts";
import { type Lock, tryLock } from "./lock.ts";
import type { EvidenceStore } from "./store.ts";

export type FileEvidenceOptions =
  /** This file. A second process that opens it is refused. */
  | { readonly file: string }
  /** The first free one of `name.jsonl`, `name.2.jsonl`, …: a restarted process finds its chain, a parallel one gets its own. */
  | { readonly directory: string; readonly name: string };

const slots = 1000;
const place = z.string().check(z.minLength(1));
const optionsSchema = z.union([
  z.strictObject({ file: place }),
  z.strictObject({
    directory: place,
    name: z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/)),
  }),
]);

interface Opened {
  readonly file: string;
  readonly handle: FileHandle;
  readonly lock: Lock;
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/**
 * Evidence in a file. Node only.
 * @throws ConfigurationError where the options are wrong, or the runtime has no files.
 */
export function fileEvidence(options: FileEvidenceOptions): EvidenceStore {
  if (!z.safeParse(optionsSchema, options).success) {
    throw new ConfigurationError(
      "fileEvidence takes { file }, or { directory, name } with a name of letters, digits, dots and dashes.",
    );
  }
  const { fs } = fileSystem();
  let opened: Opened | null = null;
  let queue: string[] = [];
  let waiters: Waiter[] = [];
  let pumping: Promise<void> | null = null;
  let failure: UnavailableError | null = null;
  let dirty = false;

  const current = (): Opened => {
    if (failure) throw failure;
    if (!opened) throw new UnavailableError("The evidence file is not open. Open a chain over it first.");
    return opened;
  };
  // Starts in a later microtask, so that events appended together are written together.
  const pump = ({ handle, file }: Opened) => {
    pumping ??= Promise.resolve().then(async () => {
      while (queue.length > 0 || waiters.length > 0) {
        const lines = queue;
        const served = waiters;
        queue = [];
        waiters = [];
        try {
          if (lines.length > 0) {
            dirty = true;
            await handle.appendFile(`${lines.join("\n")}\n`);
          }
          if (dirty && served.length > 0) {
            await handle.datasync();
            dirty = false;
          }
          for (const waiter of served) waiter.resolve();
        } catch (cause) {
          // After a failed write or sync nobody knows what is on the disk: this store is finished.
          failure = new UnavailableError(`The evidence file ${file} cannot be written.`, { cause });
          for (const waiter of [...served, ...waiters]) waiter.reject(failure);
          waiters = [];
          queue = [];
        }
      }
      pumping = null;
    });
  };

  return {
    get place() {
      return (
        opened?.file ?? ("file" in options ? options.file : `${options.directory}/${options.name}.jsonl`)
      );
    },
    async open() {
      if (opened) throw taken(opened.file);
      failure = null;
      opened = await openFile(options);
      return { lines: readEvidence(opened.file), checkpoint: await readIfThere(checkpointFile(opened.file)) };
    },
    append(line) {
      const target = current();
      queue.push(line);
      pump(target);
    },
    flush: () =>
      new Promise((resolve, reject) => {
        const target = current();
        waiters.push({ resolve, reject });
        pump(target);
      }),
    async saveCheckpoint(text) {
      const { file } = current();
      await replaceFile(checkpointFile(file), text);
    },
    async close() {
      const closing = opened;
      if (!closing) return;
      opened = null;
      try {
        await pumping;
        await closing.handle.close();
      } finally {
        closing.lock.release();
      }
    },
  };

  async function readIfThere(file: string): Promise<string | null> {
    try {
      return await fs.readFile(file, "utf8");
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw new UnavailableError(`The checkpoint ${file} cannot be read.`, { cause });
    }
  }
}

const checkpointFile = (file: string) => `${file}.checkpoint`;

function taken(file: string): ConfigurationError {
  return new ConfigurationError(
    `Another process, or another guard of this one, writes ${file}, and a chain has one writer. ` +
      "Give each its own file, or pass { directory, name }, which finds a free one.",
  );
}

async function openFile(options: FileEvidenceOptions): Promise<Opened> {
  const { fs, path } = fileSystem();
  const directory = path.resolve("file" in options ? path.dirname(options.file) : options.directory);
  try {
    const made = await fs.mkdir(directory, { recursive: true, mode: 0o700 });
    if (made !== undefined) await syncDirectory(path.dirname(made));
    // One file has one lock, by whichever link it is reached.
    const real = await fs.realpath(directory);
    for (let slot = 1; slot <= slots; slot++) {
      const suffix = slot === 1 ? "" : `.${slot}`;
      const name = "file" in options ? path.basename(options.file) : `${options.name}${suffix}.jsonl`;
      const file = path.join(real, name);
      const lock = tryLock(`${file}.lock`);
      if (lock) return await openLocked(file, lock);
      if ("file" in options) throw taken(file);
    }
  } catch (cause) {
    if (isGuardError(cause)) throw cause;
    throw new UnavailableError(`Evidence cannot be kept in ${directory}. Is it writable?`, { cause });
  }
  throw new ConfigurationError(
    `All ${slots} evidence files in ${directory} are in use. Name another directory.`,
  );
}

async function openLocked(file: string, lock: Lock): Promise<Opened> {
  const { fs, path } = fileSystem();
  let handle: FileHandle | undefined;
  try {
    try {
      handle = await fs.open(file, "ax+", 0o600);
      await syncDirectory(path.dirname(file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      handle = await fs.open(file, "a+", 0o600);
    }
    if (!(await handle.stat()).isFile()) {
      throw new ConfigurationError(`${file} is not a file. Name a file that Guard may make.`);
    }
    await mend(file, handle);
    return { file, handle, lock };
  } catch (error) {
    await handle?.close();
    lock.release();
    throw error;
  }
}

/** Puts a torn last line aside. A whole event whose LF was lost gets it back. */
async function mend(file: string, handle: FileHandle): Promise<void> {
  const { fs, path } = fileSystem();
  const { start, bytes, state } = await readTail(handle);
  if (state === "whole") return;
  if (state === "unterminated") await handle.appendFile("\n");
  else {
    for (let time = Date.now(); ; time++) {
      try {
        await fs.writeFile(`${file}.torn-${time}`, bytes, { flag: "wx", mode: 0o600, flush: true });
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    }
    // The copy has to be there before the original goes.
    await syncDirectory(path.dirname(file));
    await handle.truncate(start);
  }
  await handle.sync();
}

/** Replaces a file at once: a reader, or a crash, sees the old text or the new one. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const { fs } = fileSystem();
  // Two processes may replace the same file: each writes its own copy first.
  const next = `${file}.${crypto.randomUUID()}.next`;
  try {
    await fs.writeFile(next, utf8(text), { mode: 0o600, flush: true });
    await fs.rename(next, file);
  } catch (cause) {
    throw new UnavailableError(`The file ${file} cannot be written.`, { cause });
  }
}

async function syncDirectory(directory: string): Promise<void> {
  // Windows opens no directories and keeps their entries by itself.
  if (process.platform === "win32") return;
  const handle = await fileSystem().fs.open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
