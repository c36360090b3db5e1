/**
 * Whom a rule asks, and what answers it takes. Guarantees a quorum that the approvers can reach by distinct
 * people (threats `threshold-zero`, `one-person-quorum`), within the limits of terms on the wire.
 */
import { ConfigurationError } from "../errors.ts";
import { milliseconds } from "./duration.ts";
import type { Rule } from "./rules.ts";

/** How to ask. `approvers` are normalised, distinct and sorted; `expiresIn` is in milliseconds. */
export interface Asking {
  readonly approvers: readonly string[];
  readonly quorum: number;
  readonly rejections: number;
  readonly editable: boolean;
  readonly expiresIn: number;
}

export interface AskingContext {
  readonly defaults: { readonly approvers: readonly string[]; readonly expiresIn: number };
  readonly normalise: (identity: string) => string;
}

/** The keys of a rule that only make sense where it asks. */
export const askingKeys = ["approvers", "quorum", "rejections", "editable", "expiresIn"] as const;

const mostApprovers = 100;
const longestIdentity = 320;

/** Completes a rule's terms from the defaults. @throws ConfigurationError */
export function askingOf(rule: Rule, at: string, { defaults, normalise }: AskingContext): Asking {
  const approvers =
    rule.approvers === undefined
      ? defaults.approvers
      : checkApprovers(rule.approvers, normalise, `${at}: approvers`);
  if (approvers.length === 0) {
    throw new ConfigurationError(
      `${at} asks, but nobody is named. Give the rule approvers, or the policy approvers for all rules.`,
    );
  }
  const quorum = count(rule.quorum, `${at}: quorum`);
  if (quorum > approvers.length) {
    throw new ConfigurationError(
      `${at}: quorum is ${quorum}, but only ${approvers.length} can answer. Lower it or name more approvers.`,
    );
  }
  const rejections = count(rule.rejections, `${at}: rejections`);
  const most = approvers.length - quorum + 1;
  if (rejections > most) {
    throw new ConfigurationError(
      `${at}: rejections is ${rejections}, but ${most} already make the quorum of ${quorum} impossible. Use ${most} or less.`,
    );
  }
  const editable: unknown = rule.editable ?? true;
  if (typeof editable !== "boolean") {
    throw new ConfigurationError(`${at}: editable has to be true or false, without quotes.`);
  }
  const expiresIn = milliseconds(rule.expiresIn ?? defaults.expiresIn, `${at}: expiresIn`);
  return { approvers, quorum, rejections, editable, expiresIn };
}

function count(value: unknown = 1, at: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1) {
    throw new ConfigurationError(
      `${at} has to be a whole number of at least 1. It is 1 where it is left out.`,
    );
  }
  return value;
}

/** Normalises and sorts a list of approvers. @throws ConfigurationError also where a person is named twice. */
export function checkApprovers(
  value: unknown,
  normalise: (identity: string) => string,
  at: string,
): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > mostApprovers) {
    throw new ConfigurationError(`${at} have to be a list of 1 to ${mostApprovers} identities.`);
  }
  const approvers = Array.from(value as readonly unknown[], (identity, i) => {
    if (typeof identity !== "string") throw new ConfigurationError(`${at}[${i}] has to be a text.`);
    const normal = normalised(identity, normalise, `${at}[${i}]`);
    if (typeof normal !== "string" || normal === "" || normal.length > longestIdentity) {
      throw new ConfigurationError(
        `${at}[${i}] has to be an identity of 1 to ${longestIdentity} characters, as it was invited.`,
      );
    }
    return normal;
  });
  const twice = approvers.findIndex((identity, i) => approvers.indexOf(identity) < i);
  if (twice >= 0) {
    throw new ConfigurationError(`${at}[${twice}] is named before. One person counts once: remove it.`);
  }
  return Object.freeze(approvers.sort());
}

function normalised(identity: string, normalise: (identity: string) => string, at: string): unknown {
  try {
    return normalise(identity);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "it was refused.";
    throw new ConfigurationError(`${at} is not an identity: ${why}`, { cause });
  }
}
