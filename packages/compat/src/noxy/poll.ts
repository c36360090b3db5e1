/**
 * Waiting for a person: asks until the outcome is final, the relay expects none any more, or the time is over. An
 * answer that comes in the last moment counts, since the last question is asked when the time is over.
 */
import { isPassing, pauseFor } from "@guard/core";
import { WaitForDecisionOutcomeTimeoutError } from "./errors.ts";
import { type CheckedWait, checkWait, type WaitForDecisionOutcomeOptions } from "./options.ts";
import { isTerminalHumanOutcome, type NoxyGetDecisionOutcomeResponse } from "./types.ts";

/** What a question may know of the wait that it belongs to. */
export interface Asking {
  /** Milliseconds that are left of the wait. */
  readonly left: number;
}

export type FetchOutcome = (asking: Asking) => Promise<NoxyGetDecisionOutcomeResponse>;

/**
 * Asks `fetchOutcome` with growing pauses until there is an outcome or `pending` is false. Once it has answered, an
 * outage of the relay does not end the wait.
 *
 * @throws WaitForDecisionOutcomeTimeoutError after `maxWaitMs`; the signal's reason when it aborts
 */
export async function pollDecisionOutcomeLoop(
  fetchOutcome: FetchOutcome,
  options: WaitForDecisionOutcomeOptions,
): Promise<NoxyGetDecisionOutcomeResponse> {
  const wait = checkWait("pollDecisionOutcomeLoop", options, ["decisionId", "identityId"]);
  return pollLoop(fetchOutcome, {
    ...wait,
    decisionId: options.decisionId,
    answered: false,
    holds: () => false,
  });
}

export interface Waiting extends CheckedWait {
  readonly decisionId: string;
  /** Whether the relay has answered before the first question. */
  readonly answered: boolean;
  /** Whether the relay does the waiting: then nothing is gained by a pause after a question that took long. */
  holds(): boolean;
}

export async function pollLoop(
  fetchOutcome: FetchOutcome,
  wait: Waiting,
): Promise<NoxyGetDecisionOutcomeResponse> {
  const signal = wait.signal ?? new AbortController().signal;
  const end = performance.now() + wait.maxWaitMs;
  let interval = Math.min(wait.initialPollIntervalMs, wait.maxPollIntervalMs);
  let { answered } = wait;
  for (;;) {
    signal.throwIfAborted();
    const asked = performance.now();
    let cause: unknown;
    try {
      const answer = await fetchOutcome({ left: Math.max(0, end - asked) });
      if (isTerminalHumanOutcome(answer.outcome) || !answer.pending) return answer;
      answered = true;
    } catch (error) {
      if (!answered || !isPassing(error)) throw error;
      cause = error;
    }
    const now = performance.now();
    if (now >= end) {
      throw new WaitForDecisionOutcomeTimeoutError(
        `Nobody answered decision ${wait.decisionId} within ${wait.maxWaitMs} ms. It stays open until it expires: ` +
          "wait for it again, or give the wait a longer maxWaitMs.",
        { request: wait.decisionId, cause },
      );
    }
    if (wait.holds() && now - asked >= interval) {
      interval = wait.initialPollIntervalMs;
      continue;
    }
    await pauseFor(Math.min(interval, end - now), signal);
    interval = Math.min(interval * wait.backoffMultiplier, wait.maxPollIntervalMs);
  }
}
