/** The options that plugins have in common, checked when tools are wrapped: a typo never switches the gate off (config-fail-open). */
import { ConfigurationError } from "../errors.ts";
import type { Guard } from "../gate/guard.ts";

export interface ToolOptionsSpec {
  /** Every option that there is. */
  readonly known: readonly string[];
  /** Names of the tools that `ungated` and `facts` may name; left out where they are not known yet. */
  readonly tools?: readonly string[];
}

interface Common {
  readonly guard?: Partial<Guard>;
  readonly mode?: unknown;
  readonly session?: unknown;
  readonly requester?: unknown;
  readonly facts?: Readonly<Record<string, unknown>>;
  readonly ungated?: readonly string[];
}

/** @throws ConfigurationError that names the function, the option, and what to do. */
export function checkToolOptions(who: string, options: object, spec: ToolOptionsSpec): void {
  const unknown = Object.keys(options).filter((key) => !spec.known.includes(key));
  if (unknown.length > 0) {
    throw new ConfigurationError(
      `${who} has no option ${unknown.join(", ")}. It knows: ${spec.known.join(", ")}.`,
    );
  }
  const { guard, facts = {}, ungated = [], ...given } = options as Common;
  if (typeof guard?.check !== "function") {
    throw new ConfigurationError(`${who} needs { guard }: what createGuard returned.`);
  }
  if (given.mode !== undefined && given.mode !== "suspend" && given.mode !== "wait") {
    throw new ConfigurationError(`${who}: mode is "suspend" or "wait", not ${String(given.mode)}.`);
  }
  for (const name of ["session", "requester"] as const) {
    if (given[name] !== undefined && typeof given[name] !== "string") {
      throw new ConfigurationError(`${who}: ${name} has to be a string, or left out.`);
    }
  }
  if (!Array.isArray(ungated)) throw new ConfigurationError(`${who}: ungated has to be a list of names.`);
  for (const name of [...ungated, ...Object.keys(facts)]) {
    if (spec.tools && !spec.tools.includes(name)) {
      throw new ConfigurationError(
        `${who}: there is no tool called ${name}. Is it misspelt in ungated or facts?`,
      );
    }
  }
  for (const [name, of] of Object.entries(facts)) {
    if (typeof of !== "function") {
      throw new ConfigurationError(`${who}: facts.${name} has to be a function of the tool's input.`);
    }
    if (ungated.includes(name)) {
      throw new ConfigurationError(
        `${who}: ${name} has facts and is ungated, so nobody would see them. Remove one of the two.`,
      );
    }
  }
}
