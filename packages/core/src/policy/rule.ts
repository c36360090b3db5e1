/**
 * One rule: copied, checked and compiled. Guarantees that what is not understood is refused, by name, before
 * anything runs (threat `config-fail-open`), and that a rule in force is not the object the caller still holds.
 */
import { canonicalJson, type Json } from "../action/canonical.ts";
import { ConfigurationError } from "../errors.ts";
import { type Asking, type AskingContext, askingKeys, askingOf } from "./asking.ts";
import { compileCondition } from "./condition.ts";
import { globMatcher } from "./glob.ts";
import type { Subject } from "./path.ts";
import type { Decision } from "./policy.ts";
import type { Rule } from "./rules.ts";
import type { Truth } from "./truth.ts";

export interface CompiledRule {
  readonly matches: (tool: string) => boolean;
  /** Null where the rule has no condition. */
  readonly test: ((subject: Subject) => Truth) | null;
  readonly decision: Decision;
  /** What holds where the condition cannot be evaluated; null where the rule then does not match. */
  readonly indeterminate: Decision | null;
}

const ruleKeys: readonly string[] = ["tool", "when", "then", "reason", "relay", ...askingKeys];
const longestTool = 200;
const longestReason = 1000;
/** Past this a generated sentence names no conditions: it is read on a phone. */
const longestCondition = 300;

/** `#3 refund`: the rule's place, counted from 1, and its tool. */
export function ruleLabel(index: number, tool: string): string {
  return `#${index + 1} ${tool}`;
}

/** Copies a rule and checks the shape that all rules have. @throws ConfigurationError */
export function readRule(source: unknown, index: number): Rule {
  const rule = copied(source, index);
  const { tool } = rule;
  if (typeof tool !== "string" || tool.length > longestTool || tool.trim() !== tool || tool === "") {
    throw new ConfigurationError(
      `Rule #${index + 1}: tool has to be a tool's name or a glob such as 'lookup*', without spaces around it.`,
    );
  }
  const at = `Rule ${ruleLabel(index, tool)}`;
  for (const key of Object.keys(rule)) {
    if (!ruleKeys.includes(key)) {
      throw new ConfigurationError(
        `${at}: ${JSON.stringify(key)} is no key of a rule. Keys are ${ruleKeys.join(", ")}.`,
      );
    }
  }
  const { then, reason } = rule;
  if (then !== "allow" && then !== "ask" && then !== "deny") {
    throw new ConfigurationError(`${at}: then has to be 'allow', 'ask' or 'deny'.`);
  }
  if (reason !== undefined) {
    if (typeof reason !== "string" || reason.trim() === "" || reason.length > longestReason) {
      throw new ConfigurationError(
        `${at}: reason has to be a text of 1 to ${longestReason} characters. Leave it out to have one generated.`,
      );
    }
  }
  const misplaced = then === "ask" ? undefined : askingKeys.find((key) => Object.hasOwn(rule, key));
  if (misplaced !== undefined) {
    throw new ConfigurationError(
      `${at}: ${misplaced} says how to ask, but the rule's then is '${then}'. Remove it, or write then: 'ask'.`,
    );
  }
  if (rule.relay !== undefined && (then !== "allow" || rule.relay !== "required")) {
    throw new ConfigurationError(
      `${at}: relay can only be 'required', and only where then is 'allow'. Remove it: asking always needs the relay, denying never.`,
    );
  }
  return rule as unknown as Rule;
}

/** JSON there and back: what is no plain data throws, and getters or later changes have no say. */
function copied(source: unknown, index: number): { readonly [key: string]: Json } {
  let rule: Json;
  try {
    rule = JSON.parse(canonicalJson(source)) as Json;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "It could not be read.";
    throw new ConfigurationError(`Rule #${index + 1} is not plain data ($ is the rule): ${why}`, { cause });
  }
  if (typeof rule !== "object" || rule === null || Array.isArray(rule)) {
    throw new ConfigurationError(
      `Rule #${index + 1} has to be an object, for instance { tool: 'refund', then: 'ask' }.`,
    );
  }
  return rule as { readonly [key: string]: Json };
}

/** Compiles a rule that {@link readRule} returned. @throws ConfigurationError */
export function compileRule(rule: Rule, index: number, context: AskingContext): CompiledRule {
  const label = ruleLabel(index, rule.tool);
  const at = `Rule ${label}`;
  const condition = rule.when === undefined ? null : compileCondition(rule.when as Json, `${at}: when`);
  const asking = rule.then === "ask" ? askingOf(rule, at, context) : null;
  const reason = rule.reason ?? sentence(rule, condition?.text ?? null, asking);
  const decision = (...reasons: string[]): Decision => {
    const common = { rule: label, reasons: Object.freeze(reasons) };
    if (asking !== null) return Object.freeze({ outcome: "ask", ...common, ...asking });
    if (rule.then === "deny") return Object.freeze({ outcome: "deny", ...common });
    return Object.freeze({ outcome: "allow", ...common, relay: rule.relay === "required" });
  };
  return {
    matches: globMatcher(rule.tool),
    test: condition?.test ?? null,
    decision: decision(reason),
    indeterminate:
      rule.then === "allow"
        ? null
        : decision(
            reason,
            "A value in the rule's condition is missing or of another type, so the rule applies.",
          ),
  };
}

function sentence(rule: Rule, condition: string | null, asking: Asking | null): string {
  const shown =
    condition !== null && condition.length > longestCondition ? "what the rule describes" : condition;
  const subject = shown === null ? rule.tool : `${rule.tool} with ${shown}`;
  if (asking === null) return `${subject} is ${rule.then === "deny" ? "denied" : "allowed"}`;
  return `${subject} needs ${asking.quorum === 1 ? "an approval" : `${asking.quorum} approvals`}`;
}
