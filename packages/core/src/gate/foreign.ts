/**
 * Asking people over another system's wire, beside the Guard relay or instead of its devices. The request is a Guard
 * request all the same: the relay joins its duplicates, gives the one receipt for a run, and knows how it ended.
 *
 * Guarantees: what is heard over such a wire counts only where the agent's own configuration says so and one person
 * suffices; it is written down as unsigned, by the agent, and as nothing else; an edit cannot come that way.
 */
import type { Json } from "../action/canonical.ts";
import type { Facts, Header, Paper } from "../approval/request.ts";
import type { UnsignedAnswer } from "../approval/statement.ts";
import { eligible } from "../approval/terms.ts";
import { signObject } from "../crypto/signed.ts";
import { isGuardError } from "../errors.ts";
import { type RequestView, requestViewSchema } from "../relay/api.ts";
import { isPassing, newBackoff, retryAfterIn } from "../relay/backoff.ts";
import type { ForeignWire } from "../roster/entry.ts";
import type { ForeignDeviceRecord } from "../roster/records.ts";
import type { Roster } from "../roster/roster.ts";
import type { Context } from "./context.ts";

/** What is asked over another wire: everything in it goes to the people's devices, sealed as that wire seals. */
export interface ForeignQuestion {
  /** The Guard request's id: the same one is the same question, in every process. */
  readonly request: string;
  readonly app: string;
  readonly agent: string;
  /** Who may answer, any one of them. */
  readonly identities: readonly string[];
  /** Whose devices may be sealed to, by identity; null where the other system's relay is believed about that. */
  readonly devices: ReadonlyMap<string, readonly ForeignDeviceRecord[]> | null;
  readonly tool: string;
  readonly args: Json;
  readonly facts: Facts;
  /** The policy's reasons. */
  readonly reasons: readonly string[];
  readonly expiresAt: number;
}

export interface ForeignAnswer {
  readonly decision: "approve" | "reject";
  readonly identity: string;
  /** What the wire calls the question, for the evidence. */
  readonly reference: string;
}

/** A client of another system's relay. Its errors are Guard's; those that pass (`unavailable`, `rate_limited`) are waited out. */
export interface ForeignRelay {
  readonly wire: ForeignWire;
  /** Whether it seals to devices on the roster alone. */
  readonly pinned: boolean;
  /** Asks. The same question again is one question. @throws NoDeviceError where nobody can be asked */
  ask(question: ForeignQuestion, options: { signal: AbortSignal }): Promise<void>;
  /** What was answered, or null: at once, or with `wait` once there is something to say or it is worth asking again. */
  answer(
    question: ForeignQuestion,
    options: { signal: AbortSignal; wait: boolean },
  ): Promise<ForeignAnswer | null>;
  close(): Promise<void>;
}

/** How a guard uses one. */
export interface Foreign {
  readonly relay: ForeignRelay;
  /** Whether Guard's own devices are asked as well. */
  readonly alone: boolean;
}

/** A request that was asked, as far as another wire needs it. */
type Asked = { readonly header: Header; readonly paper: Paper };

/** Whether `identity` can be asked over the other wire, by `roster`. */
export function reachedBy({ relay }: Foreign, roster: Roster, identity: string): boolean {
  return !relay.pinned || roster.foreignOf(identity).some(({ wire }) => wire === relay.wire);
}

function questionOf({ app, agent, foreign, follower }: Context, { header, paper }: Asked): ForeignQuestion {
  const identities = eligible(header.terms);
  const roster = follower.current();
  const own = (identity: string) =>
    roster.foreignOf(identity).filter(({ wire }) => wire === foreign?.relay.wire);
  return {
    request: header.request,
    app,
    agent,
    identities,
    devices: foreign?.relay.pinned ? new Map(identities.map((identity) => [identity, own(identity)])) : null,
    tool: paper.action.tool,
    args: paper.action.args,
    facts: paper.facts,
    reasons: paper.policy.reasons,
    expiresAt: header.expiresAt,
  };
}

const accepted = ({ foreign }: Context, { header }: Asked): Foreign | null =>
  foreign !== null && header.terms.unsigned === foreign.relay.wire ? foreign : null;

/** Asks on the other wire, too. Where Guard's devices are asked as well, a failure there only leaves those. */
export async function askForeign(c: Context, asked: Asked): Promise<void> {
  const foreign = accepted(c, asked);
  if (!foreign) return;
  try {
    await foreign.relay.ask(questionOf(c, asked), { signal: new AbortController().signal });
  } catch (error) {
    if (!isGuardError(error)) throw error;
    const { request } = asked.header;
    c.logger.warn({ request, code: error.code }, `nobody could be asked over ${foreign.relay.wire}`);
    leaveToOthers(foreign, asked, error);
  }
}

/** @throws error where nobody else was asked */
function leaveToOthers({ alone }: Foreign, { header }: Asked, error: Error): void {
  if (alone || header.recipients.length === 0) throw error;
}

/** What is answered by now, given to the Guard relay; null where nothing is. */
export async function lookForeign(c: Context, asked: Asked): Promise<RequestView | null> {
  const foreign = accepted(c, asked);
  if (!foreign) return null;
  const signal = new AbortController().signal;
  const answer = await foreign.relay.answer(questionOf(c, asked), { signal, wait: false });
  return answer && writeDown(c, asked, answer);
}

/** Listens until somebody answered, and gives the answer to the Guard relay, whose wake-up is heard like any other. */
export async function hearForeign(c: Context, asked: Asked, signal: AbortSignal): Promise<void> {
  const foreign = accepted(c, asked);
  if (!foreign) return;
  const backoff = newBackoff();
  const question = questionOf(c, asked);
  while (!signal.aborted && c.now() < asked.header.expiresAt) {
    try {
      const answer = await foreign.relay.answer(question, { signal, wait: true });
      if (answer) return void (await writeDown(c, asked, answer));
    } catch (error) {
      if (signal.aborted) return;
      if (!isGuardError(error)) throw error;
      c.logger.warn({ request: question.request, code: error.code }, `${foreign.relay.wire} cannot be heard`);
      if (!isPassing(error)) return leaveToOthers(foreign, asked, error);
      await backoff.pause(signal, retryAfterIn(error));
    }
  }
}

/** Null where the request was settled otherwise meanwhile: that holds. */
async function writeDown(
  c: Context,
  { header }: Asked,
  { decision, identity, reference }: ForeignAnswer,
): Promise<RequestView | null> {
  const { app, request, requestDigest, actionDigest } = header;
  const heard: UnsignedAnswer = {
    type: "guard/v1/unsigned",
    app,
    request,
    requestDigest,
    actionDigest,
    effective: actionDigest,
    decision,
    response: null,
    identity,
    wire: (c.foreign as Foreign).relay.wire,
    reference,
    roster: c.follower.head(),
    time: c.now(),
  };
  const unsigned = await signObject(c.keys.signer, heard);
  try {
    const path = `/v1/requests/${request}/unsigned`;
    return (await c.client.call("POST", path, { schema: requestViewSchema, body: { unsigned } })).value;
  } catch (error) {
    const over = ["already_decided", "expired"];
    if (isGuardError(error) && over.includes(error.relayCode ?? "")) return null;
    throw error;
  }
}
