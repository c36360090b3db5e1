/**
 * Regular expressions of policies. Guarantees that matching ends soon for every pattern and every text: texts
 * are bounded, `RegExp` only checks the syntax, and an automaton that cannot backtrack does the matching.
 */
import { ConfigurationError } from "../errors.ts";
import { automaton } from "./automaton.ts";
import type { Truth } from "./truth.ts";

/** In UTF-16 code units. */
const longestText = 1000;
const longestPattern = 1000;
const lineBreak = /[\n\r\u2028\u2029]/;

/** Compiles a pattern for whole texts. `at` is how the error calls it. @throws ConfigurationError */
export function textMatcher(pattern: string, at: string): (text: string) => Truth {
  if (pattern.length > longestPattern) {
    throw new ConfigurationError(
      `${at}: the pattern is longer than ${longestPattern} characters. Split it by any.`,
    );
  }
  try {
    new RegExp(pattern, "u");
  } catch (cause) {
    throw new ConfigurationError(`${at}: not a regular expression with the flag u. Correct it.`, { cause });
  }
  const plain = automaton(pattern, "u", at);
  const dotAll = automaton(pattern, "us", at);
  return (text) => {
    if (text.length > longestText) return null;
    if (plain(text)) return true;
    // A line break must not carry a command past `.*rm.*`, nor make `ls .*` allow a second line.
    return lineBreak.test(text) && dotAll(text) ? null : false;
  };
}
