/**
 * One event of a chain, in the envelope of Aegis, and its line: the canonical JSON (RFC 8785) that is hashed.
 *
 * Guarantees: a line has one reading. What is not its own canonical form, has an unknown member or an unknown
 * event type is refused, so the SHA-256 of a line (`sha256sum` prints the same) identifies the event.
 */
import { canonicalJson, type Json, type JsonObject, maxDepth, parseCanonical } from "../action/canonical.ts";
import { isGuardError, VerificationError } from "../errors.ts";

/** The event types of Aegis, in the order of its schema (1 to 17). */
export const eventTypes = [
  "MODEL_CALL_STARTED",
  "MODEL_CALL_FINISHED",
  "TOOL_CALL_PROPOSED",
  "TOOL_CALL_ALLOWED",
  "TOOL_CALL_DENIED",
  "TOOL_CALL_EXECUTED",
  "TOOL_RESULT",
  "POLICY_DECISION",
  "APPROVAL_REQUESTED",
  "APPROVAL_DECIDED",
  "MEMORY_READ",
  "MEMORY_WRITE",
  "HANDOFF_REQUESTED",
  "HANDOFF_COMPLETED",
  "CHECKPOINT_CREATED",
  "TERMINATION",
  "ERROR_RAISED",
] as const;

export type EventType = (typeof eventTypes)[number];

/** An event as it is hashed. The names are those of Aegis' wire. */
export interface Envelope {
  /** The app. */
  readonly tenant_id: string;
  /** The agent. */
  readonly user_id: string;
  /** The session that the event belongs to; the chain's id where it belongs to none. */
  readonly session_id: string;
  /** 0 for the first event of a chain, then one more each. */
  readonly seq: number;
  /** Milliseconds since 1970, by the agent's clock. */
  readonly ts_unix_ms: number;
  readonly event_type: EventType;
  readonly payload: JsonObject;
  /** 64 hex digits: SHA-256 of the line before; absent at `seq` 0. */
  readonly prev_hash?: string;
}

const isText = (value: unknown) => typeof value === "string" && value !== "";
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
// An integer that a Date can hold (ECMA-262 §21.4.1.1): screens write it as a date.
const isTime = (value: unknown) => isCount(value) && (value as number) <= 8.64e15;
const isDigest = (value: unknown) =>
  value === undefined || (typeof value === "string" && /^[0-9a-f]{64}$/.test(value));

// Not a schema of zod's: whole files are read at every start, and this is five times as fast.
const members: { readonly [K in keyof Envelope]-?: readonly [(value: unknown) => boolean, string] } = {
  tenant_id: [isText, "a text"],
  user_id: [isText, "a text"],
  session_id: [isText, "a text"],
  seq: [isCount, "a count"],
  ts_unix_ms: [isTime, "a time"],
  event_type: [(value) => eventTypes.includes(value as EventType), "an event type"],
  payload: [isRecord, "an object"],
  prev_hash: [isDigest, "64 hex digits"],
};
const names = Object.keys(members) as (keyof Envelope)[];

function isRecord(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What keeps a value from being an envelope, or null. */
function fault(value: unknown): string | null {
  if (!isRecord(value)) return "not an object";
  for (const name of names) {
    const [fits, what] = members[name];
    if (!fits(Object.hasOwn(value, name) ? value[name] : undefined)) return `${name}: not ${what}`;
  }
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(members, name));
  if (unknown !== undefined) return `${JSON.stringify(unknown.slice(0, 60))}: no such member`;
  const linked = Object.hasOwn(value, "prev_hash");
  return linked === (value.seq === 0) ? "prev_hash is absent at seq 0 and nowhere else" : null;
}

/**
 * The line of an event. Its SHA-256 is the event's hash.
 * @throws ValidationError where the payload is not plain JSON.
 */
export function lineOf(envelope: Envelope): string {
  return canonicalJson(envelope);
}

/** @throws VerificationError where `line` is not the canonical JSON of an envelope. */
export function readLine(line: string): Envelope {
  let value: unknown;
  try {
    value = isCanonical(line) ?? parseCanonical(line);
  } catch (cause) {
    if (!isGuardError(cause, "validation")) throw cause;
    throw new VerificationError(cause.message, { cause });
  }
  const wrong = fault(value);
  if (wrong !== null) throw new VerificationError(`Not an event envelope (${wrong}).`);
  return value as unknown as Envelope;
}

/**
 * A quick yes for the usual line, since whole files are read at every start: what JSON.stringify gives back
 * unchanged, with sorted keys and no escaped surrogate, is canonical. Everything else (also canonical lines
 * with keys like "10", which objects reorder) takes the exact way. Undefined means "look closer".
 */
function isCanonical(line: string): Json | undefined {
  if (line.includes("\\ud")) return undefined;
  try {
    const value = JSON.parse(line) as Json;
    return JSON.stringify(value) === line && isSorted(value, 0) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isSorted(value: Json, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (depth >= maxDepth) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (!isSorted(item, depth + 1)) return false;
    return true;
  }
  let last: string | undefined;
  for (const key of Object.keys(value)) {
    if (last !== undefined && last >= key) return false;
    last = key;
    if (!isSorted((value as JsonObject)[key] as Json, depth + 1)) return false;
  }
  return true;
}
