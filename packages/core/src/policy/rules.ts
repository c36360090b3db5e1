/**
 * What a policy is written in: plain data, the same in code, in YAML and on the command line.
 *
 * Rules are read from top to bottom and the first that matches decides. A condition is true, false or
 * indeterminate (a value is missing or of another type): an `allow` rule matches only what is true, `ask` and
 * `deny` rules match all that is not false (threat `indeterminate-condition`).
 */
import type { Json } from "../action/canonical.ts";

/** Several operators in one object: all must hold. Each is indeterminate where the value is missing, but `exists`. */
export interface Operators {
  /** Equal as canonical JSON; indeterminate between different JSON types (`5000` and `"5000"`). */
  readonly eq?: Json;
  /** `eq` to any of these; at least one. */
  readonly in?: readonly Json[];
  readonly lt?: number;
  readonly lte?: number;
  readonly gt?: number;
  readonly gte?: number;
  /**
   * A regular expression (flag `u`) for the whole text, without lookaround, inline flags and backreferences. It
   * takes linear time, whatever the text. Indeterminate for texts over 1,000 characters, and where the answer
   * depends on whether `.` may stand for a line break.
   */
  readonly matches?: string;
  /** Whether there is a value at all; null is one. */
  readonly exists?: boolean;
}

/** A scalar is short for `{ eq: scalar }`. */
export type Comparison = null | boolean | number | string | Operators;

/**
 * A key is a path: dots separate members, numbers index lists, `\.` is a dot and `\\` a backslash of a name.
 * Paths start at the arguments; `facts.` starts at the facts and `args.` at the arguments explicitly, for
 * arguments called `facts`, `args`, `all`, `any`, `not` or like an operator. Objects nest, and all keys of one
 * object have to hold, `all`, `any` and `not` among them: `{ customer: { country: 'DE', not: { vip: true } } }`.
 */
export type Condition =
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition }
  | { readonly [path: string]: Comparison | Condition };

export interface Rule {
  /** Name of the tool; `*` stands for any run of characters, all else for itself. */
  readonly tool: string;
  /** Without it the rule matches every call of the tool. */
  readonly when?: Condition;
  readonly then: "allow" | "ask" | "deny";
  /** Shown to whoever is asked and to the agent; up to 1,000 characters. Generated where it is left out. */
  readonly reason?: string;
  /** `ask` only: who may answer, instead of the policy's approvers. Any one of them suffices. */
  readonly approvers?: readonly string[];
  /** `ask` only: how many distinct people have to approve. 1 by default. */
  readonly quorum?: number;
  /** `ask` only: how many distinct people reject. 1 by default. */
  readonly rejections?: number;
  /** `ask` only: whether an approver may return other arguments. True by default. */
  readonly editable?: boolean;
  /** `ask` only: how long it may be answered: `'30m'` (s, m, h, d) or milliseconds. 1 h by default. */
  readonly expiresIn?: string | number;
  /** `allow` only: the action runs only if the relay can be reached. */
  readonly relay?: "required";
}

/** What `ask` uses where a rule says nothing, with the identities already normalised. */
export interface PolicyDefaults {
  readonly approvers: readonly string[];
  readonly expiresIn?: string | number;
}
