/**
 * The snapshot: one reading of a caller's arguments into plain, frozen JSON. What is digested, shown to people
 * and run is this snapshot, never the caller's object (toctou-args).
 *
 * Guarantees: every getter and every Proxy trap is used once; members whose value is undefined are dropped,
 * from what is shown and what runs alike; everything else that JSON cannot hold is refused with its path.
 */
import { ValidationError } from "../errors.ts";
import { type Json, keepCanonical, maxKeptDepth, pathOf } from "./canonical.ts";

/** Largest canonical form of arguments, in UTF-16 code units: what a person can be asked to read, and then some. */
export const maxSnapshotLength = 256 * 1024;
/** Deepest nesting of arguments: papers, replies and events have to hold them and be canonical JSON themselves. */
export const maxSnapshotDepth = maxKeptDepth;
/** Most values in one snapshot. */
const maxValues = 50_000;

/**
 * -0 becomes 0, which is how JSON writes it.
 * @throws ValidationError that names the path: cycles, functions, symbols, BigInt, NaN, Infinity,
 * class instances (Date, Map, …), lone surrogates, array holes, too deep, too large.
 */
export function snapshot(value: unknown): Json {
  const copy = new Snapshotter().read(value);
  // Also refuses lone surrogates, and bounds what a person would have to read.
  if (keepCanonical(copy).length > maxSnapshotLength) {
    throw new ValidationError(
      `The arguments are larger than ${maxSnapshotLength / 1024} KiB. Pass a reference to the data, not the data.`,
    );
  }
  return copy;
}

class Snapshotter {
  readonly #above = new Set<object>();
  readonly #trail: (string | number)[] = [];
  #values = 0;

  read(value: unknown): Json {
    if (++this.#values > maxValues) throw this.#refuse("one value too many");
    switch (typeof value) {
      case "string":
      case "boolean":
        return value;
      case "number":
        if (!Number.isFinite(value)) throw this.#refuse(String(value));
        return Object.is(value, -0) ? 0 : value;
      case "object":
        if (value === null) return null;
        break;
      case "bigint":
        throw this.#refuse("a BigInt (write it as a string)");
      default:
        throw this.#refuse(value === undefined ? "undefined" : `a ${typeof value}`);
    }
    if (this.#above.has(value)) throw this.#refuse("a cycle");
    if (this.#trail.length >= maxSnapshotDepth) {
      throw this.#refuse(`nested deeper than ${maxSnapshotDepth}`);
    }
    this.#above.add(value);
    const copy = Array.isArray(value) ? this.#list(value) : this.#record(value);
    this.#above.delete(value);
    return Object.freeze(copy);
  }

  #child(value: unknown, key: string | number): Json {
    this.#trail.push(key);
    const copy = this.read(value);
    this.#trail.pop();
    return copy;
  }

  #list(list: readonly unknown[]): Json {
    const copy: Json[] = [];
    const { length } = list;
    // A hole or an undefined item is refused: an array has no way to drop a member without moving its neighbours.
    for (let i = 0; i < length; i++) copy.push(this.#child(list[i], i));
    return copy;
  }

  #record(record: object): Json {
    const prototype = Object.getPrototypeOf(record);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw this.#refuse(`an object of class ${className(prototype)}`);
    }
    if (prototype !== null && !Object.hasOwn(prototype, "hasOwnProperty")) {
      throw this.#refuse("an object with a prototype of its own");
    }
    const copy: Record<string, Json> = {};
    for (const key of Reflect.ownKeys(record)) {
      if (typeof key === "symbol") throw this.#refuse("an object with a symbol as key");
      const descriptor = Reflect.getOwnPropertyDescriptor(record, key);
      if (!descriptor?.enumerable) continue;
      const member = (record as Record<string, unknown>)[key];
      if (member === undefined) continue;
      const value = this.#child(member, key);
      // Assigning to __proto__ would set the prototype instead.
      if (key === "__proto__") Object.defineProperty(copy, key, { value, enumerable: true });
      else copy[key] = value;
    }
    return copy;
  }

  #refuse(what: string): ValidationError {
    const path = pathOf(this.#trail);
    return new ValidationError(`Arguments have to be plain JSON, but ${path} is ${what}.`, { path });
  }
}

function className(prototype: object): string {
  const made = (prototype as { constructor?: unknown }).constructor;
  return typeof made === "function" ? made.name : "unknown";
}
