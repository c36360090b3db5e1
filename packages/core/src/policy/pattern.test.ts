import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigurationError } from "../errors.ts";
import { textMatcher } from "./pattern.ts";
import type { Truth } from "./truth.ts";

const runaway = [
  "(a+)+",
  "(a*)*",
  "(.*)*",
  "(a|a)*",
  "(a|aa)+",
  "(a?){30}a{30}",
  "(?:a?a?){20}",
  "\\s*\\s*\\s*\\s*$",
  "(x+x+)+y",
  "([a-zA-Z]+)*",
  "(?:(?:a{0,9}){0,9}){0,9}",
  "(\\w+\\s?)*",
  "^(([a-z])+.)+[A-Z]([a-z])+$",
  "(?<word>\\w+)*",
  "(a|b|ab)*c",
  ".*a.*b.*c",
  "((a|a)*){0}",
  "(a{1,1000}){1000}",
  "[^a]*[^b]*[^c]*",
];

const refused: readonly (readonly [pattern: string, why: RegExp])[] = [
  ["(?=a)a", /lookaround/],
  ["(?!a)b", /lookaround/],
  ["(?<=a)b", /lookaround/],
  ["(?<!a)b", /lookaround/],
  ["(?i:a)", /flags|not a regular/],
  ["(a)\\1", /backreference/],
  ["(?<n>a)\\k<n>", /backreference/],
  ["a{1001}", /more than 1000/],
  ["a{0,2000}", /more than 1000/],
  ["(", /not a regular expression/],
  ["a)|(?:b", /not a regular expression/],
  ["a{,5", /not a regular expression/],
  ["[b-a]", /not a regular expression/],
  ["a".repeat(1001), /longer/],
];

const matching: readonly (readonly [pattern: string, text: string, result: Truth])[] = [
  ["DE|FR", "DE", true],
  ["DE|FR", "DEX", false],
  ["DE|FR", "XFR", false],
  ["", "", true],
  ["", "a", false],
  ["[a-z]+@example\\.com", "alice@example.com", true],
  ["[a-z]+@example\\.com", "alice@example.com.evil.org", false],
  ["[a-z]+@example\\.com", "alice@example.com\n", false],
  ["\\d+(\\.\\d{1,2})?", "10.25", true],
  ["(?:a|b){3}", "aba", true],
  ["(?<year>\\d{4})-\\d{2}", "2026-01", true],
  ["[\\]()*+]{2}", ")*", true],
  ["\\u{1F600}+", "😀😀", true],
  ["\\p{Lu}\\p{Ll}*?", "Äb", true],
  ["[(|)]*", "(|)", true],
  [".", "😀", true],
  [".*rm.*", "x; rm y", true],
  [".*rm.*", "ls", false],
  [".*rm.*", "ls\nls", false],
  [".*rm.*", "ls\nrm -rf /", null],
  ["ls .*", "ls a\nrm -rf /", null],
  ["[\\s\\S]*", "a\nb", true],
  ["a*", "a".repeat(1000), true],
  ["a*", "a".repeat(1001), null],
];

describe("patterns", () => {
  it.each(runaway)("that can run away throw: %s", (pattern) => {
    expect(() => textMatcher(pattern, "here")).toThrow(ConfigurationError);
    expect(() => textMatcher(pattern, "here")).toThrow(/here: the pattern can run away/);
  });

  it.each(refused)("that cannot be judged throw: %s", (pattern, why) => {
    expect(() => textMatcher(pattern, "here")).toThrow(ConfigurationError);
    expect(() => textMatcher(pattern, "here")).toThrow(why);
  });

  it.each(matching)("match whole texts: %s", (pattern, text, result) => {
    expect(textMatcher(pattern, "here")(text)).toBe(result);
  });

  // A pattern that ran away would not come back within the life of the test run.
  it("that are accepted end soon on hostile texts", { timeout: 60_000 }, () => {
    const { pattern } = fc.letrec<{ pattern: string; sequence: string; term: string; atom: string }>(
      (tie) => ({
        pattern: fc.array(tie("sequence"), { minLength: 1, maxLength: 3 }).map((parts) => parts.join("|")),
        sequence: fc.array(tie("term"), { maxLength: 4 }).map((parts) => parts.join("")),
        term: fc
          .tuple(
            tie("atom"),
            fc.constantFrom("", "", "*", "+", "?", "{2}", "{3,}", "{0,9}", "{18}", "{300}", "*?"),
          )
          .map((parts) => parts.join("")),
        atom: fc.oneof(
          { depthSize: "small", withCrossShrink: true },
          fc.constantFrom("a", "a", "[ab]", ".", "\\w", "\\b", "[^b]"),
          tie("pattern").map((inner) => `(${inner})`),
          tie("pattern").map((inner) => `(?:${inner})`),
        ),
      }),
    );
    const hostile = [
      "a".repeat(1000),
      `${"a".repeat(999)}!`,
      `${"ab".repeat(499)}\n!`,
      `${"a".repeat(30)}!`,
      "\n".repeat(1000),
    ];
    let accepted = 0;
    fc.assert(
      fc.property(pattern, (source) => {
        let matches: (text: string) => Truth;
        try {
          matches = textMatcher(source, "here");
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigurationError);
          return;
        }
        accepted++;
        for (const text of hostile) matches(text);
      }),
      { numRuns: 1000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it("of any characters throw or build", () => {
    const any = fc.oneof(
      fc.string({ unit: "binary", maxLength: 30 }),
      fc.string({ unit: fc.constantFrom(..."ab()[]{}?*+|\\.^$,0129:<>=!kup-"), maxLength: 14 }),
    );
    fc.assert(
      fc.property(any, (source) => {
        try {
          textMatcher(source, "here")("a".repeat(200));
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigurationError);
        }
      }),
      { numRuns: 5000 },
    );
  });
});
