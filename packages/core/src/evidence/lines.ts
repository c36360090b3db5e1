/**
 * The bytes of an evidence file as lines. A line ends at LF and nowhere else: canonical JSON may hold a raw
 * U+2028, at which ordinary line readers break.
 */
import type { FileHandle } from "node:fs/promises";
import { builtin, hasFiles } from "../crypto/builtin.ts";
import { fromUtf8 } from "../crypto/encoding.ts";
import { ConfigurationError, isGuardError, UnavailableError } from "../errors.ts";
import { readLine } from "./envelope.ts";

const block = 1 << 18;

/** The builtin modules that files need. @throws ConfigurationError where the runtime has none. */
export function fileSystem() {
  const fs = builtin<typeof import("node:fs/promises")>("node:fs/promises");
  const path = builtin<typeof import("node:path")>("node:path");
  if (hasFiles() && fs && path) return { fs, path };
  throw new ConfigurationError(
    "There are no files in this runtime. Give the guard an evidence store of your own.",
  );
}

/** The lines of an evidence file, streamed, for `verifyChain`. @throws UnavailableError where it cannot be read. */
export async function* readEvidence(file: string): AsyncGenerator<string, void, undefined> {
  const { fs } = fileSystem();
  let handle: FileHandle;
  try {
    handle = await fs.open(file, "r");
  } catch (cause) {
    throw new UnavailableError(`The evidence file ${file} cannot be read.`, { cause });
  }
  try {
    let rest: Uint8Array = new Uint8Array(0);
    for (;;) {
      const buffer = new Uint8Array(rest.length + block);
      buffer.set(rest);
      const { bytesRead } = await handle.read(buffer, rest.length, block, null);
      if (bytesRead === 0) break;
      const bytes = buffer.subarray(0, rest.length + bytesRead);
      const start = bytes.lastIndexOf(10) + 1;
      if (start > 0) yield* decodeAll(bytes.subarray(0, start - 1));
      rest = bytes.subarray(start);
    }
    if (rest.length > 0) yield* decodeAll(rest);
  } finally {
    await handle.close();
  }
}

/** Bytes that are not UTF-8 become a text that is no JSON, so that the reader names their place. */
function decodeAll(bytes: Uint8Array): string[] {
  try {
    return fromUtf8(bytes).split("\n");
  } catch (error) {
    if (!isGuardError(error, "validation")) throw error;
  }
  const lines: string[] = [];
  for (let start = 0; start <= bytes.length; ) {
    const end = bytes.indexOf(10, start);
    const line = bytes.subarray(start, end < 0 ? bytes.length : end);
    start += line.length + 1;
    try {
      lines.push(fromUtf8(line));
    } catch (error) {
      if (!isGuardError(error, "validation")) throw error;
      lines.push("\uFFFD");
    }
  }
  return lines;
}

export interface Tail {
  /** Where the last line starts. */
  readonly start: number;
  /** Its bytes, with the LF if it has one. */
  readonly bytes: Uint8Array;
  readonly state: "whole" | "unterminated" | "torn";
}

/** What a crash may have left at the end of a file. */
export async function readTail(handle: FileHandle): Promise<Tail> {
  const { size } = await handle.stat();
  let start = size;
  let bytes: Uint8Array = new Uint8Array(0);
  let from = -1;
  while (start > 0 && from < 0) {
    const length = Math.min(block, start);
    const grown = new Uint8Array(length + bytes.length);
    for (let read = 0; read < length; ) {
      const { bytesRead } = await handle.read(grown, read, length - read, start - length + read);
      if (bytesRead === 0) throw new UnavailableError("The evidence file became shorter while it was read.");
      read += bytesRead;
    }
    grown.set(bytes, length);
    bytes = grown;
    start -= length;
    // The LF that ends the last line is not the one that ends the line before it.
    from = bytes.lastIndexOf(10, bytes.length - 2);
    if (bytes.length < 2) from = -1;
  }
  const line = bytes.subarray(from + 1);
  const terminated = line.at(-1) === 10;
  const whole = line.length === 0 || isWhole(terminated ? line.subarray(0, -1) : line);
  const state = !whole ? "torn" : terminated || line.length === 0 ? "whole" : "unterminated";
  return { start: start + from + 1, bytes: line, state };
}

function isWhole(bytes: Uint8Array): boolean {
  try {
    readLine(fromUtf8(bytes));
    return true;
  } catch (error) {
    if (isGuardError(error, "verification_failed") || isGuardError(error, "validation")) return false;
    throw error;
  }
}
