/**
 * Regular expressions of policies. Guarantees that a pattern which is accepted ends soon on every text:
 * before it is compiled, the ways in which a backtracking matcher could try it are counted, and the characters
 * it could look at on all of them. Subjects are bounded too, so neither depends on what an agent sends.
 */
import { ConfigurationError } from "../errors.ts";
import type { Truth } from "./truth.ts";

/** Longest text that is matched, in UTF-16 code units, and so the most that `*` and `+` can repeat. */
const longestSubject = 1000;
const longestPattern = 1000;
/** Two unbounded repetitions, each of 0 to 1,000 characters. */
const mostPaths = (longestSubject + 1) ** 2;
const mostSteps = 10_000_000;
const lineBreak = /[\n\r\u2028\u2029]/;

/** Ways to match, and steps to try them all. */
interface Cost {
  readonly paths: number;
  readonly steps: number;
}

/** Compiles a pattern for whole texts. `at` is how the error calls it. @throws ConfigurationError */
export function textMatcher(pattern: string, at: string): (text: string) => Truth {
  if (pattern.length > longestPattern) {
    throw new ConfigurationError(
      `${at}: the pattern is longer than ${longestPattern} characters. Split it by any.`,
    );
  }
  // Compiled by itself first: `a)|(b` is no pattern, but would be one between the anchors' parentheses.
  compile(pattern, "u", at);
  const { dot } = measure(pattern, at);
  const plain = compile(`^(?:${pattern})$`, "u", at);
  const dotAll = compile(`^(?:${pattern})$`, "us", at);
  return (text) => {
    if (text.length > longestSubject) return null;
    if (plain.test(text)) return true;
    // A line break must not carry a command past `.*rm.*`, nor make `ls .*` allow a second line.
    return dot && lineBreak.test(text) && dotAll.test(text) ? null : false;
  };
}

function compile(pattern: string, flags: string, at: string): RegExp {
  try {
    const expression = new RegExp(pattern, flags);
    expression.test(""); // engines compile late: "too big" would else be thrown by the first decision
    return expression;
  } catch (cause) {
    throw new ConfigurationError(`${at}: not a regular expression with the flag u. Correct it.`, { cause });
  }
}

/** Counts paths and steps of a pattern whose syntax has been checked. @throws ConfigurationError */
function measure(pattern: string, at: string): { dot: boolean } {
  let position = 0;
  let dot = false;

  const refuse = (what: string, next: string) =>
    new ConfigurationError(`${at}: the pattern ${what}. ${next}`);

  const bounded = (paths: number, steps: number): Cost => {
    // Negated, so that NaN is refused as well.
    if (!(paths <= mostPaths && steps <= mostSteps)) {
      throw refuse(
        "can run away",
        "Use at most two of * and +, give the others bounds such as {1,20}, repeat no group that has choices, and write [ab] for (a|b).",
      );
    }
    return { paths, steps };
  };

  const alternatives = (): Cost => {
    let { paths, steps } = sequence();
    while (pattern[position] === "|") {
      position++;
      const next = sequence();
      paths += next.paths;
      steps += next.steps;
    }
    return bounded(paths, steps);
  };

  const sequence = (): Cost => {
    let cost: Cost = { paths: 1, steps: 1 };
    while (position < pattern.length && pattern[position] !== "|" && pattern[position] !== ")") {
      const next = quantified(atom());
      // What follows is tried once for each way to match what came before.
      cost = bounded(cost.paths * next.paths, cost.steps + cost.paths * next.steps);
    }
    return cost;
  };

  const atom = (): Cost => {
    const single: Cost = { paths: 1, steps: 1 };
    const char = pattern[position++];
    if (char === "(") return group();
    if (char === "[") {
      while (pattern[position] !== "]") position += pattern[position] === "\\" ? 2 : 1;
      position++;
    } else if (char === "\\") {
      const escaped = pattern[position++] as string;
      if (/[1-9k]/.test(escaped)) throw refuse("has a backreference", "Write out what is repeated.");
      if (/[pPu]/.test(escaped) && pattern[position] === "{") position = pattern.indexOf("}", position) + 1;
    } else if (char === ".") {
      dot = true;
    }
    return single;
  };

  const group = (): Cost => {
    if (pattern[position] === "?") {
      const name = /^\?<[^=!][^>]*>/u.exec(pattern.slice(position));
      if (pattern.startsWith("?:", position)) position += 2;
      else if (name !== null) position += name[0].length;
      else throw refuse("has a lookaround or inline flags", "Use a second condition: all, any, not.");
    }
    const cost = alternatives();
    position++;
    return cost;
  };

  const quantified = (body: Cost): Cost => {
    const [source, least, comma, most] =
      /^(?:[*+?]|\{([0-9]+)(,?)([0-9]*)\})\??/.exec(pattern.slice(position)) ?? [];
    if (source === undefined) return body;
    position += source.length;
    let min = source.startsWith("+") ? 1 : 0;
    let max = source.startsWith("?") ? 1 : longestSubject;
    if (least !== undefined) {
      min = Number(least);
      if (comma === "") max = min;
      else if (most !== "") max = Number(most);
    }
    if (min > longestSubject || max > longestSubject) {
      throw refuse(`repeats more than ${longestSubject} times`, `Texts end at ${longestSubject} characters.`);
    }
    // One way for each count of repetitions, times the ways of each repetition: the sum of paths^count.
    let paths = 0;
    let steps = 1;
    let ways = 1;
    for (let count = 0; count <= max && paths <= mostPaths; count++) {
      if (count >= min) paths += ways;
      if (count < max) steps += ways * body.steps;
      ways *= body.paths;
    }
    return bounded(paths, steps);
  };

  alternatives();
  return { dot };
}
