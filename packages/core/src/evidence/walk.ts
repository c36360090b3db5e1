/**
 * Reads a chain line by line and holds each against the one before it: canonical form, sequence number, hash
 * of the predecessor, one app, one agent. It streams and keeps no lines.
 *
 * Guarantees: everything before the event that it calls bad is linked without a gap.
 */
import { hexDigestOf } from "../crypto/hash.ts";
import { isGuardError } from "../errors.ts";
import { type Envelope, readLine } from "./envelope.ts";

export type Lines = Iterable<string> | AsyncIterable<string>;

/** An event in its place. */
export interface Link {
  readonly envelope: Envelope;
  /** SHA-256 of its line, 64 hex digits. */
  readonly hash: string;
}

/** The first event that cannot be relied on. `line` counts from 1. */
export interface Bad {
  readonly seq: number;
  readonly line: number;
  readonly why: string;
}

const bad = (seq: number, why: string): Bad => ({ seq, line: seq + 1, why });

/** Calls `visit` for every linked event in order, awaiting it where it returns a promise; stops at the first bad one. */
export async function walk(
  lines: Lines,
  visit: (link: Link) => undefined | Promise<void>,
): Promise<Bad | null> {
  const iterator = Symbol.asyncIterator in lines ? lines[Symbol.asyncIterator]() : lines[Symbol.iterator]();
  let finished = false;
  // Awaiting only where there is something to wait for: a tick a line would halve the speed of arrays.
  const pull = async (step: PromiseLike<IteratorResult<string>>) => (await step) as IteratorResult<string>;
  try {
    let last: Link | null = null;
    for (let seq = 0; ; seq++) {
      const step = iterator.next();
      const result = "then" in step ? await pull(step) : step;
      if (result.done) {
        finished = true;
        return null;
      }
      const link = judge(result.value, seq, last);
      if ("why" in link) {
        if (link !== unlinked) return link;
        const after = await iterator.next();
        finished = after.done === true;
        return blame(seq, result.value, after.done ? null : after.value);
      }
      const visited = visit(link);
      if (visited) await visited;
      last = link;
    }
  } finally {
    if (!finished) await iterator.return?.();
  }
}

const unlinked: Bad = bad(-1, "not linked");

function judge(line: string, seq: number, last: Link | null): Link | Bad {
  let envelope: Envelope;
  try {
    envelope = readLine(line);
  } catch (error) {
    if (!isGuardError(error, "verification_failed")) throw error;
    return bad(seq, error.message);
  }
  if (envelope.seq !== seq) {
    // Two successors of one event: which of them is the intruder cannot be told, so the first is not relied on.
    if (last && envelope.seq === seq - 1 && envelope.prev_hash === last.envelope.prev_hash) {
      return bad(seq - 1, `There are two events ${seq - 1}: the chain forks here.`);
    }
    return bad(seq, `Event ${seq} is expected here, but this is event ${envelope.seq}.`);
  }
  if (last) {
    if (envelope.prev_hash !== last.hash) return unlinked;
    if (envelope.tenant_id !== last.envelope.tenant_id) return bad(seq, "It is another app's event.");
    if (envelope.user_id !== last.envelope.user_id) return bad(seq, "It is another agent's event.");
  }
  return { envelope, hash: hexDigestOf(line) };
}

/**
 * Event `seq` names another hash than its predecessor has. If its own successor still names it, it is as it
 * was written and the predecessor was changed; if not, it was changed itself.
 */
function blame(seq: number, line: string, after: string | null): Bad {
  const next = after === null ? null : readOrNull(after);
  if (next && next.seq === seq + 1 && next.prev_hash !== hexDigestOf(line)) {
    return bad(seq, `Event ${seq} was changed: the event before it and the one after it do not fit.`);
  }
  return bad(seq - 1, `Event ${seq - 1} was changed: event ${seq} was linked to another one.`);
}

function readOrNull(line: string): Envelope | null {
  try {
    return readLine(line);
  } catch (error) {
    if (isGuardError(error, "verification_failed")) return null;
    throw error;
  }
}
