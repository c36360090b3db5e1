/**
 * Noxy as a way for a guard to ask (`createGuard({ relay })` or `{ bridge }`). Guarantees: one Guard request is one decision
 * for each person, in every process of the agent; it is sealed to devices on the app's roster and to no others, unless
 * the configuration says otherwise; people are told that their answer is not signed and edits nothing.
 */
import {
  base64url,
  ConfigurationError,
  digestOf,
  type ForeignAnswer,
  type ForeignQuestion,
  type ForeignRelay,
  fromBase64url,
  isGuardError,
  NoDeviceError,
  Recent,
} from "@guard/core";
import { newListener } from "./listen.ts";
import { checkConfig, checkWait, type NoxyConfig } from "./options.ts";
import { accepted, newSender, noDecision } from "./send.ts";
import { openTransport } from "./transport.ts";
import { type NoxyGetDecisionOutcomeResponse, NoxyHumanDecisionOutcome } from "./types.ts";

export interface NoxyRelayOptions extends Omit<NoxyConfig, "decisionTtlSeconds"> {
  /**
   * Whether to ask on every device that the relay names, also those that are not on the app's roster. Then the relay
   * says who decides. Default false.
   */
  readonly anyDevice?: boolean;
}

/** How many requests are remembered as asked: asking again costs time and is harmless. */
const remembered = 10_000;

/** @throws ConfigurationError where an option is missing, unknown or impossible */
export function noxyRelay(options: NoxyRelayOptions): ForeignRelay {
  const { anyDevice = false, ...rest } = options;
  if (typeof anyDevice !== "boolean")
    throw new ConfigurationError("noxyRelay: anyDevice has to be true or false.");
  const config = { ...rest, decisionTtlSeconds: 0 };
  checkConfig(config, "noxyRelay");
  const transport = openTransport(config);
  const { send } = newSender(transport);
  const { outcomeOf, waitFor } = newListener(transport);
  const asked = new Recent<true>(remembered);

  async function askOne(
    question: ForeignQuestion,
    identity: string,
    signal: AbortSignal,
  ): Promise<string | null> {
    const keys = question.devices && new Set(question.devices.get(identity)?.map(({ kemKey }) => kemKey));
    const deliveries = await send(identity, messageOf(question, identity), {
      signal,
      decisionId: decisionIdOf(question, identity),
      ttlSeconds: Math.max(1, Math.ceil((question.expiresAt - Date.now()) / 1000)),
      isMeant: ({ pqPublicKey }) => keys === null || keys.has(base64url(pqPublicKey)),
    });
    return deliveries.some(accepted) ? null : noDecision(identity, deliveries);
  }

  /** Nothing of a person who was not asked; theirs is not the answer. */
  function answerIn(
    { outcome }: NoxyGetDecisionOutcomeResponse,
    question: ForeignQuestion,
    identity: string,
  ): ForeignAnswer | null {
    const reference = decisionIdOf(question, identity);
    if (outcome === NoxyHumanDecisionOutcome.APPROVED) return { decision: "approve", identity, reference };
    if (outcome === NoxyHumanDecisionOutcome.REJECTED) return { decision: "reject", identity, reference };
    return null;
  }

  async function hear(
    question: ForeignQuestion,
    identity: string,
    { signal, wait }: { signal: AbortSignal; wait: boolean },
  ): Promise<ForeignAnswer | null> {
    const decisionId = decisionIdOf(question, identity);
    try {
      if (!wait) return answerIn(await outcomeOf(decisionId, identity, { signal }), question, identity);
      const maxWaitMs = Math.max(0, question.expiresAt - Date.now());
      const waiting = { ...checkWait("noxyRelay", { maxWaitMs }), signal, decisionId, identityId: identity };
      return answerIn(await waitFor({ ...waiting, answered: false }), question, identity);
    } catch (error) {
      // Not asked, since they have no device; or nobody answered before the request expired.
      if (isGuardError(error, "wait_timeout")) return null;
      if (isGuardError(error) && error.relayCode === "NOT_FOUND") return null;
      throw error;
    }
  }

  return {
    wire: "noxy",
    pinned: !anyDevice,
    async ask(question, { signal }) {
      if (asked.get(question.request)) return;
      const results = await Promise.all(
        question.identities.map((identity) => askOne(question, identity, signal)),
      );
      if (!results.includes(null)) {
        throw new NoDeviceError(results.join(" "), { identities: question.identities });
      }
      asked.set(question.request, true);
    },
    async answer(question, { signal, wait }) {
      const first = new AbortController();
      const either = AbortSignal.any([signal, first.signal]);
      const all = question.identities.map((identity) => hear(question, identity, { signal: either, wait }));
      for (const one of all) one.catch(() => {}); // The first that fails is thrown below.
      try {
        return await firstAnswer(all);
      } finally {
        first.abort();
      }
    },
    close: async () => transport.close(),
  };
}

/** The first answer of anybody; null once nobody is left who could give one. @throws what the first one throws */
function firstAnswer(all: readonly Promise<ForeignAnswer | null>[]): Promise<ForeignAnswer | null> {
  return new Promise((resolve, reject) => {
    let left = all.length;
    for (const one of all) {
      one.then((answer) => {
        left--;
        if (answer || left === 0) resolve(answer);
      }, reject);
    }
  });
}

/** A UUID made of the request and the person: the same in every process, and nobody else's. */
function decisionIdOf({ request }: ForeignQuestion, identity: string): string {
  const bytes = fromBase64url(digestOf(JSON.stringify(["guard/v1/noxy-decision", request, identity])));
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80; // Version 8: made by an application (RFC 9562 §5.8).
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = Buffer.from(bytes.subarray(0, 16)).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** What a person reads: Noxy's form of a proposed call, and what Guard knows of it. */
function messageOf(question: ForeignQuestion, identity: string) {
  const { tool, args, facts, reasons, agent, app, request, expiresAt } = question;
  return {
    kind: "propose_tool_call",
    decision_id: decisionIdOf(question, identity),
    tool,
    args,
    title: facts.title ?? `${agent} wants to run ${tool}`,
    summary: facts.summary ?? reasons.join(" "),
    guard: {
      ...{ agent, app, request, reasons, risk: facts.risk ?? null, expires_at: expiresAt },
      notice: "An answer given here is not signed, and cannot change the arguments.",
    },
  };
}
