/**
 * The first stage: turns what a caller hands over into an action that cannot change any more, with the keys
 * by which it is found again.
 */

import * as z from "zod/mini";
import { canonicalJson, type Json } from "../action/canonical.ts";
import { snapshot } from "../action/snapshot.ts";
import { type Action, actionDigest, type Facts, factsSchema, schemaDigest } from "../approval/request.ts";
import type { AgentKeys } from "../crypto/agent-keys.ts";
import { base64url, randomBytes } from "../crypto/encoding.ts";
import { digestOf } from "../crypto/hash.ts";
import { ValidationError } from "../errors.ts";
import { normaliseIdentity } from "../roster/identity.ts";
import type { Recent } from "./recent.ts";
import type { ActionInput } from "./types.ts";

/** One pass through the gate. */
export interface Prepared {
  /** Random id that joins the events of this pass. */
  readonly call: string;
  readonly action: Action;
  readonly facts: Facts;
  readonly schema: Json;
  readonly session: string | null;
  readonly callId: string | null;
  readonly requester: string | null;
  readonly validate: ((args: Json) => Promise<unknown>) | null;
  readonly salt: string;
  /** The idempotency key: the caller's, or the default one. It never leaves the agent. */
  readonly key: string;
  readonly digest: string;
}

/** Counts equal calls of one session, in the order in which they come. */
export type Ordinals = Recent<number>;

/** What a caller handed over, as it was at the moment of the call. */
export interface Taken {
  readonly input: ActionInput;
  readonly args: Json;
  readonly facts: Facts;
}

/**
 * Takes the snapshot. Synchronous, and the first thing that the gate does: what the caller changes while the
 * gate waits for anything changes nothing (toctou-args).
 */
export function take(input: ActionInput): Taken {
  // Awaited later, or never where something else fails first: a rejection must not end the process.
  if (input.schema instanceof Promise) input.schema.catch(() => {});
  if (typeof input.tool !== "string" || input.tool.length === 0 || input.tool.length > 200) {
    throw new ValidationError("An action needs the name of its tool (1 to 200 characters).");
  }
  for (const name of ["session", "callId"] as const) {
    const value = input[name];
    if (value != null && (typeof value !== "string" || value.length > 500)) {
      throw new ValidationError(`An action's ${name} is a text of at most 500 characters.`);
    }
  }
  const args = snapshot(input.args ?? {});
  const facts = typeof input.facts === "function" ? factsOf(input.tool, input.facts(args)) : input.facts;
  return { input: { ...input }, args, facts: readFacts(facts) };
}

export async function prepare(
  { input, args, facts }: Taken,
  context: { keys: AgentKeys; app: string; agent: string; ordinals: Ordinals; key: string | undefined },
): Promise<Prepared> {
  const { keys, app, agent, ordinals } = context;
  const session = input.session ?? null;
  const callId = input.callId ?? null;
  // Before anything is awaited, so that equal calls are counted in the order in which they came.
  const key = context.key ?? defaultKey(input, args, session, callId, ordinals);
  const given = await input.schema;
  const schema = given ? (snapshot(given) as unknown as typeof given) : null;
  const action: Action = {
    tool: input.tool,
    args,
    schemaDigest: schema === null ? null : schemaDigest(schema),
  };
  const salt = keys.salt(app, key);
  return {
    call: newCall(),
    action,
    facts,
    schema: schema?.inputSchema ?? null,
    session,
    callId,
    requester: input.requester == null ? null : normaliseIdentity(input.requester),
    validate: input.validate ?? null,
    salt,
    key,
    digest: actionDigest(app, agent, action, salt),
  };
}

/** The same pass for the arguments that an approver returned. */
export function withArgs(prepared: Prepared, args: Json, app: string, agent: string): Prepared {
  const action = { ...prepared.action, args };
  return { ...prepared, action, digest: actionDigest(app, agent, action, prepared.salt) };
}

/** {@link withArgs} for an action that is asked anew: in the chain that is a call of its own. */
export function anew(prepared: Prepared, args: Json, app: string, agent: string): Prepared {
  return { ...withArgs(prepared, args, app, agent), call: newCall() };
}

const newCall = () => base64url(randomBytes(16));

function defaultKey(
  input: ActionInput,
  args: Json,
  session: string | null,
  callId: string | null,
  ordinals: Ordinals,
): string {
  if (session === null) return base64url(randomBytes(32));
  if (callId !== null && input.stableCallId === true) return canonicalJson(["call", session, callId]);
  const id = digestOf(canonicalJson([session, input.tool, args]));
  const ordinal = ordinals.get(id) ?? 0;
  ordinals.set(id, ordinal + 1);
  return canonicalJson(["args", session, id, ordinal]);
}

function factsOf(tool: string, facts: Facts): Facts {
  if (!(facts instanceof Promise)) return facts;
  facts.catch(() => {}); // Nobody awaits it: the call ends here.
  throw new ValidationError(
    `The facts about ${tool} have to be known at once: give a function that is not async.`,
  );
}

function readFacts(facts: Facts | undefined): Facts {
  if (facts === undefined) return {};
  const parsed = z.safeParse(factsSchema, snapshot(facts));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new ValidationError(
    `The facts about an action are not usable at ${issue?.path.join(".") || "the top"}: ${issue?.message}.`,
  );
}
