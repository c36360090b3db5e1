import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isGuardError, ValidationError } from "../errors.ts";
import { canonicalJson, maxDepth, parseCanonical, pathOf } from "./canonical.ts";

const nested = (depth: number) => {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
};

function refusal(act: () => unknown): ValidationError {
  try {
    act();
  } catch (error) {
    if (error instanceof ValidationError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

// RFC 8785 appendix B: IEEE 754 bits and their text.
const numbers = [
  ["0000000000000000", "0"],
  ["8000000000000000", "0"],
  ["0000000000000001", "5e-324"],
  ["8000000000000001", "-5e-324"],
  ["7fefffffffffffff", "1.7976931348623157e+308"],
  ["ffefffffffffffff", "-1.7976931348623157e+308"],
  ["4340000000000000", "9007199254740992"],
  ["c340000000000000", "-9007199254740992"],
  ["4430000000000000", "295147905179352830000"],
  ["44b52d02c7e14af5", "9.999999999999997e+22"],
  ["44b52d02c7e14af6", "1e+23"],
  ["44b52d02c7e14af7", "1.0000000000000001e+23"],
  ["444b1ae4d6e2ef4e", "999999999999999700000"],
  ["444b1ae4d6e2ef4f", "999999999999999900000"],
  ["444b1ae4d6e2ef50", "1e+21"],
  ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
  ["3eb0c6f7a0b5ed8d", "0.000001"],
  ["41b3de4355555553", "333333333.3333332"],
  ["41b3de4355555554", "333333333.33333325"],
  ["41b3de4355555555", "333333333.3333333"],
  ["41b3de4355555556", "333333333.3333334"],
  ["41b3de4355555557", "333333333.33333343"],
  ["becbf647612f3696", "-0.0000033333333333333333"],
  ["43143ff3c1cb0959", "1424953923781206.2"],
] as const;

describe("RFC 8785", () => {
  it.each(numbers)("writes the number %s as %s (appendix B)", (bits, text) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(`0x${bits}`));
    expect(canonicalJson(view.getFloat64(0))).toBe(text);
  });

  it("orders keys by UTF-16 code units, not by code points or as integers", () => {
    const value = { "\ufb33": 1, "\u{1f600}": 2, "\u20ac": 3, 10: 4, 9: 5, "": 6 };
    expect(canonicalJson(value)).toBe('{"":6,"10":4,"9":5,"€":3,"😀":2,"\ufb33":1}');
  });

  it("escapes what JSON has to escape and nothing else", () => {
    expect(canonicalJson('\b\t\n\f\r\0\u001f\u007f\u2028</\\"')).toBe(
      '"\\b\\t\\n\\f\\r\\u0000\\u001f\u007f\u2028</\\\\\\""',
    );
  });
});

describe("canonical-confusion: what JSON cannot hold is refused by its path", () => {
  it.each([
    ["NaN", { a: [Number.NaN] }, "$.a[0]"],
    ["Infinity", { a: -Infinity }, "$.a"],
    ["a BigInt", { "odd key": 1n }, '$["odd key"]'],
    ["undefined", { a: undefined }, "$.a"],
    ["an array's hole", Object.assign([1], { 2: 2 }), "$[1]"],
    ["a function", [() => 1], "$[0]"],
    ["a symbol", { a: Symbol("a") }, "$.a"],
    ["a symbol as key", { a: { [Symbol("b")]: 1 } }, "$.a"],
    ["a Date", { at: new Date(0) }, "$.at"],
    ["a Map", new Map(), "$"],
    ["an instance of a class", { a: new (class A {})() }, "$.a"],
    ["a lone surrogate", { a: "x\ud800" }, "$.a"],
    ["a lone surrogate in a key", { a: { "\udead": 1 } }, "$.a"],
  ])("%s", (_name, value, path) => {
    expect(refusal(() => canonicalJson(value)).path).toBe(path);
  });

  it("bounds depth, cycles included", () => {
    expect(canonicalJson(nested(maxDepth))).toHaveLength(2 * maxDepth + 1);
    const error = refusal(() => canonicalJson(nested(maxDepth + 1)));
    expect(error.path).toBe(`$${"[0]".repeat(maxDepth)}`);
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    expect(refusal(() => canonicalJson(cycle)).message).toContain("deeper");
  });
});

describe("canonical-confusion: a text has one reading", () => {
  it.each([
    ["a duplicate key", '{"amount":1,"amount":9}'],
    ["a duplicate key in disguise", '{"a":1,"\\u0061":1}'],
    ["white space", '{"a": 1}'],
    ["a final newline", '{"a":1}\n'],
    ["a byte order mark", '\ufeff{"a":1}'],
    ["another spelling of 1", "1.0"],
    ["an exponent", "1e0"],
    ["minus zero", "-0"],
    ["a number past precision", "9007199254740993"],
    ["a number past range", "1e999"],
    ["another key order", '{"b":1,"a":2}'],
    ["an escape without need", '"\\u0041"'],
    ["an upper-case escape", '"\\u001F"'],
    ["an escaped slash", '"\\/"'],
    ["an escaped lone surrogate", '"\\ud800"'],
    ["two __proto__", '{"__proto__":1,"__proto__":2}'],
    ["nothing", ""],
    ["a cut text", '{"a":'],
    ["two values", "1 2"],
    ["a comment", "1//"],
    ["too deep", "[".repeat(100_000) + "]".repeat(100_000)],
  ])("%s is refused", (_name, text) => {
    expect(refusal(() => parseCanonical(text))).toBeInstanceOf(ValidationError);
  });

  it("prototype-ids: __proto__ and constructor are members like others", () => {
    const text = '{"__proto__":{"admin":true},"constructor":1}';
    const value = parseCanonical(text) as Record<string, unknown>;
    expect(Object.hasOwn(value, "__proto__")).toBe(true);
    expect(value.admin).toBeUndefined();
    expect(canonicalJson(value)).toBe(text);
  });

  it("secret-leak: an error quotes nothing of the text", () => {
    const error = refusal(() => parseCanonical('{"seed":"hunter2hunter2"x}'));
    expect(`${error.message}${error.stack}${String(error.cause)}`).not.toContain("hunter2");
  });
});

const json = fc.jsonValue({ noUnicodeString: false });

describe("properties", () => {
  it("what is written reads back as the same value", () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(parseCanonical(text))).toBe(text);
        expect(parseCanonical(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("does not depend on the order of insertion", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), json), fc.infiniteStream(fc.nat()), (record, weights) => {
        const shuffled = Object.entries(record)
          .map((entry) => [weights.next().value as number, entry] as const)
          .sort(([a], [b]) => a - b)
          .map(([, entry]) => entry);
        expect(canonicalJson(Object.fromEntries(shuffled))).toBe(canonicalJson(record));
      }),
    );
  });

  it("whatever the text: its own canonical form, or a ValidationError", () => {
    const fragment = fc.constantFrom(...'{}[],:"\\0123456789-+.eEutrfalsn \n', "__proto__", "\ud800", "null");
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(fragment).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, (text) => {
        try {
          expect(canonicalJson(parseCanonical(text))).toBe(text);
        } catch (error) {
          if (!isGuardError(error, "validation")) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("a path reads as code", () => {
    expect(pathOf([])).toBe("$");
    expect(pathOf(["a", 3])).toBe("$.a[3]");
    expect(pathOf(['a"b'])).toBe('$["a\\"b"]');
  });
});
