/**
 * The snapshot: one reading of a caller's arguments into plain, frozen JSON. What is digested, shown to people
 * and run is this snapshot, never the caller's object (toctou-args).
 *
 * Guarantees: every getter and every Proxy trap is used once; members whose value is undefined are dropped,
 * from what is shown and what runs alike; everything else that JSON cannot hold is refused with its path.
 */
import { ValidationError } from "../errors.ts";
import { canonicalJson, childPath, type Json, maxDepth } from "./canonical.ts";

/** Largest canonical form of arguments, in UTF-16 code units: what a person can be asked to read, and then some. */
export const maxSnapshotLength = 256 * 1024;
/** Deepest nesting of arguments: papers, replies and events have to hold them and be canonical JSON themselves. */
export const maxSnapshotDepth = maxDepth - 8;
/** Most values in one snapshot. */
const maxValues = 50_000;

/**
 * -0 becomes 0, which is how JSON writes it.
 * @throws ValidationError that names the path: cycles, functions, symbols, BigInt, NaN, Infinity,
 * class instances (Date, Map, …), lone surrogates, array holes, too deep, too large.
 */
export function snapshot(value: unknown): Json {
  const copy = new Snapshotter().read(value, "$", 0);
  // Also refuses lone surrogates, and bounds what a person would have to read.
  if (canonicalJson(copy).length > maxSnapshotLength) {
    throw new ValidationError(
      `The arguments are larger than ${maxSnapshotLength / 1024} KiB. Pass a reference to the data, not the data.`,
    );
  }
  return copy;
}

class Snapshotter {
  readonly #above = new Set<object>();
  #values = 0;

  read(value: unknown, path: string, depth: number): Json {
    if (++this.#values > maxValues) throw refuse(path, "one value too many");
    switch (typeof value) {
      case "string":
      case "boolean":
        return value;
      case "number":
        if (!Number.isFinite(value)) throw refuse(path, String(value));
        return Object.is(value, -0) ? 0 : value;
      case "object":
        if (value === null) return null;
        break;
      case "bigint":
        throw refuse(path, "a BigInt (write it as a string)");
      default:
        throw refuse(path, value === undefined ? "undefined" : `a ${typeof value}`);
    }
    if (this.#above.has(value)) throw refuse(path, "a cycle");
    if (depth >= maxSnapshotDepth) throw refuse(path, `nested deeper than ${maxSnapshotDepth}`);
    this.#above.add(value);
    const copy = Array.isArray(value) ? this.#list(value, path, depth) : this.#record(value, path, depth);
    this.#above.delete(value);
    return Object.freeze(copy);
  }

  #list(list: readonly unknown[], path: string, depth: number): Json {
    const copy: Json[] = [];
    const { length } = list;
    for (let i = 0; i < length; i++) {
      const item = list[i];
      // An array has no way to drop a member: its neighbours would move.
      if (item === undefined) throw refuse(childPath(path, i), "undefined");
      copy.push(this.read(item, childPath(path, i), depth + 1));
    }
    return copy;
  }

  #record(record: object, path: string, depth: number): Json {
    const prototype = Object.getPrototypeOf(record);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw refuse(path, `an object of class ${className(prototype)}`);
    }
    if (prototype !== null && !Object.hasOwn(prototype, "hasOwnProperty")) {
      throw refuse(path, "an object with a prototype of its own");
    }
    const copy: Record<string, Json> = {};
    for (const key of Reflect.ownKeys(record)) {
      if (typeof key === "symbol") throw refuse(path, "an object with a symbol as key");
      const descriptor = Reflect.getOwnPropertyDescriptor(record, key);
      if (!descriptor?.enumerable) continue;
      const member = (record as Record<string, unknown>)[key];
      if (member === undefined) continue;
      // defineProperty, because assigning to __proto__ would set the prototype instead.
      Object.defineProperty(copy, key, {
        value: this.read(member, childPath(path, key), depth + 1),
        enumerable: true,
      });
    }
    return copy;
  }
}

function className(prototype: object): string {
  const made = (prototype as { constructor?: unknown }).constructor;
  return typeof made === "function" ? made.name : "unknown";
}

function refuse(path: string, what: string): ValidationError {
  return new ValidationError(`Arguments have to be plain JSON, but ${path} is ${what}.`, { path });
}
