/**
 * Canonical JSON (RFC 8785): one text for one value, so that a digest has one reading.
 *
 * Guarantees: what is not plain JSON throws a `ValidationError` that names the path, nothing is ever dropped
 * or converted silently (that is {@link snapshot}'s work), and `parseCanonical` refuses every text that is
 * not its own canonical form (duplicate keys, white space, other number spellings, other key order).
 */
import { ValidationError } from "../errors.ts";

/** A plain JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
/** A plain JSON object. */
export type JsonObject = { readonly [key: string]: Json };

/** Deepest nesting that is read or written: far beyond real arguments, far below the stack's end. */
export const maxDepth = 64;

/** Where a value is: the keys and indexes that lead to it. Written as text only where something is wrong there. */
type Trail = readonly (string | number)[];

function childPath(path: string, key: string | number): string {
  if (typeof key === "number") return `${path}[${key}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

/** `$.a[3]["odd key"]`: how errors and screens name a place in a value. */
export function pathOf(trail: Trail): string {
  return trail.reduce<string>(childPath, "$");
}

/** Canonical text of a plain JSON value. Keys are sorted by UTF-16 code units (RFC 8785 §3.2.3). */
export function canonicalJson(value: unknown): string {
  return write(value, []);
}

/** How deep a value may be that is kept: what it stands in has to stay within {@link maxDepth}. */
export const maxKeptDepth = maxDepth - 8;
// Arguments are digested several times each, and nobody can change a frozen value.
const kept = new WeakMap<object, string>();

/** {@link canonicalJson} for a deeply frozen value of at most {@link maxKeptDepth} levels, which is written this once. */
export function keepCanonical(frozen: Json): string {
  const text = canonicalJson(frozen);
  if (typeof frozen === "object" && frozen !== null) kept.set(frozen, text);
  return text;
}

function write(value: unknown, trail: (string | number)[]): string {
  switch (typeof value) {
    case "string":
      if (!value.isWellFormed()) throw notJson(trail, "a string with a lone surrogate");
      return JSON.stringify(value);
    case "number":
      if (!Number.isFinite(value)) throw notJson(trail, String(value));
      return JSON.stringify(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      break;
    default:
      throw notJson(trail, `a value of type ${typeof value}`);
  }
  if (value === null) return "null";
  const known = trail.length <= maxDepth - maxKeptDepth ? kept.get(value) : undefined;
  if (known !== undefined) return known;
  if (trail.length >= maxDepth) throw notJson(trail, `nesting deeper than ${maxDepth}`);
  if (Array.isArray(value)) {
    let text = "[";
    for (let i = 0; i < value.length; i++) text += (i > 0 ? "," : "") + writeChild(value[i], i, trail);
    return `${text}]`;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw notJson(trail, "an object of a class");
  if (Object.getOwnPropertySymbols(value).length > 0) throw notJson(trail, "an object with a symbol as key");
  let text = "{";
  for (const key of Object.keys(value).sort()) {
    if (!key.isWellFormed()) throw notJson(trail, "a key with a lone surrogate");
    const member = (value as Record<string, unknown>)[key];
    text += `${text.length > 1 ? "," : ""}${JSON.stringify(key)}:${writeChild(member, key, trail)}`;
  }
  return `${text}}`;
}

function writeChild(value: unknown, key: string | number, trail: (string | number)[]): string {
  trail.push(key);
  const text = write(value, trail);
  trail.pop();
  return text;
}

function notJson(trail: Trail, what: string): ValidationError {
  const path = pathOf(trail);
  return new ValidationError(`${path} is ${what}, which JSON cannot hold. Pass a plain JSON value.`, {
    path,
  });
}

/**
 * Parses a text that must already be canonical.
 * @throws ValidationError where it is not JSON, or not the canonical form of what it says.
 */
export function parseCanonical(text: string): Json {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    // No cause: the engine's message quotes the text, which can be a connection or a paper (secret-leak).
    throw new ValidationError("Not JSON.");
  }
  if (canonicalJson(value) !== text) {
    throw new ValidationError("Not canonical JSON (RFC 8785): two readings of one digest are not allowed.");
  }
  return value;
}
