/**
 * Comparisons of one value. Guarantees that nothing is converted to be compared: a missing value or one of
 * another type is indeterminate, whatever the operator (`exists` always knows).
 */
import { canonicalJson, type Json, type JsonObject } from "../action/canonical.ts";
import { ConfigurationError } from "../errors.ts";
import { textMatcher } from "./pattern.ts";
import { all, any, type Truth } from "./truth.ts";

type Test = (value: unknown) => Truth;

/** A test, and how a sentence says it of the value's path. */
export interface CompiledComparison {
  readonly test: Test;
  readonly text: (path: string) => string;
}

const bounds: ReadonlyMap<string, { sign: string; holds: (value: number, bound: number) => boolean }> =
  new Map([
    ["gt", { sign: ">", holds: (value, bound) => value > bound }],
    ["gte", { sign: ">=", holds: (value, bound) => value >= bound }],
    ["lt", { sign: "<", holds: (value, bound) => value < bound }],
    ["lte", { sign: "<=", holds: (value, bound) => value <= bound }],
  ]);

export const operatorNames: ReadonlySet<string> = new Set([
  ...bounds.keys(),
  "eq",
  "in",
  "matches",
  "exists",
]);

/** Compiles an object all of whose keys are operators. `at` is how errors call it. @throws ConfigurationError */
export function compileComparison(operators: JsonObject, at: string): CompiledComparison {
  const names = Object.keys(operators);
  refuseImpossible(operators, names, at);
  const parts = names.map((name) => compileOperator(name, operators[name] as Json, `${at}.${name}`));
  return {
    test: all(parts.map((part) => part.test)),
    text: (path) => parts.map((part) => part.text(path)).join(" and "),
  };
}

/** A scalar in the place of operators. */
export function compileEquality(value: Json): CompiledComparison {
  const text = canonicalJson(value);
  return { test: equals(value), text: (path) => `${path} = ${text}` };
}

/** A condition that can never hold switches its rule off without a word (threat `config-fail-open`). */
function refuseImpossible(operators: JsonObject, names: readonly string[], at: string): void {
  const lowest = Math.max(numberOr(operators.gt, -Infinity), numberOr(operators.gte, -Infinity));
  const highest = Math.min(numberOr(operators.lt, Infinity), numberOr(operators.lte, Infinity));
  const open = operators.gt === lowest || operators.lt === highest;
  if (lowest > highest || (lowest === highest && open)) {
    throw new ConfigurationError(`${at}: no number is within these bounds. Use any for one or the other.`);
  }
  if (operators.exists === false && names.length > 1) {
    throw new ConfigurationError(
      `${at}: what does not exist cannot be compared. Use any for one or the other.`,
    );
  }
  if (names.includes("matches") && names.some((name) => bounds.has(name))) {
    throw new ConfigurationError(
      `${at}: no value is both a text and a number. Use any for one or the other.`,
    );
  }
}

function numberOr(value: Json | undefined, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}

function compileOperator(name: string, operand: Json, at: string): CompiledComparison {
  const shown = canonicalJson(operand);
  const bound = bounds.get(name);
  if (bound !== undefined) {
    if (typeof operand !== "number") {
      throw new ConfigurationError(`${at} has to be a number. Write it without quotes.`);
    }
    const { sign, holds } = bound;
    return {
      test: (value) => (typeof value === "number" && Number.isFinite(value) ? holds(value, operand) : null),
      text: (path) => `${path} ${sign} ${shown}`,
    };
  }
  if (name === "in") {
    if (!Array.isArray(operand) || operand.length === 0) {
      throw new ConfigurationError(`${at} has to be a list of at least one value.`);
    }
    return { test: any(operand.map(equals)), text: (path) => `${path} in ${shown}` };
  }
  if (name === "matches") {
    if (typeof operand !== "string") {
      throw new ConfigurationError(
        `${at} has to be a regular expression written as a text, without slashes.`,
      );
    }
    const matches = textMatcher(operand, at);
    return {
      test: (value) => (typeof value === "string" ? matches(value) : null),
      text: (path) => `${path} matching ${shown}`,
    };
  }
  if (name === "exists") {
    if (typeof operand !== "boolean") throw new ConfigurationError(`${at} has to be true or false.`);
    return {
      test: (value) => (value !== undefined) === operand,
      text: (path) => (operand ? `${path} given` : `${path} not given`),
    };
  }
  return compileEquality(operand);
}

function equals(expected: Json): Test {
  const type = jsonType(expected);
  if (type === "array" || type === "object") {
    const text = canonicalJson(expected);
    return (value) => (jsonType(value) === type ? canonicalJson(value) === text : null);
  }
  return (value) => (value === expected ? true : jsonType(value) === type ? false : null);
}

function jsonType(value: unknown): string | null {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isFinite(value) ? "number" : null;
  return typeof value === "object" || typeof value === "string" || typeof value === "boolean"
    ? typeof value
    : null;
}
