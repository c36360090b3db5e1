/**
 * Paths of conditions. Guarantees own-property look-ups only (threat `prototype-ids`): `constructor`,
 * `__proto__` and a list's `length` are found where the arguments themselves hold them, else missing.
 */
import type { Json } from "../action/canonical.ts";
import type { Facts } from "../approval/request.ts";
import { ConfigurationError } from "../errors.ts";

/** What conditions are evaluated on. */
export interface Subject {
  readonly args: Json;
  readonly facts: Facts;
}

const facts: Record<keyof Facts, true> = {
  risk: true,
  operation: true,
  sensitivity: true,
  systems: true,
  title: true,
  summary: true,
  metadata: true,
};

/** Splits `a.b\.c.0` into `a`, `b.c`, `0`. @throws ConfigurationError */
export function parsePath(key: string, at: string): string[] {
  const members: string[] = [];
  let member = "";
  for (let i = 0; i <= key.length; i++) {
    const char = key[i];
    if (char === undefined || char === ".") {
      if (member === "") {
        throw new ConfigurationError(`${at}: ${JSON.stringify(key)} names an empty member; remove the dot.`);
      }
      members.push(member);
      member = "";
    } else if (char === "\\") {
      const next = key[++i];
      if (next !== "." && next !== "\\") {
        throw new ConfigurationError(
          `${at}: in ${JSON.stringify(key)} a backslash stands before neither a dot nor a backslash; double it.`,
        );
      }
      member += next;
    } else {
      member += char;
    }
  }
  return members;
}

/** The path as it would be written in one key. */
export function pathText(path: readonly string[]): string {
  return path.map((member) => member.replace(/[\\.]/g, "\\$&")).join(".");
}

/** Compiles a path into a look-up that gives undefined for what is missing. @throws ConfigurationError */
export function lookup(path: readonly string[], at: string): (subject: Subject) => unknown {
  const head = path[0];
  if (head === "facts") {
    const name = path[1];
    if (name === undefined || !Object.hasOwn(facts, name)) {
      throw new ConfigurationError(
        `${at}: there is no such fact. Facts are ${Object.keys(facts).join(", ")}; an argument called facts is args.facts.`,
      );
    }
    const members = path.slice(1);
    return (subject) => walk(subject.facts, members);
  }
  const members = head === "args" ? path.slice(1) : path;
  return (subject) => walk(subject.args, members);
}

const index = /^(?:0|[1-9][0-9]{0,9})$/;

function walk(root: unknown, members: readonly string[]): unknown {
  let value = root;
  for (const member of members) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, member)) return undefined;
    if (Array.isArray(value) && !index.test(member)) return undefined;
    value = (value as Record<string, unknown>)[member];
  }
  return value;
}
