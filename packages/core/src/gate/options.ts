/**
 * The options of a guard, checked at construction: an unknown key, a bad value or an impossible policy throws
 * before anything runs (config-fail-open).
 */
import * as z from "zod/mini";
import { ConfigurationError } from "../errors.ts";
import type { EvidenceStore } from "../evidence/store.ts";
import type { Rule } from "../policy/rules.ts";
import type { RosterStore } from "../relay/follower.ts";
import type { ForeignRelay } from "./foreign.ts";
import type { DecidedEvent, Logger, PendingEvent } from "./types.ts";

/**
 * A store shared by all processes of an agent that says who may run what: it closes the gap that a hostile or
 * restored relay leaves (consume-equivocation).
 */
export interface Ledger {
  /** Whether `attempt` may run `request`: true once for each request, and again for the same attempt. */
  claim(request: string, attempt: string): Promise<boolean>;
}

export interface GuardOptions {
  /** The connection, or a function that fetches it (a vault). Default: `GUARD_CONNECTION` of the environment. */
  readonly connection?: string | (() => string | Promise<string>);
  /** Who is asked where a rule names nobody: any one of them. Default: `GUARD_APPROVERS`, separated by commas. */
  readonly approvers?: readonly string[];
  /** The rules, read from top to bottom; the first that matches decides, and no match asks. Default: none. */
  readonly policy?: readonly Rule[];
  /** How long a request may be answered: `'4h'` or milliseconds. Default 1 h. */
  readonly expiresIn?: string | number;
  /** How long an approval may be used after expiry, in milliseconds. Default 5 min waiting, 24 h suspended. */
  readonly useWithin?: { readonly wait?: number; readonly suspend?: number };
  /** Identities that may approve what they asked for themselves. Default: nobody. */
  readonly selfApproval?: readonly string[];
  /** Where evidence is kept. Default on Node: a file in `directory`. Elsewhere it has to be given. */
  readonly evidence?: EvidenceStore;
  /** Whether arguments are recorded in full as well as by digest. Default `digest`. */
  readonly capture?: "digest" | "full";
  /** Node: where evidence and the roster are kept. Default `.guard` in the working directory. */
  readonly directory?: string;
  /** Where the newest roster is kept. Default on Node: a file in `directory`; elsewhere nowhere. */
  readonly rosterStore?: RosterStore | null;
  readonly ledger?: Ledger;
  /** Asks people over another system's wire alone, for instance `noxyRelay()` of `@guard/compat/noxy`. */
  readonly relay?: ForeignRelay;
  /** Asks over another system's wire as well: whoever answers first decides. */
  readonly bridge?: ForeignRelay;
  /** Has to be true with either: nobody signs what is answered there, and that system's relay is believed. */
  readonly acceptUnsignedOutcomes?: boolean;
  /** Oldest roster that is believed, in milliseconds. Default 30 days. */
  readonly rosterMaxAge?: number;
  /** How long a run may take before it counts as unknown, in milliseconds. Default 10 min. */
  readonly executionTimeout?: number;
  /** Milliseconds for one call to the relay. Default 10,000. */
  readonly requestTimeout?: number;
  /** Repetitions of a failed call to the relay. Default 2. */
  readonly retries?: number;
  /** Calls to the relay that are under way at once. Default 20. */
  readonly maxInFlight?: number;
  readonly onPending?: (event: PendingEvent) => void | Promise<void>;
  readonly onDecided?: (event: DecidedEvent) => void | Promise<void>;
  readonly logger?: Logger;
  /** For tests and unusual networks. */
  readonly fetch?: typeof globalThis.fetch;
  /** For tests: milliseconds since 1970. */
  readonly now?: () => number;
}

const object = z.custom<object>(
  (value) => typeof value === "object" && value !== null,
  "has to be an object",
);
const having = (...methods: string[]) =>
  z.custom<object>(
    (value) =>
      typeof value === "object" &&
      value !== null &&
      methods.every((name) => typeof (value as Record<string, unknown>)[name] === "function"),
    `has to have ${methods.join(", ")}`,
  );
const func = z.custom<(...args: never[]) => unknown>(
  (value) => typeof value === "function",
  "has to be a function",
);
const positive = z.int().check(z.positive());

const schema = z.strictObject({
  connection: z.optional(z.union([z.string(), func])),
  approvers: z.optional(z.array(z.string()).check(z.minLength(1, "has to name somebody"))),
  policy: z.optional(z.array(object)),
  expiresIn: z.optional(z.union([z.string(), z.number()])),
  useWithin: z.optional(z.strictObject({ wait: z.optional(positive), suspend: z.optional(positive) })),
  selfApproval: z.optional(z.array(z.string())),
  evidence: z.optional(having("open", "append", "flush", "close")),
  capture: z.optional(z.enum(["digest", "full"])),
  directory: z.optional(z.string().check(z.minLength(1))),
  rosterStore: z.optional(z.nullable(having("load", "save"))),
  ledger: z.optional(having("claim")),
  relay: z.optional(having("ask", "answer", "close")),
  bridge: z.optional(having("ask", "answer", "close")),
  acceptUnsignedOutcomes: z.optional(z.boolean()),
  rosterMaxAge: z.optional(positive),
  executionTimeout: z.optional(z.int().check(z.gte(1000), z.lte(7 * 86_400_000))),
  requestTimeout: z.optional(positive),
  retries: z.optional(z.int().check(z.gte(0), z.lte(10))),
  maxInFlight: z.optional(positive),
  onPending: z.optional(func),
  onDecided: z.optional(func),
  logger: z.optional(having("debug", "info", "warn", "error")),
  fetch: z.optional(func),
  now: z.optional(func),
});

/** @throws ConfigurationError that names the option. */
export function checkOptions(options: GuardOptions): void {
  const parsed = z.safeParse(schema, options);
  if (parsed.success) {
    checkForeign(options);
    return;
  }
  const issue = parsed.error.issues[0];
  if (issue?.code === "unrecognized_keys") {
    throw new ConfigurationError(
      `createGuard has no option ${issue.keys.map((key) => JSON.stringify(key)).join(", ")}. ` +
        `It knows: ${Object.keys(schema.def.shape).join(", ")}.`,
    );
  }
  throw new ConfigurationError(
    `createGuard: option ${issue?.path.join(".")} is not usable: ${issue?.message}.`,
  );
}

function checkForeign({ relay, bridge, acceptUnsignedOutcomes }: GuardOptions): void {
  if (relay && bridge) {
    throw new ConfigurationError(
      "createGuard takes relay (only the other system's devices are asked) or bridge (Guard's devices as well), not both.",
    );
  }
  const foreign = relay ?? bridge;
  if (foreign && acceptUnsignedOutcomes !== true) {
    throw new ConfigurationError(
      `Nobody signs what is answered over ${foreign.wire}: whoever runs that relay can approve anything. ` +
        "If that is acceptable for what this agent does, say acceptUnsignedOutcomes: true.",
    );
  }
  if (!foreign && acceptUnsignedOutcomes !== undefined) {
    throw new ConfigurationError(
      "acceptUnsignedOutcomes needs a relay or a bridge whose answers are unsigned.",
    );
  }
}
