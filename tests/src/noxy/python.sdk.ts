// The client that Noxy published for Python, unchanged, against our relay over TLS: what it sends reaches devices, what
// they answer reaches it, and what we refuse it raises in words.
import { device as wire } from "@guard/wires/noxy";
import { describe, expect, inject, test } from "vitest";
import { noxyPlace } from "./place.fixture.ts";
import { raised } from "./python.fixture.ts";

const python = inject("python") ?? "";
const { REJECT } = wire.DecisionOutcomeValue;
const alice = "alice@example.com";
const decision = {
  kind: "propose_tool_call",
  tool: "transfer_funds",
  args: { to: "0x000000000000000000000000000000000000dEaD", amountWei: "1" },
  title: "Transfer 1 wei",
  summary: "The agent asks to send 1 wei.",
};

describe.skipIf(python === "")("noxy-sdk 2.2.0 for Python", () => {
  const start = (options: Omit<Parameters<typeof noxyPlace>[0], "python"> = {}) =>
    noxyPlace({ python, ...options });

  describe("asks", () => {
    test.each([
      ["approved", "APPROVE", "stream"],
      ["rejected", "REJECT", "browser"],
    ] as const)("and hears that a person %s", async (outcome, answer, leg) => {
      await using place = await start();
      const phone = await place.device(alice, leg);
      const asking = place.client().ask(alice, decision);
      const pushed = await phone.next();
      expect(pushed.says).toEqual(decision);
      await phone.answer(pushed.decision, answer);
      expect(await asking).toMatchObject({ pending: false, outcome: outcome.toUpperCase() });
    });

    test("step by step: delivery, a poll, the wait, and the same answer ever after", async () => {
      await using place = await start();
      const phone = await place.device(alice);
      const client = place.client();
      const [sent, ...more] = await client.send(alice, decision);
      expect(more).toEqual([]);
      const { decision: id } = await phone.next();
      expect(sent).toMatchObject({ status: "DELIVERED", decision_id: id });
      expect(await client.outcome(id, alice)).toMatchObject({ pending: true, outcome: "PENDING" });
      const waiting = client.wait(id, alice);
      await phone.answer(id, "APPROVE");
      expect(await waiting).toMatchObject({ pending: false, outcome: "APPROVED" });
      expect(await client.outcome(id, alice.toUpperCase())).toMatchObject({ outcome: "APPROVED" });
      expect(await client.close()).toBe(0);
    });

    test("and hears that nobody answered in time", async () => {
      await using place = await start();
      const phone = await place.device(alice);
      const client = place.client({ ttlSeconds: 1 });
      expect(await client.ask(alice, decision)).toMatchObject({ pending: false, outcome: "EXPIRED" });
      const { decision: id } = await phone.next();
      await expect(phone.answer(id, "APPROVE")).rejects.toThrow(/expired/i);
      expect(await client.outcome(id, alice)).toMatchObject({ outcome: "EXPIRED" });
    });

    test("two devices: the first answer counts, and the second device hears which one that was", async () => {
      await using place = await start({ quota: 10 });
      const [phone, laptop] = [await place.device(alice), await place.device(alice, "browser")];
      const client = place.client();
      const sent = await client.send(alice, decision);
      expect(sent.map(({ status }) => status)).toEqual(["DELIVERED", "DELIVERED"]);
      const [first, second] = [await phone.next(), await laptop.next()];
      expect(second).toEqual(first);
      expect(new Set(sent.map(({ decision_id }) => decision_id))).toEqual(new Set([first.decision]));
      expect(await laptop.answer(first.decision, "REJECT")).toBe(REJECT);
      expect(await phone.answer(first.decision, "APPROVE")).toBe(REJECT);
      expect(await client.wait(first.decision, alice)).toMatchObject({ outcome: "REJECTED" });
      expect((await client.quota()).quota_remaining).toBe(9);
    });

    test("a device that is away: queued, delivered when it is back, answered", async () => {
      await using place = await start();
      const { keys, leave } = await place.device(alice);
      await leave();
      const client = place.client();
      const [sent] = await client.send(alice, decision);
      expect(sent?.status).toBe("QUEUED");
      const back = await place.device(alice, "stream", keys);
      const pushed = await back.next();
      expect(pushed).toMatchObject({ decision: sent?.decision_id, says: decision });
      await back.answer(pushed.decision, "APPROVE");
      expect(await client.wait(pushed.decision, alice)).toMatchObject({ outcome: "APPROVED" });
    });

    test("many at once, each with its own answer", async () => {
      await using place = await start();
      const phone = await place.device(alice);
      const client = place.client();
      const numbers = [0, 1, 2, 3, 4, 5, 6, 7];
      const asking = numbers.map((number) => client.ask(alice, { number }));
      for (const _ of numbers) {
        const { decision: id, says } = await phone.next();
        await phone.answer(id, (says as { number: number }).number % 2 ? "REJECT" : "APPROVE");
      }
      const outcomes = (await Promise.all(asking)).map(({ outcome }) => outcome);
      expect(outcomes).toEqual(numbers.map((number) => (number % 2 ? "REJECTED" : "APPROVED")));
    });

    test("nobody who has a device: an empty list, and no decision to wait for", async () => {
      await using place = await start();
      const client = place.client();
      expect(await client.send("nobody@example.com", decision)).toEqual([]);
      const error = await raised(client.ask("nobody@example.com", decision));
      expect(error.type).toBe("SendDecisionAndWaitNoDecisionIdError");
    });

    test("and gives up when its budget is over, while the decision stays open", async () => {
      await using place = await start();
      const phone = await place.device(alice);
      const client = place.client();
      const tuned = { max_wait_ms: 300, initial_poll_interval_ms: 50, max_poll_interval_ms: 100 };
      expect((await raised(client.ask(alice, decision, tuned))).type).toBe(
        "WaitForDecisionOutcomeTimeoutError",
      );
      const { decision: id } = await phone.next();
      await phone.answer(id, "APPROVE");
      expect(await client.wait(id, alice)).toMatchObject({ outcome: "APPROVED" });
    });
  });

  describe("says", () => {
    test.each([
      ["a large decision", { text: "x".repeat(400_000) }],
      ["unicode", { "Größe 🦺": "日本語 \u0000 \u2028 العربية", emoji: "👩‍👩‍👧" }],
      ["numbers past 2^53", { wei: 12345678901234567890n }],
      ["nothing", null],
    ])("%s", async (_name, said) => {
      await using place = await start();
      const phone = await place.device(alice);
      const [sent] = await place.client().send(alice, said);
      expect(sent?.status).toBe("DELIVERED");
      expect((await phone.next()).says).toEqual(said);
    });

    test("what JSON has no word for, as it writes it: by str()", async () => {
      await using place = await start();
      const phone = await place.device(alice);
      await place.client().send(alice, {
        amount: { $decimal: "12.50" },
        due: { $datetime: "2026-01-02T03:04:05+00:00" },
      });
      expect((await phone.next()).text).toBe('{"amount": "12.50", "due": "2026-01-02 03:04:05+00:00"}');
    });

    test.each([
      "Zoë@bücher.example",
      "0xAbC0000000000000000000000000000000000001",
      "+49 170 1234567",
      "user-17",
    ])("it to %s", async (identity) => {
      await using place = await start();
      const phone = await place.device(identity);
      const asking = place.client().ask(identity, decision);
      await phone.answer((await phone.next()).decision, "APPROVE");
      expect(await asking).toMatchObject({ outcome: "APPROVED" });
    });
  });

  describe("is refused, and raises why", () => {
    test("quota-exhaustion: a quota that is used up", async () => {
      await using place = await start({ quota: 2 });
      await place.device(alice);
      const client = place.client();
      expect(await client.quota()).toMatchObject({
        app_name: "shop",
        quota_total: 2,
        quota_remaining: 2,
        status: "QUOTA_ACTIVE",
      });
      await client.send(alice, decision);
      await client.send(alice, decision);
      expect(await client.quota()).toMatchObject({ quota_total: 2, quota_remaining: 0 });
      const error = await raised(client.send(alice, decision));
      expect(error).toMatchObject({ code: "RESOURCE_EXHAUSTED", message: expect.stringMatching(/quota/i) });
    });

    test("a token that is nobody's", async () => {
      await using place = await start();
      await place.device(alice);
      for (const token of [place.strangersToken(), ""]) {
        const client = place.client({ token });
        for (const call of [
          client.quota,
          () => client.send(alice, decision),
          () => client.outcome("d", alice),
        ])
          expect((await raised(call())).code).toBe("UNAUTHENTICATED");
      }
    });

    test("a suspended agent, also while it waits", async () => {
      await using place = await start();
      await place.device(alice);
      const client = place.client();
      const [sent] = await client.send(alice, decision);
      const waiting = raised(client.wait(sent?.decision_id ?? "", alice));
      await place.suspendAgent();
      expect((await waiting).code).toBe("PERMISSION_DENIED");
      expect((await raised(client.send(alice, decision))).code).toBe("PERMISSION_DENIED");
    });

    test("an app whose owner did not switch the wire on", async () => {
      await using place = await start({ enabled: false });
      const error = await raised(place.client().send(alice, decision));
      expect(error).toMatchObject({ code: "NOT_FOUND", message: expect.stringMatching(/guard noxy enable/) });
    });

    test("an app whose owner suspended the wire; its quota says so", async () => {
      await using place = await start();
      await place.device(alice);
      await place.suspendApp();
      const client = place.client();
      expect((await client.quota()).status).toBe("QUOTA_SUSPENDED");
      expect((await raised(client.send(alice, decision))).code).toBe("PERMISSION_DENIED");
    });

    test("a decision of nobody's", async () => {
      await using place = await start();
      expect((await raised(place.client().outcome(crypto.randomUUID(), alice))).code).toBe("NOT_FOUND");
    });

    test("a decision that is too large: the client stays usable", async () => {
      await using place = await start();
      await place.device(alice);
      const client = place.client();
      const error = await raised(client.send(alice, { text: "x".repeat(600_000) }));
      expect(error.code).toBe("RESOURCE_EXHAUSTED");
      expect((await client.quota()).app_name).toBe("shop");
    });
  });

  describe("and the line", () => {
    test("it does not speak to a relay whose certificate it does not trust", async () => {
      await using place = await start();
      const error = await raised(place.client({ roots: null }).quota());
      expect(error).toMatchObject({
        code: "UNAVAILABLE",
        message: expect.stringMatching(/certificate|ssl/i),
      });
    });

    test("a relay that restarts in between: the same client goes on, and nothing is lost", async () => {
      await using place = await start();
      const phone = await place.device(alice);
      const client = place.client();
      const [first] = await client.send(alice, decision);
      const [second] = await client.send(alice, { second: true });
      const answered = await phone.next();
      await phone.answer(answered.decision, "REJECT");
      await place.stop();
      expect((await raised(client.quota())).code).toBe("UNAVAILABLE");
      await place.start();
      const back = await place.device(alice, "stream", phone.keys);
      const pushed = await back.next();
      expect(pushed).toMatchObject({ decision: second?.decision_id, says: { second: true } });
      await back.answer(pushed.decision, "APPROVE");
      const again = place.client();
      for (const one of [client, again]) {
        await expect
          .poll(() => one.wait(first?.decision_id ?? "", alice).catch(({ code }) => code), {
            timeout: 10_000,
          })
          .toMatchObject({ outcome: "REJECTED" });
        expect(await one.wait(second?.decision_id ?? "", alice)).toMatchObject({ outcome: "APPROVED" });
      }
    });

    test("the relay's rate: tried three times, then raised with when to come back", async () => {
      await using place = await start();
      const { leave } = await place.device(alice);
      await leave();
      await place.stop();
      // One call passes, which asks for the devices; this bucket does not fill again while the test runs.
      await place.start({ foreignRate: { perSecond: 0.001, burst: 1 } });
      const error = await raised(place.client().send(alice, decision));
      expect(error.code).toBe("RESOURCE_EXHAUSTED");
      expect(Number(error.trailers["retry-after-ms"])).toBeGreaterThan(0);
      expect(error.ms).toBeGreaterThanOrEqual(300);
    });

    test("the relay's rate: what is refused at first comes through by the client's own retries", async () => {
      await using place = await start();
      const { keys, leave } = await place.device(alice);
      await leave();
      await place.stop();
      await place.start({ foreignRate: { perSecond: 4, burst: 1 } });
      const [sent] = await place.client().send(alice, decision);
      expect(sent?.status).toBe("QUEUED");
      await place.stop();
      await place.start();
      expect(await (await place.device(alice, "stream", keys)).next()).toMatchObject({ says: decision });
    });
  });
});
