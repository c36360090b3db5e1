import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { covers, globMatcher } from "./glob.ts";

const cases: readonly (readonly [glob: string, name: string, matches: boolean])[] = [
  ["refund", "refund", true],
  ["refund", "Refund", false],
  ["refund", "refunds", false],
  ["*", "", true],
  ["*", "constructor", true],
  ["lookup*", "lookup", true],
  ["lookup*", "lookupOrder", true],
  ["lookup*", "xlookup", false],
  ["*_delete", "db_delete", true],
  ["a*a", "a", false],
  ["a*a", "aa", true],
  ["ab*ba", "aba", false],
  ["a**b", "ab", true],
  ["mcp.*.write", "mcp.files.write", true],
  ["mcp.*.write", "mcpxfiles.write", false],
  ["a?", "ab", false],
  ["[ab]", "a", false],
  ["*x*x*", "axb", false],
  ["*\n*", "a\nb", true],
];

/** The definition, without a thought for speed. */
function reference(glob: string, name: string): boolean {
  if (glob === "") return name === "";
  if (glob[0] !== "*") return glob[0] === name[0] && name !== "" && reference(glob.slice(1), name.slice(1));
  return reference(glob.slice(1), name) || (name !== "" && reference(glob, name.slice(1)));
}

describe("globs", () => {
  it.each(cases)("%j on %j: %j", (glob, name, matches) => {
    expect(globMatcher(glob)(name)).toBe(matches);
  });

  it("agree with the definition", () => {
    const glob = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 8 });
    const name = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 10 });
    fc.assert(
      fc.property(glob, name, (g, n) => globMatcher(g)(n) === reference(g, n)),
      { numRuns: 2000 },
    );
  });

  it("say they cover another glob only where they do", () => {
    const glob = fc.string({ unit: fc.constantFrom("a", "*"), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(glob, glob, fc.string({ unit: fc.constant("a"), maxLength: 6 }), (one, other, name) => {
        fc.pre(covers(one, other) && globMatcher(other)(name));
        return globMatcher(one)(name);
      }),
    );
  });

  it("end soon on names made against them", () => {
    expect(globMatcher(`${"*a".repeat(100)}*b`)("a".repeat(100_000))).toBe(false);
  });
});
