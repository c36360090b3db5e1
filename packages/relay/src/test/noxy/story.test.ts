/** The whole way on both legs: register, subscribe, be asked, answer; come back; two devices; the owner's word. */
import { agent as agentWire, device as wire } from "@guard/wires/noxy";
import { afterEach, describe, expect, test } from "vitest";
import { errorOf, type LegName, payloadOf } from "./device.fixture.ts";
import { noxyPlace, registrationMac } from "./place.fixture.ts";

const { DecisionOutcome, DeliveryStatus, QuotaStatus } = agentWire;
const alice = "alice@example.com";
const refund = { kind: "propose_tool_call", tool: "refund", args: { amount: 900 } };

let place: Awaited<ReturnType<typeof noxyPlace>>;
afterEach(() => place.close());

describe.each<LegName>(["stream", "browser"])("on the %s leg", (leg) => {
  test("a device registers, subscribes, is asked, and its answer reaches the agent", async () => {
    place = await noxyPlace();
    const { billing, device, app } = place;
    const phone = device(leg);
    const first = await phone.authenticate();
    expect(payloadOf(first, "authenticate")).toMatchObject({ requiresRegistration: true });
    expect(first).toMatchObject({ requestId: "r1", status: wire.ResponseStatus.OK });
    expect(Number(first.timestamp)).toBe(place.clock.now);
    expect(await billing.devices(alice)).toEqual([]);

    const signature = registrationMac(app.app, phone.keys, { identity: alice });
    const { deviceId, registeredAt, sessionId } = payloadOf(
      await phone.register(alice, { signature }),
      "registerDevice",
    );
    expect(Number(registeredAt)).toBe(place.clock.now);
    expect(deviceId).toMatch(/^[\w-]{43}$/);
    expect(await billing.devices("Alice@Example.com")).toMatchObject([
      { deviceId, publicKey: phone.keys.publicKey, pqPublicKey: phone.keys.pqPublicKey },
    ]);
    // Not subscribed: it is kept, and nothing is pushed.
    const early = await billing.send(alice, refund);
    expect(early.statuses).toEqual([DeliveryStatus.QUEUED]);
    expect(
      payloadOf(await phone.subscribe(true, { deviceId, sessionId }), "subscribeDecisions"),
    ).toMatchObject({
      subscribed: true,
    });
    expect(await phone.decision()).toEqual({ decision: early.decision, text: JSON.stringify(refund) });
    const came = phone.frames.map(({ payload }) => payload.case);
    expect(came).toEqual(["authenticate", "registerDevice", "subscribeDecisions", "decisionEvent"]);

    const { decision, statuses } = await billing.send(alice, refund);
    expect(statuses).toEqual([DeliveryStatus.DELIVERED]);
    expect(await phone.decision()).toEqual({ decision, text: JSON.stringify(refund) });
    expect(await billing.outcome(decision, alice)).toMatchObject({
      pending: true,
      outcome: DecisionOutcome.PENDING,
    });
    expect(payloadOf(await phone.ack(decision), "decisionAck")).toMatchObject({ decisionId: decision });
    const held = billing.outcome(decision, alice, 55_000);
    expect(payloadOf(await phone.answer(decision, "APPROVE"), "decisionOutcome")).toMatchObject({
      decisionId: decision,
      outcome: wire.DecisionOutcomeValue.APPROVE,
    });
    expect(await held).toMatchObject({ pending: false, outcome: DecisionOutcome.APPROVED });
    payloadOf(await phone.answer(early.decision, "REJECT"), "decisionOutcome");
    expect(await billing.outcome(early.decision, alice)).toMatchObject({
      pending: false,
      outcome: DecisionOutcome.REJECTED,
    });
  });

  test("what came while it was away is there when it is back, oldest first, until it has it", async () => {
    place = await noxyPlace();
    const { billing, subscribed } = place;
    const before = await subscribed(alice, leg);
    before.close();
    await before.ended;
    const sent = [];
    for (const amount of [1, 2, 3]) sent.push((await billing.send(alice, { amount })).decision);
    const back = await subscribed(alice, leg, before.keys);
    expect(back.id).toBe(before.id);
    for (const decision of sent) expect(await back.decision()).toMatchObject({ decision });
    payloadOf(await back.ack(sent[0] as string), "decisionAck");
    payloadOf(await back.answer(sent[1] as string, "REJECT"), "decisionOutcome");
    back.close();
    await back.ended;
    const again = await subscribed(alice, leg, before.keys);
    expect(await again.decision()).toEqual({ decision: sent[2], text: JSON.stringify({ amount: 3 }) });
    // What it has, it can still answer.
    payloadOf(await again.answer(sent[0] as string, "APPROVE"), "decisionOutcome");
    expect(again.waiting()).toBe(0);
    expect(await billing.outcome(sent[0] as string, alice)).toMatchObject({
      outcome: DecisionOutcome.APPROVED,
    });
  });

  test("noxy-open-registration: without the secret it waits, and comes in when the owner has confirmed it", async () => {
    place = await noxyPlace();
    const { billing, device, confirm, subscribed } = place;
    const stranger = device(leg);
    const { deviceId: id } = payloadOf(await stranger.register(alice), "registerDevice");
    expect(await billing.devices(alice)).toEqual([]);
    expect(errorOf(await stranger.subscribe())).toMatchObject({ code: "UNAUTHORIZED", retryable: true });
    expect(payloadOf(await stranger.authenticate(), "authenticate")).toMatchObject({
      requiresRegistration: false,
      deviceId: id,
    });
    expect(errorOf(await stranger.subscribe()).message).toContain("waits for the owner's confirmation");
    await confirm(alice, { id, keys: stranger.keys });
    // Coming back is how its client learns of it.
    await stranger.ended;
    const confirmed = await subscribed(alice, leg, stranger.keys);
    const { decision } = await billing.send(alice, refund);
    expect(await confirmed.decision()).toMatchObject({ decision });
  });

  test("revoked-device: it is told, its stream ends, and it does not come back", async () => {
    place = await noxyPlace();
    const { billing, subscribed, confirm, device, revoke } = place;
    const phone = await subscribed(alice, leg);
    await confirm(alice, phone);
    const { decision } = await billing.send(alice, refund);
    await phone.decision();
    await revoke(phone.id);
    expect(errorOf(await phone.next()).code).toBe("DEVICE_REVOKED");
    await phone.ended;
    const again = device(leg, phone.keys);
    expect(errorOf(await again.authenticate()).code).toBe("DEVICE_REVOKED");
    expect(errorOf(await again.register(alice)).code).toBe("DEVICE_REVOKED");
    expect(errorOf(await again.answer(decision, "APPROVE")).code).toBe("UNAUTHORIZED");
    expect(await billing.outcome(decision, alice)).toMatchObject({ outcome: DecisionOutcome.PENDING });
    expect(await billing.devices(alice)).toEqual([]);
  });

  test("a device ends itself, and every further request of it is answered", async () => {
    place = await noxyPlace();
    const { billing, subscribed } = place;
    const phone = await subscribed(alice, leg);
    const other = await subscribed(alice, leg);
    expect(payloadOf(await phone.revoke(), "revokeDevice")).toMatchObject({ revokedDeviceId: phone.id });
    for (const answered of [phone.subscribe(), phone.ack("x"), phone.answer("x", "APPROVE"), phone.revoke()])
      expect(errorOf(await answered).code).toBe("DEVICE_REVOKED");
    expect((await billing.devices(alice)).map(({ deviceId }) => deviceId)).toEqual([other.id]);
  });

  test("a device that rotates its keys is another one, which has to register", async () => {
    place = await noxyPlace();
    const { billing, subscribed, device } = place;
    const phone = await subscribed(alice, leg);
    const next = device(leg);
    payloadOf(await phone.rotate(next.keys), "rotateDeviceKeys");
    expect(errorOf(await phone.subscribe())).toMatchObject({ code: "UNAUTHORIZED", retryable: true });
    expect(errorOf(await phone.authenticate()).code).toBe("DEVICE_REVOKED");
    expect(await billing.devices(alice)).toEqual([]);
    expect(payloadOf(await next.authenticate(), "authenticate").requiresRegistration).toBe(true);
    next.close();
    const renewed = await subscribed(alice, leg, next.keys);
    const { decision } = await billing.send(alice, refund);
    expect(await renewed.decision()).toMatchObject({ decision });
    expect(errorOf(await renewed.rotate(renewed.keys)).code).toBe("INVALID_REQUEST");
  });

  test("two devices race: both are told the answer that stands", async () => {
    place = await noxyPlace();
    const { billing, subscribed } = place;
    const [one, other] = [await subscribed(alice, leg), await subscribed(alice, leg)];
    const { decision, statuses } = await billing.send(alice, refund);
    expect(statuses).toEqual([DeliveryStatus.DELIVERED, DeliveryStatus.DELIVERED]);
    await Promise.all([one.decision(), other.decision()]);
    const answers = await Promise.all([one.answer(decision, "APPROVE"), other.answer(decision, "REJECT")]);
    const told = answers.map((answer) => payloadOf(answer, "decisionOutcome").outcome);
    expect(told[0]).toBe(told[1]);
    const { outcome } = await billing.outcome(decision, alice);
    expect(outcome).toBe(
      told[0] === wire.DecisionOutcomeValue.APPROVE ? DecisionOutcome.APPROVED : DecisionOutcome.REJECTED,
    );
  });

  test("an app that its owner opened lets anybody in, until it is closed again", async () => {
    place = await noxyPlace({ settings: { open: true, signingSecret: null } });
    const { billing, device, settings, clock } = place;
    const phone = device(leg);
    payloadOf(await phone.register("0xAbCdEf0123456789aBcDeF0123456789abcdef01"), "registerDevice");
    payloadOf(await phone.subscribe(), "subscribeDecisions");
    expect(await billing.devices("0xabcdef0123456789abcdef0123456789abcdef01")).toHaveLength(1);
    clock.now++;
    await settings({ open: false, signingSecret: null });
    expect(errorOf(await phone.next())).toMatchObject({ code: "UNAUTHORIZED", retryable: true });
    await phone.ended;
  });

  test("stale-delivery: after its time a decision is expired, for the agent as for the device", async () => {
    place = await noxyPlace();
    const { billing, subscribed, clock, relay } = place;
    const phone = await subscribed(alice, leg);
    const { decision } = await billing.send(alice, refund, { ttlSeconds: 60 });
    await phone.decision();
    const held = billing.outcome(decision, alice, 55_000);
    clock.now += 60_000;
    relay.sweep();
    expect(await held).toMatchObject({ pending: false, outcome: DecisionOutcome.EXPIRED });
    const late = errorOf(await phone.answer(decision, "APPROVE"));
    expect(late).toMatchObject({ code: "INVALID_REQUEST", retryable: false });
    expect(late.message).toContain("expired");
  });
});

test("the quota is counted once a decision, and told", async () => {
  place = await noxyPlace({ settings: { quota: 2, name: "Shop" } });
  const { billing, subscribed } = place;
  await subscribed(alice);
  await subscribed(alice, "browser");
  await billing.send(alice, refund);
  expect(await billing.quota()).toMatchObject({
    appName: "Shop",
    quotaTotal: 2n,
    quotaRemaining: 1n,
    status: QuotaStatus.QUOTA_ACTIVE,
  });
});

test("hundreds of devices of one identity are asked at once, and the first answer stands for all", async () => {
  place = await noxyPlace({ limits: { foreignOfIdentity: 200 } });
  const { billing, subscribed } = place;
  const crowd = await Promise.all(
    Array.from({ length: 200 }, (_, i) => subscribed(alice, i % 2 === 0 ? "stream" : "browser")),
  );
  const { decision, statuses } = await billing.send(alice, refund);
  expect(statuses).toEqual(Array(200).fill(DeliveryStatus.DELIVERED));
  const seen = await Promise.all(crowd.map((device) => device.decision()));
  expect(new Set(seen.map(({ text }) => text))).toEqual(new Set([JSON.stringify(refund)]));
  const answers = await Promise.all(
    crowd.map((device, i) => device.answer(decision, i % 2 === 0 ? "APPROVE" : "REJECT")),
  );
  const told = new Set(answers.map((answer) => payloadOf(answer, "decisionOutcome").outcome));
  expect(told.size).toBe(1);
  expect(crowd.map((device) => device.waiting())).toEqual(Array(crowd.length).fill(0));
});
