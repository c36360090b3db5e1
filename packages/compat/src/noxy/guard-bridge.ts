/**
 * A Noxy client whose decisions people can also answer on Guard's devices, by what the agent's guard is configured with.
 *
 * Guarantees: the guard's policy is asked first, and what it denies is sent to nobody; what Guard's devices answer was
 * signed, verified and used once, and the guard's evidence holds it; whoever answers first decides, and the other side's
 * question ends. What is lost: the Noxy answer is unsigned as ever, and nobody can edit, since Noxy has no way to
 * return other arguments. Guard's devices are told both.
 */
import { randomUUID } from "node:crypto";
import {
  ConfigurationError,
  type Guard,
  isGuardError,
  type Json,
  normaliseIdentity,
  Recent,
} from "@guard/core";
import type { NoxyAgentClient } from "./client.ts";
import { decodeDecision, encodeDecision } from "./json.ts";
import type { CallOptions, SendDecisionAndWaitOptions, WaitForDecisionOutcomeOptions } from "./options.ts";
import { pollDecisionOutcomeLoop } from "./poll.ts";
import { accepted } from "./send.ts";
import {
  type NoxyDeliveryOutcome,
  NoxyDeliveryStatus,
  type NoxyGetDecisionOutcomeResponse,
  NoxyHumanDecisionOutcome,
} from "./types.ts";

/** One decision that Guard's devices were asked about as well. */
interface Both {
  /** Of the Guard request. */
  readonly request: string;
  /** Whether a Noxy device has it. */
  readonly there: boolean;
  /** What Guard's devices answered. */
  readonly here: Promise<NoxyGetDecisionOutcomeResponse>;
  known: NoxyGetDecisionOutcomeResponse | null;
  readonly stop: AbortController;
}

/** How many decisions are remembered; of older ones only Noxy's side is heard. */
const remembered = 10_000;
const notice =
  "This was also sent to Noxy, where an answer is not signed. Whoever answers first decides. Arguments cannot be edited.";
const { PENDING, APPROVED, REJECTED, EXPIRED } = NoxyHumanDecisionOutcome;

/**
 * Wraps `client`: it has the same calls, and asks the approvers of `guard` as well. The identity has to be one of those
 * whom the guard's policy asks for the decision's `tool`.
 */
export function guardBridge(client: NoxyAgentClient, { guard }: { readonly guard: Guard }): NoxyAgentClient {
  const decisions = new Recent<Both>(remembered);
  const closing = new AbortController();

  async function sendDecision(
    identityId: string,
    actionable: unknown,
    options: CallOptions = {},
  ): Promise<readonly NoxyDeliveryOutcome[]> {
    const input = inputOf(actionable);
    const key = randomUUID();
    const check = await guard.check(input, { key, mode: "wait" });
    if (check.status === "denied" && check.error.code !== "no_device") throw check.error;
    if (check.status !== "pending") return client.sendDecision(identityId, actionable, options);
    const { requestId: request, approvers } = check;
    if (!approvers.includes(normaliseIdentity(identityId))) {
      await guard.cancel(request);
      throw new ConfigurationError(
        `The guard asks ${approvers.join(", ")} about ${input.tool}, and the decision is for ${identityId}. ` +
          "Name them among the guard's approvers, or in a rule for this tool.",
      );
    }
    const deliveries = await client.sendDecision(identityId, actionable, options).catch((error: unknown) => {
      if (options.signal?.aborted || !isGuardError(error)) throw error;
      return []; // Noxy's side is away: Guard's devices decide alone.
    });
    const taken = deliveries.find(accepted);
    const decisionId = taken?.decisionId ?? randomUUID();
    const stop = new AbortController();
    const here = guard
      .run(input, ({ request: used }) => used, {
        key,
        signal: AbortSignal.any([closing.signal, stop.signal]),
      })
      .then(() => APPROVED, outcomeOf)
      .then((outcome): NoxyGetDecisionOutcomeResponse => ({ requestId: "", pending: false, outcome }));
    const both: Both = { request, there: taken !== undefined, here, known: null, stop };
    here.then(
      (answer) => {
        both.known = answer;
      },
      () => {}, // Whoever waits is told.
    );
    decisions.set(decisionId, both);
    const { QUEUED } = NoxyDeliveryStatus;
    return [...deliveries, { deviceId: `guard:${request}`, status: QUEUED, requestId: "", decisionId }];
  }

  async function waitForDecisionOutcome(
    options: WaitForDecisionOutcomeOptions,
  ): Promise<NoxyGetDecisionOutcomeResponse> {
    const both = decisions.get(options.decisionId);
    if (!both) return client.waitForDecisionOutcome(options);
    const ended = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, ended.signal]) : ended.signal;
    const pending: NoxyGetDecisionOutcomeResponse = { requestId: "", pending: true, outcome: PENDING };
    const nobody = () => pollDecisionOutcomeLoop(async () => pending, { ...options, signal });
    async function heard(): Promise<NoxyGetDecisionOutcomeResponse> {
      if (!both?.there) return nobody();
      const answer = await client.waitForDecisionOutcome({ ...options, signal });
      // That it expired there is no answer: Guard's devices may still give one.
      return answer.outcome === APPROVED || answer.outcome === REJECTED ? answer : nobody();
    }
    const there = heard();
    there.catch(() => {}); // Ended below where the other side was first.
    try {
      const answer = await Promise.race([both.here, there]);
      if (both.known === null) await withdraw(both, answer);
      return answer;
    } finally {
      ended.abort();
    }
  }

  /** What was answered over Noxy: Guard's devices need not answer any more. */
  async function withdraw(both: Both, answer: NoxyGetDecisionOutcomeResponse): Promise<void> {
    both.known = answer;
    both.stop.abort();
    try {
      await guard.cancel(both.request);
    } catch (error) {
      // Answered at the same moment, or the relay is away: the request ends by itself.
      if (!isGuardError(error)) throw error;
    }
  }

  return {
    ...client,
    sendDecision,
    waitForDecisionOutcome,
    async getDecisionOutcome(decisionId, identityId, options) {
      const both = decisions.get(decisionId);
      if (both?.known) return both.known;
      if (both && !both.there) return { requestId: "", pending: true, outcome: PENDING };
      return client.getDecisionOutcome(decisionId, identityId, options);
    },
    async sendDecisionAndWaitForOutcome(identityId, actionable, options: SendDecisionAndWaitOptions = {}) {
      const { signal } = options;
      const deliveries = await sendDecision(identityId, actionable, signal ? { signal } : {});
      const taken = deliveries.find(accepted);
      if (taken) return waitForDecisionOutcome({ ...options, decisionId: taken.decisionId, identityId });
      return client.sendDecisionAndWaitForOutcome(identityId, actionable, options);
    },
    close() {
      closing.abort();
      client.close();
    },
  };
}

/** How a Guard request that was not approved is told on this wire. @throws what is no answer of a person */
function outcomeOf(error: unknown): NoxyHumanDecisionOutcome {
  if (isGuardError(error, "rejected")) return REJECTED;
  if (isGuardError(error, "expired")) return EXPIRED;
  throw error;
}

/** The decision as an action: the same JSON as goes to Noxy's devices. */
function inputOf(actionable: unknown) {
  const args = decodeDecision(encodeDecision(actionable)) as Json;
  const { tool, title, summary } = { ...(args as { tool?: unknown; title?: unknown; summary?: unknown }) };
  const said = (text: unknown, most: number) => (typeof text === "string" ? text.slice(0, most) : undefined);
  const facts = { title: said(title, 300), summary: said(summary, 4000), metadata: { notice } };
  return {
    tool: said(tool, 200) || "noxy decision",
    args,
    facts: Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)),
  };
}
