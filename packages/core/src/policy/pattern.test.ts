import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigurationError } from "../errors.ts";
import { textMatcher } from "./pattern.ts";
import type { Truth } from "./truth.ts";

/** Each takes a backtracking matcher years for some text. */
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
  "(?:(?:a{0,5}){0,5}){0,5}",
  "(\\w+\\s?)*",
  "^(([a-z])+.)+[A-Z]([a-z])+$",
  "(?<word>\\w+)*",
  "(a|b|ab)*c",
  ".*a.*b.*c",
  "[^a]*[^b]*[^c]*",
  "(?:(|a|)){150}",
  "(?:(?:\\b|a?){10}){10}",
];

const refused: readonly (readonly [pattern: string, why: RegExp])[] = [
  ["(?=a)a", /lookaround/],
  ["(?!a)b", /lookaround/],
  ["(?<=a)b", /lookaround/],
  ["(?<!a)b", /lookaround/],
  ["(?i:a)", /flags|not a regular/],
  ["(a)\\1", /backreference/],
  ["(?<n>a)\\k<n>", /backreference/],
  ["a{1001}", /too large/],
  ["a{0,2000}", /too large/],
  ["(a{1,1000}){1000}", /too large/],
  ["((((a{99}){99}){99}){99}){99}", /too large/],
  ["a{99999999999}", /too large/],
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
  ["\\uD83D\\uDE00", "😀", true],
  ["\\uD83D", "😀", false],
  ["\\x41\\cJ\\0\\/", "A\n\0/", true],
  ["^(?:^a$)$", "a", true],
  ["a$b", "ab", false],
  ["a\\bb|a\\B.", "a-", false],
  ["(?:){99999999999}a", "a", true],
  ["((a|a)*){0}", "a", false],
  [".*@.*\\.(com|de)", "a@b.c.de", true],
  ["(refund|credit):[a-z0-9-]+", "credit:a-1", true],
  ["DE\\d{20}", `DE${"1".repeat(20)}`, true],
  ["DE\\d{20}", `DE${"1".repeat(21)}`, false],
  [".{1,254}", "a".repeat(254), true],
  [".{1,254}", "a".repeat(255), false],
  ["a|", "a", true],
  ["(|)+|a", "a", true],
  ["a*", "a".repeat(1000), true],
  ["a*", "a".repeat(1001), null],
];

const hostile = [
  "a".repeat(1000),
  `${"a".repeat(999)}!`,
  `${"ab".repeat(499)}\n!`,
  `${"x".repeat(500)}${" ".repeat(499)}!`,
  "\n".repeat(1000),
];

/** So small that the matcher of the engine, which is asked as well, does not run away either. */
const { small } = fc.letrec<{ small: string; sequence: string; term: string; atom: string }>((tie) => ({
  small: fc.array(tie("sequence"), { minLength: 1, maxLength: 2 }).map((parts) => parts.join("|")),
  sequence: fc.array(tie("term"), { maxLength: 3 }).map((parts) => parts.join("")),
  term: fc.oneof(
    fc
      .tuple(tie("atom"), fc.constantFrom("", "*", "+", "?", "{2}", "{2,}", "{0,2}", "{1,2}?", "*?", "{0}"))
      .map((parts) => parts.join("")),
    fc.constantFrom("\\b", "\\B", "^", "$"),
  ),
  atom: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom("a", "b", "[ab]", ".", "\\w", "\\W", "[^b]", "😀", "\\u{1F600}", "\\uD83D", "\\n"),
    tie("small").map((inner) => `(${inner})`),
    tie("small").map((inner) => `(?:${inner})`),
    tie("small").map((inner) => `(?<n>${inner.replaceAll("?<n>", "")})`),
  ),
}));

function isPattern(source: string): boolean {
  try {
    return new RegExp(source, "u") instanceof RegExp;
  } catch {
    return false; // the same group name twice
  }
}

describe("patterns", () => {
  it.each(refused)("that cannot be judged throw: %s", (pattern, why) => {
    expect(() => textMatcher(pattern, "here")).toThrow(ConfigurationError);
    expect(() => textMatcher(pattern, "here")).toThrow(why);
  });

  it.each(matching)("match whole texts: %s", (pattern, text, result) => {
    expect(textMatcher(pattern, "here")(text)).toBe(result);
  });

  // A pattern that ran away would not come back within the life of the test run.
  it.each(runaway)("that would run away end soon on hostile texts: %s", { timeout: 60_000 }, (pattern) => {
    const matches = textMatcher(pattern, "here");
    for (const text of hostile) expect([true, false, null]).toContain(matches(text));
  });

  it("match what RegExp matches", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "-", "\n", "😀", "\uD83D"), maxLength: 5 });
    let matched = 0;
    fc.assert(
      fc.property(small, fc.array(text, { minLength: 5, maxLength: 5 }), (source, texts) => {
        fc.pre(isPattern(source) && source.length < 40);
        const matches = textMatcher(source, "here");
        for (const text of texts) {
          const plain = new RegExp(`^(?:${source})$`, "u").test(text);
          const dotAll = new RegExp(`^(?:${source})$`, "us").test(text);
          if (plain) matched++;
          expect(matches(text)).toBe(plain ? true : dotAll ? null : false);
        }
      }),
      { numRuns: 2000 },
    );
    expect(matched).toBeGreaterThan(500);
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
