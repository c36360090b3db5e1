/** AgentService under its clients' mistakes and attacks: tokens, sizes, repetition, waits, limits. */
import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { type ServiceError, status } from "@grpc/grpc-js";
import { agentService, agent as wire } from "@guard/wires/noxy";
import { afterEach, expect, test } from "vitest";
import { payloadOf } from "./device.fixture.ts";
import { noxyPlace } from "./place.fixture.ts";
import { seal } from "./seal.fixture.ts";

const { DecisionOutcome, DeliveryStatus } = wire;
const alice = "alice@example.com";

let place: Awaited<ReturnType<typeof noxyPlace>>;
afterEach(() => place.close());

const failure = (call: Promise<unknown>): Promise<ServiceError> =>
  call.then(
    () => Promise.reject(new Error("This went well.")),
    (error) => error,
  );
const codeOf = async (call: Promise<unknown>) => (await failure(call)).code;

test("every answer says that the relay is one of ours, errors too, and repeats the request id", async () => {
  place = await noxyPlace();
  const ask = create(wire.GetQuotaRequestSchema, { requestId: "mine" });
  const { reply, metadata } = await place.billing.call(agentService.getQuota, ask);
  expect(reply.requestId).toBe("mine");
  expect(metadata.get("guard-relay")).toEqual(["1"]);
  const seen: unknown[] = [];
  const refused = place.stranger().call(agentService.getQuota, ask, {
    opened: (call) => call.on("metadata", (first) => seen.push(...first.get("guard-relay"))),
  });
  expect(await codeOf(refused)).toBe(status.UNAUTHENTICATED);
  expect(seen).toEqual(["1"]);
});

test("a token is needed, an agent's, in the metadata, once", async () => {
  place = await noxyPlace();
  const { client, app, billing } = place;
  expect(await codeOf(client(null).quota())).toBe(status.UNAUTHENTICATED);
  expect(await codeOf(place.stranger().quota())).toBe(status.UNAUTHENTICATED);
  const owner = await failure(client(app.owner).quota());
  expect([owner.code, owner.details]).toEqual([
    status.PERMISSION_DENIED,
    "This call is for the token of an agent.",
  ]);
  const ask = create(wire.GetQuotaRequestSchema, {});
  const basic = billing.call(agentService.getQuota, ask, { metadata: { authorization: "Basic x" } });
  expect(await codeOf(basic)).toBe(status.UNAUTHENTICATED);
  expect((await billing.quota()).appName).toBe("Tests");
});

test("an app that its owner did not switch on has no such wire, and the words say who can change that", async () => {
  place = await noxyPlace();
  const app = await place.plainApp();
  const { code, details } = await failure(place.client((await app.agent("mute")).token).quota());
  expect(code).toBe(status.NOT_FOUND);
  expect(details).toContain("guard noxy enable");
});

test("kill-switch-race: what suspends or revokes the agent on the roster stops its calls and its held waits", async () => {
  place = await noxyPlace();
  const { app, billing, subscribed, anotherAgent } = place;
  await subscribed(alice);
  const { decision } = await billing.send(alice, {});
  const held = codeOf(billing.outcome(decision, alice, 55_000));
  await billing.quota();
  await app.append({ kind: "suspend", agent: "billing", reason: null });
  expect(await held).toBe(status.PERMISSION_DENIED);
  expect(await codeOf(billing.send(alice, {}))).toBe(status.PERMISSION_DENIED);
  await app.append({ kind: "lift", agent: "billing" });
  expect((await billing.send(alice, {})).statuses).toEqual([DeliveryStatus.DELIVERED]);
  const second = await anotherAgent("second");
  await app.append({ kind: "revoke", target: { kind: "agent", id: "second" }, reason: null });
  expect(await codeOf(second.quota())).toBe(status.UNAUTHENTICATED);
});

test("cross-tenant: another app's devices and decisions do not exist, another agent's decisions neither", async () => {
  place = await noxyPlace();
  const { billing, subscribed, anotherAgent } = place;
  const other = await place.office();
  const phone = await subscribed(alice);
  const theirs = await other.subscribed(alice);
  const { decision } = await billing.send(alice, {});
  expect(await other.billing.devices(alice)).toMatchObject([{ deviceId: theirs.id }]);
  const sealed = seal(phone.keys.pqPublicKey, "{}");
  expect(await other.billing.route({ ...sealed, targetDeviceId: phone.id, decisionId: "d" })).toMatchObject({
    status: DeliveryStatus.NO_DEVICES,
    decisionId: "",
  });
  for (const client of [other.billing, await anotherAgent("second")]) {
    const { code, details } = await failure(client.outcome(decision, alice));
    expect([code, details]).toEqual([status.NOT_FOUND, "There is nothing here that this token may see."]);
  }
  expect(await codeOf(billing.outcome(decision, "bob@example.com"))).toBe(status.NOT_FOUND);
  await phone.decision();
  expect(theirs.waiting()).toBe(0);
});

test("wrong sizes and ids are refused, and nothing is stored", async () => {
  place = await noxyPlace({ settings: { quota: 5 } });
  const { billing, subscribed } = place;
  const phone = await subscribed(alice);
  const sealed = { ...seal(phone.keys.pqPublicKey, "{}"), targetDeviceId: phone.id, decisionId: "d" };
  const wrong = [
    { nonce: randomBytes(11) },
    { nonce: randomBytes(13) },
    { nonce: randomBytes(0) },
    { kyberCt: randomBytes(1087) },
    { kyberCt: randomBytes(0) },
    { ciphertext: randomBytes(15) },
    { ciphertext: randomBytes(0) },
    { decisionId: "x".repeat(129) },
    { ttlSeconds: 0xffff_ffff },
  ];
  for (const over of wrong)
    expect([over, await codeOf(billing.route({ ...sealed, ...over }))]).toEqual([
      over,
      status.INVALID_ARGUMENT,
    ]);
  for (const targetDeviceId of ["", "x", "constructor", "__proto__"])
    expect(await billing.route({ ...sealed, targetDeviceId })).toMatchObject({
      status: DeliveryStatus.NO_DEVICES,
      decisionId: "",
    });
  expect((await billing.quota()).quotaRemaining).toBe(5n);
  expect(await billing.devices("nobody@example.com")).toEqual([]);
  expect(await codeOf(billing.devices("two words"))).toBe(status.INVALID_ARGUMENT);
  expect(await codeOf(billing.outcome("none", alice))).toBe(status.NOT_FOUND);
  expect((await billing.route(sealed)).decisionId).toBe("d");
});

test("routing again is a lost reply: the first bytes stay, and it counts once", async () => {
  place = await noxyPlace({ settings: { quota: 5 } });
  const { billing, subscribed } = place;
  const phone = await subscribed(alice);
  const to = { targetDeviceId: phone.id, decisionId: "again" };
  await billing.route({ ...seal(phone.keys.pqPublicKey, "first"), ...to });
  await billing.route({ ...seal(phone.keys.pqPublicKey, "second"), ...to });
  phone.close();
  await phone.ended;
  const back = await subscribed(alice, "stream", phone.keys);
  expect(await back.decision()).toEqual({ decision: "again", text: "first" });
  expect((await billing.quota()).quotaRemaining).toBe(4n);
  const { decisionId } = await billing.route({
    ...seal(phone.keys.pqPublicKey, "x"),
    targetDeviceId: phone.id,
  });
  expect(decisionId).toMatch(/^[0-9a-f-]{36}$/);
  expect(await back.decision()).toMatchObject({ decision: decisionId });
});

test("a held wait ends with the answer, with its own time, with the call's deadline, and with the caller", async () => {
  place = await noxyPlace();
  const { billing, subscribed, relay } = place;
  const phone = await subscribed(alice);
  const { decision } = await billing.send(alice, {});
  expect(await billing.outcome(decision, alice, 20)).toMatchObject({ pending: true });
  expect(await codeOf(billing.outcome(decision, alice, 55_000, { deadline: Date.now() + 50 }))).toBe(
    status.DEADLINE_EXCEEDED,
  );
  let gone = () => {};
  const cancelled = codeOf(
    billing.outcome(decision, alice, 55_000, {
      opened: (call) => {
        gone = () => call.cancel();
        call.on("metadata", () => call.cancel());
      },
    }),
  );
  expect(await cancelled).toBe(status.CANCELLED);
  gone();
  for (const metadata of ["", "-1", "1.5", "1e3", "soon"]) {
    const asked = billing.outcome(decision, alice, undefined, { metadata: { "guard-wait-ms": metadata } });
    expect([metadata, await codeOf(asked)]).toEqual([metadata, status.INVALID_ARGUMENT]);
  }
  const held = [billing.outcome(decision, alice, 55_000), billing.outcome(decision, alice, 999_999)];
  payloadOf(await phone.answer(decision, "REJECT"), "decisionOutcome");
  for (const one of await Promise.all(held)) expect(one.outcome).toBe(DecisionOutcome.REJECTED);
  const { decision: next } = await billing.send(alice, {});
  const released = billing.outcome(next, alice, 55_000);
  await billing.quota();
  relay.release();
  expect(await released).toMatchObject({ pending: true });
});

test("quota-exhaustion: the month's decisions end with RESOURCE_EXHAUSTED and when to come back", async () => {
  place = await noxyPlace({ settings: { quota: 1 } });
  const { billing, subscribed } = place;
  await subscribed(alice);
  await billing.send(alice, {});
  const { code, details, metadata } = await failure(billing.send(alice, {}));
  expect(code).toBe(status.RESOURCE_EXHAUSTED);
  expect(details).toContain("guard noxy enable --quota");
  expect(Number(metadata.get("retry-after-ms")[0])).toBeGreaterThan(0);
});

test("quota-exhaustion: calls of one app have a rate, large ones count for more, and other apps have their own", async () => {
  place = await noxyPlace({ limits: { foreignRate: { perSecond: 0.001, burst: 40 } } });
  const { billing, subscribed } = place;
  const other = await place.office();
  const phone = await subscribed(alice);
  const large = seal(phone.keys.pqPublicKey, "x".repeat(500_000));
  await billing.route({ ...large, targetDeviceId: phone.id, decisionId: "large" });
  const codes = await Promise.all(
    Array.from({ length: 20 }, () =>
      billing.quota().then(
        () => 0,
        (e) => e,
      ),
    ),
  );
  const refused = codes.filter((code) => code !== 0);
  expect(refused.length).toBeGreaterThan(10);
  expect(refused.map(({ code }) => code)).toEqual(refused.map(() => status.RESOURCE_EXHAUSTED));
  expect(Number(refused[0].metadata.get("retry-after-ms")[0])).toBeGreaterThan(0);
  expect((await other.billing.quota()).appName).toBe("Tests");
});

test("quota-exhaustion: guessing tokens from one address ends at its rate", async () => {
  place = await noxyPlace({ limits: { addressRate: { perSecond: 0.001, burst: 3 } } });
  const stranger = place.stranger();
  const codes = [];
  for (let i = 0; i < 6; i++) codes.push(await codeOf(stranger.quota()));
  expect(codes.at(-1)).toBe(status.RESOURCE_EXHAUSTED);
  expect((await place.billing.quota()).appName).toBe("Tests");
});
