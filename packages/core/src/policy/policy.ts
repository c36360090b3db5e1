/**
 * The policy: decides by rules whether an action is allowed, asked or denied.
 *
 * Guarantees: the rules are copied, checked and compiled at construction, and nothing changes them afterwards
 * (threats `config-fail-open`, `runtime-override`); the first matching rule decides; what no rule matches is
 * asked, and denied where nobody could be asked.
 */
import { canonicalJson, type Json } from "../action/canonical.ts";
import type { Facts } from "../approval/request.ts";
import { digestOf } from "../crypto/hash.ts";
import { ConfigurationError } from "../errors.ts";
import { checkApprovers } from "./asking.ts";
import { milliseconds } from "./duration.ts";
import { covers } from "./glob.ts";
import type { Subject } from "./path.ts";
import { type CompiledRule, compileRule, readRule, ruleLabel } from "./rule.ts";
import type { PolicyDefaults, Rule } from "./rules.ts";

/** What a policy says about an action. Frozen, and the same object for every action that a rule decides alike. */
export type Decision =
  | {
      readonly outcome: "allow";
      /** `#3 refund` (counted from 1), or `default`. */
      readonly rule: string;
      /** At least one sentence. */
      readonly reasons: readonly string[];
      /** Whether the action runs only if the relay can be reached. */
      readonly relay: boolean;
    }
  | { readonly outcome: "deny"; readonly rule: string; readonly reasons: readonly string[] }
  | {
      readonly outcome: "ask";
      readonly rule: string;
      readonly reasons: readonly string[];
      /** Sorted, distinct, normalised. */
      readonly approvers: readonly string[];
      readonly quorum: number;
      readonly rejections: number;
      readonly editable: boolean;
      /** Milliseconds. */
      readonly expiresIn: number;
    };

export interface Policy {
  /** Digest of rules and defaults (43 characters): two policies of one version decide alike. */
  readonly version: string;
  /** Decides on an action whose arguments are the snapshot. Takes microseconds and reads nothing else. */
  decide(action: { readonly tool: string; readonly args: Json }, facts: Facts): Decision;
}

export interface PolicyOptions {
  /** Read from top to bottom; an empty list asks about everything. */
  readonly rules: readonly Rule[];
  /** Who is asked where a rule names nobody. Without them, what no rule matches is denied. */
  readonly approvers?: readonly string[];
  /** How long requests may be answered where a rule does not say: `'4h'` or milliseconds. 1 h by default. */
  readonly expiresIn?: string | number;
  /** Gives an identity its one spelling: the roster's. */
  readonly normalise: (identity: string) => string;
}

const optionNames: readonly string[] = ["rules", "approvers", "expiresIn", "normalise"];

/**
 * Builds a policy from rules.
 * @throws ConfigurationError naming the rule (`#3 refund`, counted from 1) and what to do about it.
 */
export function createPolicy(options: PolicyOptions): Policy {
  const unknown = Object.keys(options).find((key) => !optionNames.includes(key));
  if (unknown !== undefined) {
    throw new ConfigurationError(`Policy: ${unknown} is no option. Options are ${optionNames.join(", ")}.`);
  }
  const { rules, normalise } = options;
  if (!Array.isArray(rules)) throw new ConfigurationError("Policy: rules have to be a list.");
  if (typeof normalise !== "function")
    throw new ConfigurationError("Policy: normalise has to be a function.");

  const approvers =
    options.approvers === undefined ? [] : checkApprovers(options.approvers, normalise, "Policy: approvers");
  const expiresIn = milliseconds(options.expiresIn ?? "1h", "Policy: expiresIn");
  const defaults: Required<PolicyDefaults> & { expiresIn: number } = { approvers, expiresIn };

  const read = Array.from(rules as readonly unknown[], readRule);
  refuseUnreachable(read);
  const compiled = read.map((rule, i) => compileRule(rule, i, { defaults, normalise }));
  const fallback = decisionWithoutRule(defaults);
  return Object.freeze({
    version: digestOf(canonicalJson({ rules: read, defaults })),
    decide: (action: { readonly tool: string; readonly args: Json }, facts: Facts) =>
      decide(compiled, fallback, action.tool, { args: action.args, facts }),
  });
}

function decide(
  rules: readonly CompiledRule[],
  fallback: Decision,
  tool: string,
  subject: Subject,
): Decision {
  for (const rule of rules) {
    if (!rule.matches(tool)) continue;
    const truth = rule.test === null ? true : rule.test(subject);
    if (truth === true) return rule.decision;
    if (truth === null && rule.indeterminate !== null) return rule.indeterminate;
  }
  return fallback;
}

function decisionWithoutRule({
  approvers,
  expiresIn,
}: {
  approvers: readonly string[];
  expiresIn: number;
}): Decision {
  if (approvers.length === 0) {
    const reasons = [
      "No rule of the policy matches this action, and the policy has no approvers who could be asked.",
    ];
    return Object.freeze({ outcome: "deny", rule: "default", reasons: Object.freeze(reasons) });
  }
  const reasons = ["No rule of the policy matches this action, so it needs an approval."];
  return Object.freeze({
    outcome: "ask",
    rule: "default",
    reasons: Object.freeze(reasons),
    approvers: Object.freeze([...approvers]),
    quorum: 1,
    rejections: 1,
    editable: true,
    expiresIn,
  });
}

/** A rule that stands behind one which takes everything it could match is a mistake, and often an opening. */
function refuseUnreachable(rules: readonly Rule[]): void {
  const taken: { readonly tool: string; readonly label: string }[] = [];
  for (const [i, rule] of rules.entries()) {
    const label = ruleLabel(i, rule.tool);
    const earlier = taken.find((other) => covers(other.tool, rule.tool));
    if (earlier !== undefined) {
      throw new ConfigurationError(
        `Rule ${label} can never decide, because rule ${earlier.label} comes first and has no condition. Move it up or remove it.`,
      );
    }
    if (rule.when === undefined) taken.push({ tool: rule.tool, label });
  }
}
