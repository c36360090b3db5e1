/**
 * What the processes of a run saw, line by line, in files that no fault touches. A line is written with one
 * system call before the process goes on, so that a process killed later has said all that it did before.
 */
import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { RequestState } from "@guard/core";

/** Something that the relay said of a request. What it acknowledged has to be there for ever. */
export interface Ack {
  /** The acknowledged act; `read` is only something seen. */
  readonly kind: "ask" | "answer" | "consume" | "report" | "read";
  readonly request: string;
  /** Null where the relay did not say. */
  readonly state: RequestState | null;
  readonly version: number | null;
  /** Digest of what was acknowledged; null for `read`. */
  readonly digest: string | null;
}

/** One side effect of the tool. */
export interface Effect {
  readonly item: string;
  readonly amount: number;
  readonly executionId: string;
  readonly request: string | null;
  readonly by: string;
}

/** What a caller of the guard was told about an action. */
export interface Told {
  readonly item: string;
  /** `ran`, `tool_failed`, or the code of the guard's error. */
  readonly end: string;
  readonly by: string;
  /** Whether it is the last word of this process. */
  readonly final: boolean;
}

export interface Journals {
  readonly acks: Ack;
  readonly effects: Effect;
  readonly told: Told;
}

export function note<K extends keyof Journals>(directory: string, journal: K, line: Journals[K]): void {
  appendFileSync(join(directory, journal), `${JSON.stringify(line)}\n`);
}

/** The side effect itself: on the disk before the tool goes on. */
export function act(directory: string, effect: Effect): void {
  const file = openSync(join(directory, "effects"), "a");
  try {
    writeSync(file, `${JSON.stringify(effect)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

export function readJournal<K extends keyof Journals>(directory: string, journal: K): Journals[K][] {
  const file = join(directory, journal);
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Journals[K]);
}
