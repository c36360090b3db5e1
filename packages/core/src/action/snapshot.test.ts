import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { otherRealm } from "../crypto/platform.fixture.ts";
import { ValidationError } from "../errors.ts";
import { canonicalJson } from "./canonical.ts";
import { maxSnapshotDepth, maxSnapshotLength, snapshot } from "./snapshot.ts";

const nested = (depth: number) => {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = { a: value };
  return value;
};
const cycle = () => {
  const value: { list: unknown[] } = { list: [] };
  value.list.push(1, value);
  return value;
};

describe("toctou-args: one reading", () => {
  it("reads a getter once", () => {
    let reads = 0;
    const args = {
      get amount() {
        return ++reads;
      },
    };
    expect(snapshot(args)).toEqual({ amount: 1 });
    expect(reads).toBe(1);
  });

  it("uses each trap of a Proxy once", () => {
    const used: string[] = [];
    const record = (name: string) => {
      used.push(name);
    };
    const args = new Proxy(
      { amount: 1 },
      {
        get(target, key) {
          record(`get ${String(key)}`);
          return Reflect.get(target, key);
        },
        ownKeys(target) {
          record("ownKeys");
          return Reflect.ownKeys(target);
        },
        getOwnPropertyDescriptor(target, key) {
          record(`descriptor ${String(key)}`);
          return Reflect.getOwnPropertyDescriptor(target, key);
        },
        getPrototypeOf(target) {
          record("prototype");
          return Reflect.getPrototypeOf(target);
        },
      },
    );
    expect(snapshot({ args })).toEqual({ args: { amount: 1 } });
    expect([...used].sort()).toEqual(["descriptor amount", "get amount", "ownKeys", "prototype"]);
  });

  it("reads an array's length and items once", () => {
    const used: string[] = [];
    const list = new Proxy([10, 20], {
      get(target, key) {
        used.push(String(key));
        return Reflect.get(target, key);
      },
    });
    expect(snapshot(list)).toEqual([10, 20]);
    expect(used).toEqual(["length", "0", "1"]);
  });

  it("refuses an own toJSON and never calls an inherited one", () => {
    expect(() => snapshot({ amount: 1, toJSON: () => ({ amount: 9 }) })).toThrow(/\$\.toJSON is a function/);
    const args = { amount: 1 };
    const inherited = Object.prototype as { toJSON?: () => unknown };
    Object.defineProperty(inherited, "toJSON", { value: () => ({ amount: 9 }), configurable: true });
    try {
      expect(canonicalJson(snapshot(args))).toBe('{"amount":1}');
    } finally {
      delete inherited.toJSON;
    }
  });

  it("is not touched by what happens to the caller's object, and cannot be changed", () => {
    const args = { to: { iban: "DE1" }, list: [1] };
    const copy = snapshot(args) as unknown as typeof args;
    args.to.iban = "DE2";
    args.list.push(2);
    expect(copy).toEqual({ to: { iban: "DE1" }, list: [1] });
    for (const part of [copy, copy.to, copy.list]) expect(Object.isFrozen(part)).toBe(true);
    expect(() => copy.list.push(3)).toThrow(TypeError);
  });
});

describe("canonical-confusion: what JSON cannot hold is refused by its path", () => {
  it.each([
    ["a cycle", cycle(), "$.list[1]"],
    ["a function", { a: [() => 1] }, "$.a[0]"],
    ["NaN", { a: Number.NaN }, "$.a"],
    ["Infinity", [Infinity], "$[0]"],
    ["a BigInt", { a: 1n }, "$.a"],
    ["a Date", { at: new Date(0) }, "$.at"],
    ["a Map", { a: new Map() }, "$.a"],
    ["a Set", new Set([1]), "$"],
    ["bytes", { a: new Uint8Array(3) }, "$.a"],
    ["a boxed string", { a: Object("text") }, "$.a"],
    ["an Error", { a: new Error("x") }, "$.a"],
    ["a Promise", { a: Promise.resolve(1) }, "$.a"],
    ["a symbol", { a: Symbol("s") }, "$.a"],
    ["a symbol as key", { a: { [Symbol("s")]: 1 } }, "$.a"],
    ["an instance of a class", { a: new (class Money {})() }, "$.a"],
    ["an object with a prototype of its own", { a: Object.create(Object.create(null)) }, "$.a"],
    ["inherited members", { a: Object.create({ amount: 1 }) }, "$.a"],
    ["undefined in an array", { a: [1, undefined] }, "$.a[1]"],
    ["an array's hole", Object.assign([1], { 2: 2 }), "$[1]"],
    ["a huge empty array", { a: new Array(4_000_000_000) }, "$.a[0]"],
    ["a lone surrogate", { a: ["\ud800"] }, "$.a[0]"],
    ["a lone surrogate in a key", { a: { "\udead": 1 } }, "$.a"],
    ["nothing at all", undefined, "$"],
    ["too deep", nested(maxSnapshotDepth + 1), `$${".a".repeat(maxSnapshotDepth)}`],
    ["too many values", Array.from({ length: 60_000 }, () => 0), "$[49999]"],
  ])("%s", (_name, value, path) => {
    let caught: unknown;
    try {
      snapshot(value);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(ValidationError);
    expect((caught as ValidationError).path).toBe(path);
    expect((caught as ValidationError).message).toContain(path);
  });

  it("too large", () => {
    expect(snapshot("x".repeat(maxSnapshotLength - 2))).toHaveLength(maxSnapshotLength - 2);
    expect(() => snapshot("x".repeat(maxSnapshotLength - 1))).toThrow(/larger than 256 KiB/);
  });

  it("a shared object that grows without end is stopped by the count, not by memory", () => {
    let value: unknown = [];
    for (let i = 0; i < 40; i++) value = [value, value];
    expect(() => snapshot(value)).toThrow(/one value too many/);
  });
});

describe("what is accepted", () => {
  it("drops members that are undefined or not enumerable, from what is shown and what runs alike", () => {
    const args = Object.defineProperty({ a: 1, b: undefined }, "hidden", { value: 2, enumerable: false });
    expect(Object.keys(snapshot(args) as object)).toEqual(["a"]);
  });

  it("writes -0 as 0", () => {
    expect(Object.is((snapshot([-0]) as number[])[0], 0)).toBe(true);
  });

  it("prototype-ids: __proto__ and constructor are kept as own members", () => {
    const args = JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":1},"a":1}');
    const copy = snapshot(args) as Record<string, unknown>;
    expect(Reflect.ownKeys(copy).sort()).toEqual(["__proto__", "a", "constructor"]);
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
    expect(copy.admin).toBeUndefined();
    expect(canonicalJson(copy)).toBe(canonicalJson(args));
  });

  it("the same object in two places is no cycle", () => {
    const shared = { id: 1 };
    expect(snapshot({ a: shared, b: [shared, shared] })).toEqual({ a: { id: 1 }, b: [{ id: 1 }, { id: 1 }] });
  });

  it("plain objects without a prototype", () => {
    expect(canonicalJson(snapshot(Object.assign(Object.create(null), { a: 1 })))).toBe('{"a":1}');
  });

  it.runIf(otherRealm)("plain objects of another realm", () => {
    const foreign = otherRealm?.("({ a: [1, { b: null }] })");
    expect(canonicalJson(snapshot(foreign))).toBe('{"a":[1,{"b":null}]}');
    expect(() => snapshot(otherRealm?.("new Date(0)"))).toThrow(/class Date/);
  });

  it("property: the snapshot of JSON is equal to it", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const copy = snapshot(value);
        expect(canonicalJson(copy)).toBe(canonicalJson(value));
        expect(canonicalJson(snapshot(copy))).toBe(canonicalJson(copy));
      }),
    );
  });

  it("property: whatever is passed, plain JSON or a ValidationError comes out", () => {
    const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSparseArray: true });
    fc.assert(
      fc.property(anything, (value) => {
        try {
          const copy = snapshot(value);
          expect(JSON.parse(canonicalJson(copy))).toEqual(copy);
        } catch (error) {
          if (!(error instanceof ValidationError)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});
