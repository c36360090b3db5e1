import { status } from "@grpc/grpc-js";
import { agent } from "@guard/wires/noxy";
import { describe, expect, it } from "vitest";
import { NoxyHumanDecisionOutcome, WaitForDecisionOutcomeTimeoutError } from "./index.ts";
import { failure, newDevice, testRelay } from "./relay.fixture.ts";

const alice = "alice@example.com";
const of = { decisionId: "d", identityId: alice };
const soon = { initialPollIntervalMs: 5, maxPollIntervalMs: 10 };
const { APPROVED, REJECTED } = agent.DecisionOutcome;

describe("at Noxy's own relay", () => {
  it("asks until the person has answered, each time anew and never with our header", async () => {
    let asked = 0;
    await using relay = await testRelay({
      devices: [newDevice()],
      answers: {
        getDecisionOutcome: ({ request: { requestId } }) =>
          ++asked < 4 ? { requestId, pending: true } : { requestId, outcome: REJECTED },
      },
    });
    const answer = await relay.client().sendDecisionAndWaitForOutcome(alice, { pay: 1 }, soon);
    const questions = relay.of("getDecisionOutcome");
    expect(answer).toEqual({
      requestId: questions.at(-1)?.request.requestId,
      pending: false,
      outcome: NoxyHumanDecisionOutcome.REJECTED,
    });
    expect(new Set(questions.map(({ request }) => request.requestId)).size).toBe(4);
    expect(new Set(questions.map(({ waitMs }) => waitMs))).toEqual(new Set([undefined]));
    expect(questions[0]?.request).toMatchObject({
      decisionId: relay.of("routeDecision")[0]?.request.decisionId,
      identityId: alice,
    });
  });

  it("gives up after maxWaitMs", async () => {
    await using relay = await testRelay();
    const waiting = relay.client().waitForDecisionOutcome({ ...of, ...soon, maxWaitMs: 40 });
    await expect(waiting).rejects.toBeInstanceOf(WaitForDecisionOutcomeTimeoutError);
  });

  it("goes on when the relay has been away", async () => {
    let asked = 0;
    await using relay = await testRelay({
      answers: {
        getDecisionOutcome() {
          asked++;
          if (asked > 1 && asked < 6) throw failure(status.UNAVAILABLE, "restarting");
          return asked === 1 ? { pending: true } : { outcome: APPROVED };
        },
      },
    });
    const answer = await relay.client().waitForDecisionOutcome({ ...of, ...soon });
    expect(answer.outcome).toBe(NoxyHumanDecisionOutcome.APPROVED);
    expect(asked).toBe(6);
  });

  it("goes on when the relay went away right after it took the decision", async () => {
    let asked = 0;
    await using relay = await testRelay({
      devices: [newDevice()],
      answers: {
        getDecisionOutcome() {
          if (++asked < 5) throw failure(status.UNAVAILABLE, "restarting");
          return { outcome: APPROVED };
        },
      },
    });
    const answer = await relay.client().sendDecisionAndWaitForOutcome(alice, { pay: 1 }, soon);
    expect(answer.outcome).toBe(NoxyHumanDecisionOutcome.APPROVED);
    expect(asked).toBe(5);
  });

  it("goes on when the relay has been restarted", async () => {
    const first = await testRelay();
    const client = first.client();
    const waiting = client.waitForDecisionOutcome({ ...of, ...soon });
    await expect.poll(() => first.received.length).toBeGreaterThan(0);
    // Its connections break; the client is the second relay's to close.
    first.stop();
    await using second = await testRelay({
      port: first.port,
      answers: { getDecisionOutcome: () => ({ outcome: APPROVED }) },
    });
    expect((await waiting).outcome).toBe(NoxyHumanDecisionOutcome.APPROVED);
    expect(second.received.length).toBeGreaterThan(0);
    client.close();
  });

  it.each(["a pause", "a question"])("ends %s at once when the client is closed", async (during) => {
    await using relay = await testRelay({
      answers: during === "a question" ? { getDecisionOutcome: () => new Promise(() => {}) } : {},
    });
    const client = relay.client();
    const waiting = client.waitForDecisionOutcome({
      ...of,
      initialPollIntervalMs: 1_000_000,
      maxPollIntervalMs: 1_000_000,
    });
    await expect.poll(() => relay.received.length).toBe(1);
    if (during === "a pause") await client.getQuota(); // Its answer comes after the question's.
    client.close();
    await expect(waiting).rejects.toThrow("The client is closed.");
  });
});

describe("at our relay", () => {
  it("lets the relay hold the question, once it has said that it is ours", async () => {
    let answer = (_outcome: agent.DecisionOutcome) => {};
    await using relay = await testRelay({
      ours: true,
      devices: [newDevice()],
      answers: {
        getDecisionOutcome: () =>
          new Promise((resolve) => {
            answer = (outcome) => resolve({ outcome });
          }),
      },
    });
    const waiting = relay.client().sendDecisionAndWaitForOutcome(alice, { pay: 1 });
    await expect.poll(() => relay.of("getDecisionOutcome").length).toBe(1);
    answer(APPROVED);
    expect((await waiting).outcome).toBe(NoxyHumanDecisionOutcome.APPROVED);
    expect(relay.of("getDecisionOutcome").map(({ waitMs }) => waitMs)).toEqual(["55000"]);
  });

  it("never lets it hold longer than the wait, and asks without holding first where it does not know the relay", async () => {
    let asked = 0;
    await using relay = await testRelay({
      ours: true,
      answers: {
        getDecisionOutcome: () => (++asked < 2 ? { pending: true } : { outcome: APPROVED }),
      },
    });
    await relay.client().waitForDecisionOutcome({ ...of, ...soon, maxWaitMs: 10_000 });
    const [first, second] = relay.received.map(({ waitMs }) => waitMs);
    expect(first).toBeUndefined();
    expect(Number(second)).toBeGreaterThan(9000);
    expect(Number(second)).toBeLessThanOrEqual(10_000);
  });

  it("holds nothing for a single question", async () => {
    await using relay = await testRelay({ ours: true });
    const client = relay.client();
    await client.getQuota();
    await client.getDecisionOutcome("d", alice);
    expect(relay.of("getDecisionOutcome")[0]?.waitMs).toBeUndefined();
  });
});
