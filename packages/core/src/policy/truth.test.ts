import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { all, any, not, type Truth } from "./truth.ts";

const truth = fc.constantFrom<Truth>(true, false, null);
const truths = fc.array(truth, { minLength: 1, maxLength: 5 });
const conjunction = (values: readonly Truth[]) => all<null>(values.map((value) => () => value))(null);
const disjunction = (values: readonly Truth[]) => any<null>(values.map((value) => () => value))(null);

describe("indeterminate-condition: three-valued logic", () => {
  it("has its truth tables", () => {
    expect([true, false, null].map((value) => not(value as Truth))).toEqual([false, true, null]);
    expect(conjunction([true, null])).toBe(null);
    expect(conjunction([null, false])).toBe(false);
    expect(disjunction([false, null])).toBe(null);
    expect(disjunction([null, true])).toBe(true);
  });

  it("keeps De Morgan's laws", () => {
    fc.assert(fc.property(truths, (v) => not(conjunction(v)) === disjunction(v.map(not))));
    fc.assert(fc.property(truths, (v) => not(disjunction(v)) === conjunction(v.map(not))));
  });

  it("does not depend on order, repetition or grouping", () => {
    fc.assert(
      fc.property(truths, truths, (a, b) => {
        expect(conjunction([...a, ...b])).toBe(conjunction([...b, ...a, ...a]));
        expect(conjunction([conjunction(a), conjunction(b)])).toBe(conjunction([...a, ...b]));
        expect(disjunction([disjunction(a), disjunction(b)])).toBe(disjunction([...b, ...a, ...b]));
      }),
    );
  });

  it("learns only what stays true once the indeterminate is known", () => {
    fc.assert(
      fc.property(truths, fc.boolean(), (values, guess) => {
        const known = values.map((value) => value ?? guess);
        for (const join of [conjunction, disjunction]) {
          const before = join(values);
          if (before !== null) expect(join(known)).toBe(before);
        }
      }),
    );
  });
});
