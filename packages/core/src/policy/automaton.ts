/**
 * Whole-text matching of regular expressions without backtracking (Thompson's simulation). Guarantees that each
 * state is followed at most once for each character of a text, so that no pattern can run away, and that the
 * answer is the one of `RegExp`, which is still asked what a single character is.
 */
import { ConfigurationError } from "../errors.ts";

/** A text of 1,000 characters then follows half a million states at worst. Enough for `.{1,254}`. */
const mostStates = 512;

/** Says whether a state lets the match through, between two characters of the text. */
type Allows = (before: string | undefined, after: string | undefined) => boolean;

interface State {
  readonly allows: Allows;
  /** Whether the match goes on behind the character after it. */
  readonly takes: boolean;
  readonly next: readonly number[];
}

/** Adds the states that match a part of the pattern and then go on at `next`; returns the first of them. */
type Part = (next: number) => number;

const isWord = (char: string | undefined) => char !== undefined && /\w/.test(char);

const always: Allows = () => true;
const places: ReadonlyMap<string, Allows> = new Map<string, Allows>([
  ["^", (before) => before === undefined],
  ["$", (_before, after) => after === undefined],
  ["\\b", (before, after) => isWord(before) !== isWord(after)],
  ["\\B", (before, after) => isWord(before) === isWord(after)],
]);

/** One atom that is no group: a class, an escape (two that make a surrogate pair are one), or a character. */
const single =
  /\[(?:\\.|[^\]\\])*\]|\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u\{[^}]*\}|u.{4}|x..|c.|[pP]\{[^}]*\}|.)|./suy;
const opening = /\((?:\?:|\?<[^=!][^>]*>|(?!\?))/uy;
const quantifier = /(?:[*+?]|\{(\d+)(,?)(\d*)\})\??/uy;

/**
 * Builds the matcher of a pattern that is known to be correct with the flag u. `at` is how errors call it.
 * @throws ConfigurationError for lookarounds, inline flags, backreferences and patterns with too many states
 */
export function automaton(pattern: string, flags: "u" | "us", at: string): (text: string) => boolean {
  const states: State[] = [];
  const end = add({ allows: always, takes: false, next: [] });
  const start = parse(pattern, flags, at, add)(end);
  return (text) => simulate(states, start, end, text);

  function add(state: State): number {
    if (states.length === mostStates) {
      throw new ConfigurationError(
        `${at}: the pattern is too large with its repetitions written out. Give them lower bounds, or use * and +.`,
      );
    }
    return states.push(state) - 1;
  }
}

function simulate(states: readonly State[], start: number, end: number, text: string): boolean {
  const characters = [...text];
  // The position at which a state was last followed: once for each is enough.
  const followed = new Int32Array(states.length).fill(-1);
  let current = [start];
  for (let position = 0; position <= characters.length; position++) {
    const following: number[] = [];
    // The list grows while it is read, by what is reached without taking the character.
    for (const index of current) {
      if (followed[index] === position) continue;
      followed[index] = position;
      const { allows, takes, next } = states[index] as State;
      if (!allows(characters[position - 1], characters[position])) continue;
      const list = takes ? following : current;
      for (const state of next) list.push(state);
    }
    current = following;
  }
  return followed[end] === characters.length;
}

function parse(pattern: string, flags: string, at: string, add: (state: State) => number): Part {
  const characters = new Map<string, Allows>();
  let position = 0;
  return alternatives();

  function read(token: RegExp): RegExpExecArray | null {
    token.lastIndex = position;
    const found = token.exec(pattern);
    position += found?.[0].length ?? 0;
    return found;
  }

  function alternatives(): Part {
    const parts = [sequence()];
    while (pattern[position] === "|") {
      position++;
      parts.push(sequence());
    }
    const [only] = parts;
    if (only !== undefined && parts.length === 1) return only;
    return (next) => either(...parts.map((part) => part(next)));
  }

  function sequence(): Part {
    const parts: Part[] = [];
    while (position < pattern.length && pattern[position] !== "|" && pattern[position] !== ")") {
      parts.push(quantified(atom()));
    }
    return (next) => parts.reduceRight((following, part) => part(following), next);
  }

  function atom(): Part {
    if (read(opening) !== null) {
      const inner = alternatives();
      position++;
      return inner;
    }
    const source = read(single)?.[0] ?? "";
    if (source === "(")
      throw refusal("a lookaround or inline flags", "Use a second condition: all, any, not.");
    if (/^\\[1-9k]/.test(source)) throw refusal("a backreference", "Write out what is repeated.");
    const place = places.get(source);
    if (place !== undefined) return (next) => add({ allows: place, takes: false, next: [next] });
    const allows = characters.get(source) ?? character(source, flags);
    characters.set(source, allows);
    return (next) => add({ allows, takes: true, next: [next] });
  }

  function quantified(part: Part): Part {
    const found = read(quantifier);
    if (found === null) return part;
    const [source, least, comma, most] = found;
    const min = least === undefined ? (source.startsWith("+") ? 1 : 0) : Number(least);
    if (least === undefined ? !source.startsWith("?") : comma !== "" && most === "") {
      return (next) => times(part, min, repeated(part, next));
    }
    const max = least === undefined ? 1 : comma === "" ? min : Number(most);
    return (next) =>
      times(
        part,
        min,
        times((inner) => optional(part, inner, next), max - min, next),
      );
  }

  function repeated(part: Part, next: number): number {
    const ways = [next];
    const loop = add({ allows: always, takes: false, next: ways });
    ways.push(part(loop));
    return loop;
  }

  function optional(part: Part, inner: number, next: number): number {
    const first = part(inner);
    return first === inner ? inner : either(first, next);
  }

  /** Distinct, or empty alternatives would be followed without a state having been counted for them. */
  function either(...ways: number[]): number {
    return add({ allows: always, takes: false, next: [...new Set(ways)] });
  }

  function refusal(what: string, instead: string): ConfigurationError {
    return new ConfigurationError(`${at}: the pattern has ${what}. ${instead}`);
  }
}

/** Chains copies of a part. One that adds no state matches nothing, however often. */
function times(part: Part, count: number, next: number): number {
  let first = next;
  for (let copy = 0; copy < count; copy++) {
    const added = part(first);
    if (added === first) break;
    first = added;
  }
  return first;
}

/** What one atom takes. `RegExp` says what classes and escapes mean, on one character at a time. */
function character(source: string, flags: string): Allows {
  if (!/^[.[\\]/.test(source)) return (_before, after) => after === source;
  const expression = new RegExp(`^(?:${source})$`, flags);
  // All states that share the atom ask about the same character, one after the other: it is judged once.
  let asked: string | undefined;
  let answer = false;
  return (_before, after) => {
    if (after !== asked) {
      asked = after;
      answer = after !== undefined && expression.test(after);
    }
    return answer;
  };
}
