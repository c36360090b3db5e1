/**
 * Compiles a rule's `when` into closures, once. Guarantees that every condition which cannot be understood in
 * one way only throws: empty ones, operators beside names, lists where an object belongs.
 */
import type { Json, JsonObject } from "../action/canonical.ts";
import { ConfigurationError } from "../errors.ts";
import { type CompiledComparison, compileComparison, compileEquality, operatorNames } from "./comparison.ts";
import { lookup, parsePath, pathText, type Subject } from "./path.ts";
import { all, any, not, type Truth } from "./truth.ts";

/** A test of an action, and the words for it that come after "with". */
export interface CompiledCondition {
  readonly test: (subject: Subject) => Truth;
  readonly text: string;
}

/** Compiles a condition. `at` is how errors call it. @throws ConfigurationError */
export function compileCondition(condition: Json, at: string): CompiledCondition {
  return compileNode(condition, [], at);
}

function compileNode(node: Json, path: readonly string[], at: string): CompiledCondition {
  if (!isObject(node)) {
    if (typeof node === "object" && node !== null) {
      throw new ConfigurationError(
        `${at} is a list. Use eq to compare with a list, in to allow several values.`,
      );
    }
    if (path.length === 0) {
      throw new ConfigurationError(`${at} has to be an object, for instance { amount: { gt: 50 } }.`);
    }
    return compare(compileEquality(node), [node], path, at);
  }
  const keys = Object.keys(node);
  if (keys.length === 0) {
    throw new ConfigurationError(`${at} is empty. Leave it out to mean every call, or say what is compared.`);
  }
  const operators = keys.filter((key) => operatorNames.has(key));
  if (operators.length > 0) {
    if (path.length === 0) {
      throw new ConfigurationError(
        `${at}: ${operators[0]} compares nothing here. Put it under a name, or write args.${operators[0]} for an argument of that name.`,
      );
    }
    if (operators.length < keys.length) {
      throw new ConfigurationError(
        `${at} has operators (${operators.join(", ")}) beside names. Join them by all, or write a name with its path, as in '${pathText([...path, operators[0] as string])}'.`,
      );
    }
    return compare(compileComparison(node, at), expectedOf(node), path, at);
  }
  return joined(keys.map((key) => compileMember(key, node[key] as Json, path, `${at}.${key}`)));
}

function compileMember(key: string, value: Json, path: readonly string[], at: string): CompiledCondition {
  if (key === "not") {
    const { test, text } = compileNode(value, path, at);
    return { test: (subject) => not(test(subject)), text: `not (${text})` };
  }
  if (key === "all" || key === "any") {
    if (!Array.isArray(value) || value.length === 0 || !value.every(isObject)) {
      throw new ConfigurationError(
        `${at} has to be a list of at least one condition; an argument of that name is args.${key}.`,
      );
    }
    const parts = value.map((part, i) => compileNode(part, path, `${at}[${i}]`));
    if (key === "all" || parts.length === 1) return joined(parts);
    const text = parts.map((part) => part.text).join(" or ");
    return { test: any(parts.map((part) => part.test)), text: `(${text})` };
  }
  return compileNode(value, [...path, ...parsePath(key, at)], at);
}

function joined(parts: readonly CompiledCondition[]): CompiledCondition {
  return { test: all(parts.map((part) => part.test)), text: parts.map((part) => part.text).join(" and ") };
}

const risks: readonly Json[] = ["low", "medium", "high", "critical"];

function compare(
  comparison: CompiledComparison,
  expected: readonly Json[],
  path: readonly string[],
  at: string,
): CompiledCondition {
  const name = pathText(path);
  const find = lookup(path, at);
  if (name === "facts.risk" && !expected.every((value) => risks.includes(value))) {
    throw new ConfigurationError(`${at}: a risk is one of ${risks.join(", ")}.`);
  }
  const { test } = comparison;
  return { test: (subject) => test(find(subject)), text: comparison.text(name) };
}

/** The values that `eq` and `in` name. */
function expectedOf(operators: JsonObject): readonly Json[] {
  const one = operators.eq;
  const several = operators.in;
  return [...(one === undefined ? [] : [one]), ...(Array.isArray(several) ? several : [])];
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
