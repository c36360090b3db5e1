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

/** `$.a[3]["odd key"]`: how errors and screens name a place in a value. */
export function childPath(path: string, key: string | number): string {
  if (typeof key === "number") return `${path}[${key}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

/** Canonical text of a plain JSON value. Keys are sorted by UTF-16 code units (RFC 8785 §3.2.3). */
export function canonicalJson(value: unknown): string {
  return write(value, "$", 0);
}

function write(value: unknown, path: string, depth: number): string {
  switch (typeof value) {
    case "string":
      if (!value.isWellFormed()) throw notJson(path, "a string with a lone surrogate");
      return JSON.stringify(value);
    case "number":
      if (!Number.isFinite(value)) throw notJson(path, String(value));
      return JSON.stringify(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      break;
    default:
      throw notJson(path, `a value of type ${typeof value}`);
  }
  if (value === null) return "null";
  if (depth >= maxDepth) throw notJson(path, `nesting deeper than ${maxDepth}`);
  if (Array.isArray(value)) {
    let text = "[";
    for (let i = 0; i < value.length; i++) {
      text += (i > 0 ? "," : "") + write(value[i], childPath(path, i), depth + 1);
    }
    return `${text}]`;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw notJson(path, "an object of a class");
  if (Object.getOwnPropertySymbols(value).length > 0) throw notJson(path, "an object with a symbol as key");
  let text = "{";
  for (const key of Object.keys(value).sort()) {
    if (!key.isWellFormed()) throw notJson(path, "a key with a lone surrogate");
    const member = (value as Record<string, unknown>)[key];
    text += `${text.length > 1 ? "," : ""}${JSON.stringify(key)}:${write(member, childPath(path, key), depth + 1)}`;
  }
  return `${text}}`;
}

function notJson(path: string, what: string): ValidationError {
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
