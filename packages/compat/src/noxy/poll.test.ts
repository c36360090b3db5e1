import { ConfigurationError, DeniedError, RateLimitedError, UnavailableError } from "@guard/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type NoxyGetDecisionOutcomeResponse,
  NoxyHumanDecisionOutcome,
  pollDecisionOutcomeLoop,
  WaitForDecisionOutcomeTimeoutError,
} from "./index.ts";
import { checkWait } from "./options.ts";
import { pollLoop } from "./poll.ts";

const of = { decisionId: "d", identityId: "alice@example.com" };
const { PENDING, APPROVED, REJECTED, EXPIRED } = NoxyHumanDecisionOutcome;
const pending: NoxyGetDecisionOutcomeResponse = { requestId: "r", pending: true, outcome: PENDING };
const final = (outcome: NoxyHumanDecisionOutcome) => ({ requestId: "r", pending: false, outcome });

/** The moments, in milliseconds from now, at which a function is called. */
function asked(
  answer: (n: number) => NoxyGetDecisionOutcomeResponse | Promise<NoxyGetDecisionOutcomeResponse>,
) {
  const start = performance.now();
  const at: number[] = [];
  const fetch = async () => {
    at.push(Math.round(performance.now() - start));
    return answer(at.length);
  };
  return { at, fetch };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("pollDecisionOutcomeLoop", () => {
  it("asks after 400 ms and 1.6 times as long each time, up to 30 s, for 15 minutes", async () => {
    const { at, fetch } = asked(() => pending);
    const waiting = pollDecisionOutcomeLoop(fetch, of).catch((error: unknown) => error);
    await vi.runAllTimersAsync();
    const error = await waiting;
    expect(error).toBeInstanceOf(WaitForDecisionOutcomeTimeoutError);
    expect(error).toMatchObject({
      code: "wait_timeout",
      request: "d",
      message: expect.stringContaining("900000 ms"),
    });
    const pauses = at.slice(1).map((moment, i) => moment - (at[i] as number));
    expect(pauses.slice(0, 4)).toEqual([400, 640, 1024, 1638]);
    expect(Math.max(...pauses)).toBe(30_000);
    expect(at.at(-1)).toBe(900_000);
  });

  it("takes the documented options", async () => {
    const { at, fetch } = asked(() => pending);
    const options = { initialPollIntervalMs: 10, maxPollIntervalMs: 25, backoffMultiplier: 2, maxWaitMs: 90 };
    const waiting = pollDecisionOutcomeLoop(fetch, { ...of, ...options }).catch((error: unknown) => error);
    await vi.runAllTimersAsync();
    expect(await waiting).toBeInstanceOf(WaitForDecisionOutcomeTimeoutError);
    expect(at).toEqual([0, 10, 30, 55, 80, 90]);
  });

  it.each([
    ["approved", final(APPROVED)],
    ["rejected", final(REJECTED)],
    ["expired", final(EXPIRED)],
    ["approved, though the relay still calls it pending", { ...final(APPROVED), pending: true }],
    ["nothing, where the relay expects nothing any more", final(PENDING)],
  ])("ends with %s", async (_name, answer) => {
    const { at, fetch } = asked((n) => (n < 3 ? pending : answer));
    const waiting = pollDecisionOutcomeLoop(fetch, of);
    await vi.runAllTimersAsync();
    expect(await waiting).toBe(answer);
    expect(at).toEqual([0, 400, 1040]);
  });

  it("asks once where there is no time, and hears an answer of the last moment", async () => {
    const { at, fetch } = asked((n) => (n < 2 ? pending : final(REJECTED)));
    await expect(pollDecisionOutcomeLoop(fetch, { ...of, maxWaitMs: 0 })).rejects.toThrow("within 0 ms");
    const waiting = pollDecisionOutcomeLoop(fetch, { ...of, maxWaitMs: 100 });
    await vi.runAllTimersAsync();
    expect((await waiting).outcome).toBe(REJECTED);
    expect(at).toHaveLength(2);
  });

  it("outlives outages once the relay has answered, and says what the last one was", async () => {
    const away = new UnavailableError("away");
    const { fetch } = asked((n) => {
      if (n === 2) throw away;
      if (n === 3) throw new RateLimitedError("slow down");
      return n < 5 ? pending : final(APPROVED);
    });
    const waiting = pollDecisionOutcomeLoop(fetch, of);
    await vi.runAllTimersAsync();
    expect((await waiting).outcome).toBe(APPROVED);

    const never = asked((n) => {
      if (n > 1) throw away;
      return pending;
    });
    const timed = pollDecisionOutcomeLoop(never.fetch, { ...of, maxWaitMs: 5000 }).catch((e: unknown) => e);
    await vi.runAllTimersAsync();
    expect(await timed).toMatchObject({ code: "wait_timeout", cause: away });
  });

  it("does not outlive what does not pass, nor a relay that never answered", async () => {
    const denied = new DeniedError("suspended");
    const later = asked((n) => {
      if (n > 1) throw denied;
      return pending;
    });
    const waiting = pollDecisionOutcomeLoop(later.fetch, of).catch((error: unknown) => error);
    await vi.runAllTimersAsync();
    expect(await waiting).toBe(denied);
    const away = new UnavailableError("away");
    const first = asked(() => Promise.reject(away));
    await expect(pollDecisionOutcomeLoop(first.fetch, of)).rejects.toBe(away);
    expect(first.at).toHaveLength(1);
  });

  it("ends its pause at once when it is aborted", async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    const { at, fetch } = asked(() => pending);
    const waiting = pollDecisionOutcomeLoop(fetch, { ...of, signal: abort.signal }).catch((e: unknown) => e);
    await vi.advanceTimersByTimeAsync(500);
    abort.abort(reason);
    expect(await waiting).toBe(reason);
    expect(at).toEqual([0, 400]);
    const gone = pollDecisionOutcomeLoop(fetch, { ...of, signal: AbortSignal.abort(reason) });
    await expect(gone).rejects.toBe(reason);
    expect(at).toHaveLength(2);
  });

  it.each([
    { maxWait: 5 },
    { maxWaitMs: -1 },
    { maxPollIntervalMs: Number.POSITIVE_INFINITY },
    { signal: 5 },
  ])("refuses %o", async (options) => {
    const waiting = pollDecisionOutcomeLoop(async () => pending, { ...of, ...options } as never);
    await expect(waiting).rejects.toBeInstanceOf(ConfigurationError);
  });
});

describe("at a relay that holds questions", () => {
  const waiting = { ...checkWait("test", {}), decisionId: "d", answered: true, holds: () => true };
  const held = (ms: number) =>
    new Promise<NoxyGetDecisionOutcomeResponse>((resolve) => setTimeout(() => resolve(pending), ms));

  it("asks again at once when a question was held", async () => {
    const { at, fetch } = asked((n) => (n < 4 ? held(55_000) : final(APPROVED)));
    const outcome = pollLoop(fetch, waiting);
    await vi.runAllTimersAsync();
    expect((await outcome).outcome).toBe(APPROVED);
    expect(at).toEqual([0, 55_000, 110_000, 165_000]);
  });

  it("retry-storm: pauses all the same where it holds nothing, though it says so", async () => {
    const { at, fetch } = asked((n) => (n < 4 ? pending : final(APPROVED)));
    const outcome = pollLoop(fetch, waiting);
    await vi.runAllTimersAsync();
    await outcome;
    expect(at).toEqual([0, 400, 1040, 2064]);
  });
});
