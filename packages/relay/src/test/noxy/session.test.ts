/** A device's session under attack, on both legs: who may register, whose ids count, what is fresh, what it may use. */
import { device as wire } from "@guard/wires/noxy";
import { afterEach, describe, expect, test } from "vitest";
import { errorOf, type LegName, payloadOf } from "./device.fixture.ts";
import { noxyPlace, registrationMac, signingSecret } from "./place.fixture.ts";
import { newDeviceKeys } from "./seal.fixture.ts";

const alice = "alice@example.com";
const minutes = (n: number) => n * 60_000;

let place: Awaited<ReturnType<typeof noxyPlace>>;
afterEach(() => place.close());

describe.each<LegName>(["stream", "browser"])("on the %s leg", (leg) => {
  test("every request is answered before it is known who sends it", async () => {
    place = await noxyPlace();
    const phone = place.device(leg);
    const answers = [
      phone.subscribe(),
      phone.ack("x"),
      phone.answer("x", "APPROVE"),
      phone.rotate(newDeviceKeys()),
      phone.revoke(),
    ];
    for (const answer of answers) expect(errorOf(await answer).code).toBe("UNAUTHORIZED");
    expect(errorOf(await phone.ask(undefined)).code).toBe("INVALID_REQUEST");
    expect(payloadOf(await phone.authenticate(), "authenticate").requiresRegistration).toBe(true);
    expect(errorOf(await phone.subscribe()).code).toBe("UNAUTHORIZED");
  });

  test("noxy-open-registration: a wrong MAC is refused, a missing one waits, the right one is let in", async () => {
    place = await noxyPlace();
    const { device, app, billing } = place;
    const phone = device(leg);
    const wrong = [
      registrationMac(app.app, phone.keys, { identity: alice, secret: `${signingSecret}s` }),
      registrationMac(app.app, phone.keys, { identity: "bob@example.com" }),
      registrationMac(app.app, newDeviceKeys(), { identity: alice }),
      registrationMac(app.app, phone.keys, { identity: alice, type: "ios" }),
      registrationMac("another", phone.keys, { identity: alice }),
      registrationMac(app.app, phone.keys, { identity: alice, identityType: 1 }),
      new Uint8Array(32),
    ];
    for (const signature of wrong)
      expect(errorOf(await phone.register(alice, { signature })).code).toBe("INVALID_SIGNATURE");
    expect(payloadOf(await phone.authenticate(), "authenticate").requiresRegistration).toBe(true);
    // A wallet's own signature is none that this relay could check.
    for (const signature of [new Uint8Array(), new Uint8Array(65), new Uint8Array(31)]) {
      payloadOf(await phone.register(alice, { signature }), "registerDevice");
      expect(errorOf(await phone.subscribe())).toMatchObject({ code: "UNAUTHORIZED", retryable: true });
    }
    expect(await billing.devices(alice)).toEqual([]);
    const signature = registrationMac(app.app, phone.keys, { identity: alice });
    payloadOf(await phone.register(alice, { signature }), "registerDevice");
    payloadOf(await phone.subscribe(), "subscribeDecisions");
    expect(await billing.devices(alice)).toHaveLength(1);
  });

  test("replay: a nonce counts once, whoever sends it before a device is known, and has 12 bytes", async () => {
    place = await noxyPlace();
    const { device, subscribed } = place;
    const nonce = crypto.getRandomValues(new Uint8Array(12));
    const phone = device(leg);
    payloadOf(await phone.authenticate({ nonce }), "authenticate");
    expect(errorOf(await phone.authenticate({ nonce })).code).toBe("REPLAY_DETECTED");
    expect(errorOf(await device(leg).authenticate({ nonce })).code).toBe("REPLAY_DETECTED");
    expect(errorOf(await phone.register(alice, {}, { nonce })).code).toBe("REPLAY_DETECTED");
    for (const length of [0, 11, 13, 24]) {
      const answer = await phone.authenticate({ nonce: new Uint8Array(length) });
      expect(errorOf(answer).code).toBe("INVALID_NONCE");
    }
    const known = await subscribed(alice, leg);
    payloadOf(await known.subscribe(true, { nonce }), "subscribeDecisions");
    expect(errorOf(await known.subscribe(true, { nonce })).code).toBe("REPLAY_DETECTED");
    expect(errorOf(await known.subscribe(true, { nonce: new Uint8Array(11) })).code).toBe("INVALID_NONCE");
  });

  test("replay: a message is refused more than five minutes off the relay's clock, either way", async () => {
    place = await noxyPlace();
    const { device, subscribed, clock } = place;
    const [phone, known] = [device(leg), await subscribed(alice, leg)];
    for (const off of [minutes(5) + 1, -minutes(5) - 1, -clock.now]) {
      const timestamp = BigInt(clock.now + off);
      expect(errorOf(await phone.authenticate({ timestamp })).code).toBe("REPLAY_DETECTED");
      expect(errorOf(await known.subscribe(true, { timestamp })).code).toBe("REPLAY_DETECTED");
    }
    for (const off of [minutes(5), -minutes(5)]) {
      const timestamp = BigInt(clock.now + off);
      payloadOf(await phone.authenticate({ timestamp }), "authenticate");
      payloadOf(await known.subscribe(true, { timestamp }), "subscribeDecisions");
    }
    // By when a nonce is forgotten its message is too old.
    const replayed = phone.request(
      {
        case: "authenticate",
        value: { devicePubkeys: { publicKey: phone.keys.publicKey, pqPublicKey: phone.keys.pqPublicKey } },
      },
      { timestamp: BigInt(clock.now + minutes(5)) },
    );
    payloadOf(await phone.sendRequest(replayed), "authenticate");
    for (const passed of [minutes(9), minutes(1), minutes(1)]) {
      clock.now += passed;
      payloadOf(await phone.authenticate(), "authenticate");
      expect(errorOf(await phone.sendRequest(replayed)).code).toBe("REPLAY_DETECTED");
    }
  });

  test("cross-tenant: the ids of another app, device or session do nothing on this stream", async () => {
    place = await noxyPlace();
    const { billing, subscribed, device } = place;
    const other = await place.office();
    const [mine, second] = [await subscribed(alice, leg), await subscribed(alice, leg)];
    const theirs = await other.subscribed("mallory@example.com", leg);
    const { decision } = await billing.send(alice, {});
    await mine.decision();
    const session = payloadOf(await second.authenticate(), "authenticate").sessionId as string;
    const foreign = [
      { appId: other.app.app },
      { appId: "" },
      { deviceId: second.id },
      { deviceId: theirs.id },
      { deviceId: "" },
      { sessionId: session },
      { sessionId: "" },
      { deviceId: second.id, sessionId: session },
    ];
    for (const over of foreign) {
      expect(errorOf(await mine.answer(decision, "APPROVE", over)).code).toBe("UNAUTHORIZED");
      expect(errorOf(await mine.ack(decision, over)).code).toBe("UNAUTHORIZED");
      expect(errorOf(await mine.subscribe(true, over)).code).toBe("UNAUTHORIZED");
    }
    // A device of another app, and one of another person, do not see that there is such a decision.
    const bob = await subscribed("bob@example.com", leg);
    for (const stranger of [theirs, bob]) {
      expect(errorOf(await stranger.answer(decision, "APPROVE"))).toMatchObject({
        code: "INVALID_REQUEST",
        message: "There is nothing here that this token may see.",
      });
      expect(errorOf(await stranger.ack(decision)).code).toBe("INVALID_REQUEST");
      expect(stranger.waiting()).toBe(0);
    }
    // Keys that one app knows are unknown in the other.
    const moved = await device(leg, theirs.keys).authenticate();
    expect(payloadOf(moved, "authenticate").requiresRegistration).toBe(true);
    expect(await billing.outcome(decision, alice)).toMatchObject({ pending: true });
  });

  test("cross-tenant: an app that there is not and one without this wire answer alike", async () => {
    place = await noxyPlace();
    const plain = await place.plainApp();
    const phone = place.device(leg);
    const told = [];
    for (const appId of [plain.app, "nowhere", "", "constructor", "x".repeat(500)])
      told.push(errorOf(await phone.authenticate({ appId })));
    told.push(errorOf(await phone.register(alice, {}, { appId: plain.app })));
    expect(told[0]).toMatchObject({ code: "APP_NOT_FOUND", retryable: false });
    for (const one of told) expect(one).toEqual(told[0]);
  });

  test("a suspended app refuses, and ends who is connected", async () => {
    place = await noxyPlace();
    const { subscribed, settings, clock, device } = place;
    const phone = await subscribed(alice, leg);
    clock.now++;
    await settings({ suspended: true });
    await phone.ended;
    expect(errorOf(await device(leg, phone.keys).authenticate())).toMatchObject({ code: "UNAUTHORIZED" });
    clock.now++;
    await settings({});
    await subscribed(alice, leg, phone.keys);
  });

  test("keys of other sizes and identities that are none are refused", async () => {
    place = await noxyPlace();
    const phone = place.device(leg);
    const { publicKey, pqPublicKey } = phone.keys;
    const wrong = [
      { publicKey: publicKey.subarray(1), pqPublicKey },
      { publicKey, pqPublicKey: pqPublicKey.subarray(1) },
      { publicKey: new Uint8Array(), pqPublicKey: new Uint8Array() },
      { publicKey: new Uint8Array(33), pqPublicKey: new Uint8Array(1185) },
    ];
    for (const devicePubkeys of wrong) {
      const answer = await phone.ask({ case: "authenticate", value: { devicePubkeys } });
      expect(errorOf(answer).code).toBe("INVALID_REQUEST");
      expect(errorOf(await phone.register(alice, { devicePubkeys })).code).toBe("INVALID_REQUEST");
    }
    for (const identity of ["", "two words", "x".repeat(321), "pаypal@example.com"])
      expect(errorOf(await phone.register(identity)).code).toBe("INVALID_REQUEST");
    expect(errorOf(await phone.register(alice, { type: "" })).code).toBe("INVALID_REQUEST");
    expect(errorOf(await phone.register(alice, { type: "x".repeat(51) })).code).toBe("INVALID_REQUEST");
    payloadOf(await phone.register(alice), "registerDevice");
    expect(errorOf(await phone.register("bob@example.com")).code).toBe("INVALID_REQUEST");
  });

  test("quota-exhaustion: a connection has a rate, and one over it is told so and goes on", async () => {
    place = await noxyPlace({ limits: { foreignConnectionRate: { perSecond: 50, burst: 5 } } });
    const { subscribed } = place;
    const phone = await subscribed(alice, leg);
    const answers = await Promise.all(Array.from({ length: 10 }, () => phone.subscribe()));
    const refused = answers.filter(({ status }) => status === wire.ResponseStatus.ERROR);
    expect(refused.length).toBeGreaterThan(4);
    for (const answer of refused)
      expect(errorOf(answer)).toMatchObject({ code: "RATE_LIMITED", retryable: true });
    await expect.poll(async () => (await phone.subscribe()).status).toBe(wire.ResponseStatus.OK);
    const another = await subscribed(alice, leg);
    payloadOf(await another.subscribe(), "subscribeDecisions");
  });

  test("quota-exhaustion: strangers have a rate by app, whatever connections they make", async () => {
    place = await noxyPlace({ limits: { foreignFirstRate: { perSecond: 0.001, burst: 4 } } });
    const { subscribed, device } = place;
    const known = await subscribed(alice, leg);
    const told = [];
    for (let i = 0; i < 4; i++) told.push(await device(leg).authenticate());
    expect(errorOf(told.at(-1) as wire.DeviceResponse)).toMatchObject({
      code: "RATE_LIMITED",
      retryable: true,
    });
    payloadOf(await known.subscribe(), "subscribeDecisions");
  });

  test("quota-exhaustion: what one app sends does not slow another", async () => {
    place = await noxyPlace({ limits: { foreignRate: { perSecond: 0.001, burst: 5 } } });
    const other = await place.office();
    const [mine, theirs] = [await place.subscribed(alice, leg), await other.subscribed(alice, leg)];
    const answers = await Promise.all(Array.from({ length: 8 }, () => mine.subscribe()));
    expect(errorOf(answers.at(-1) as wire.DeviceResponse).code).toBe("RATE_LIMITED");
    payloadOf(await theirs.subscribe(), "subscribeDecisions");
  });

  test("quota-exhaustion: a device has so many connections, and the oldest make room", async () => {
    place = await noxyPlace({ limits: { streams: 3 } });
    const { subscribed, billing } = place;
    const other = await subscribed(alice, leg);
    const first = await subscribed(alice, leg);
    const more = [];
    for (let i = 0; i < 4; i++) more.push(await subscribed(alice, leg, first.keys));
    await Promise.all([first.ended, more[0]?.ended]);
    const { decision } = await billing.send(alice, {});
    const left = [other, ...more.slice(1)];
    for (const device of left) expect((await device.decision()).decision).toBe(decision);
    expect([first.waiting(), more[0]?.waiting()]).toEqual([0, 0]);
  });

  test("subscribing again starts over, unsubscribing keeps what comes", async () => {
    place = await noxyPlace();
    const { billing, subscribed } = place;
    const phone = await subscribed(alice, leg);
    const { decision } = await billing.send(alice, {});
    await phone.decision();
    payloadOf(await phone.subscribe(), "subscribeDecisions");
    expect((await phone.decision()).decision).toBe(decision);
    expect(payloadOf(await phone.subscribe(false), "subscribeDecisions").subscribed).toBe(false);
    const { decision: kept } = await billing.send(alice, {});
    payloadOf(await phone.ack(decision), "decisionAck");
    expect(phone.waiting()).toBe(0);
    payloadOf(await phone.subscribe(), "subscribeDecisions");
    expect((await phone.decision()).decision).toBe(kept);
    // A session that authenticates anew is a new one: its answer comes first, and nothing before it subscribes.
    const answered = phone.authenticate();
    const { decision: late } = await billing.send(alice, {});
    payloadOf(await answered, "authenticate");
    expect(phone.waiting()).toBe(0);
    payloadOf(await phone.subscribe(), "subscribeDecisions");
    expect([(await phone.decision()).decision, (await phone.decision()).decision]).toEqual([kept, late]);
  });
});

describe("as the other published clients register", () => {
  test("by type of identity, with the id where that client has it", async () => {
    place = await noxyPlace();
    const { device, app, billing } = place;
    const wallet = "0x00000000000000000000000000000000000000aa";
    const clients = [
      { identity: alice, fields: { identityId: alice, identityType: wire.IdentityType.EMAIL, type: "ios" } },
      {
        identity: "+49 30 1234",
        fields: { identityId: "+49 30 1234", identityType: wire.IdentityType.PHONE, type: "android" },
      },
      {
        identity: "u-1",
        fields: { identityId: "u-1", identityType: wire.IdentityType.USER_ID, type: "telegram" },
      },
      {
        identity: wallet,
        fields: { walletAddress: wallet, identityType: wire.IdentityType.WALLET, type: "telegram" },
      },
      {
        identity: wallet,
        fields: { identityId: wallet, identityType: wire.IdentityType.WALLET, type: "desktop" },
      },
    ];
    for (const { identity, fields } of clients) {
      const phone = device();
      const mac = registrationMac(app.app, phone.keys, { identity, ...fields });
      const { publicKey, pqPublicKey } = phone.keys;
      const value = {
        devicePubkeys: { publicKey, pqPublicKey },
        ...fields,
        // Newer iOS clients have the MAC in a field of its own, beside a signature.
        ...(fields.type === "ios"
          ? { signature: new Uint8Array(64), deviceSignature: mac }
          : { signature: mac }),
      };
      const { deviceId } = payloadOf(await phone.ask({ case: "registerDevice", value }), "registerDevice");
      payloadOf(await phone.subscribe(), "subscribeDecisions");
      expect((await billing.devices(identity)).map((one) => one.deviceId)).toContain(deviceId);
    }
    const phone = device();
    const nameless = {
      devicePubkeys: phone.keys,
      type: "ios",
      identityType: wire.IdentityType.EMAIL,
      walletAddress: wallet,
    };
    expect(errorOf(await phone.ask({ case: "registerDevice", value: nameless })).message).toContain(
      "identity_id",
    );
    const untyped = { ...nameless, identityType: 9 as wire.IdentityType, identityId: alice };
    expect(errorOf(await phone.ask({ case: "registerDevice", value: untyped })).code).toBe("INVALID_REQUEST");
  });

  test("downgrade: the older wire of Android's SDK 1.0, whose receipts would read as approvals, is not let in", async () => {
    place = await noxyPlace();
    const phone = place.device();
    const refused = errorOf(await phone.register(alice, { type: "android" }));
    expect(refused.code).toBe("INVALID_REQUEST");
    expect(refused.message).toContain("Android SDK 1.0");
    expect(errorOf(await phone.subscribe()).code).toBe("UNAUTHORIZED");
  });

  test("an outcome that there is not is no answer", async () => {
    place = await noxyPlace();
    const { billing, subscribed } = place;
    const phone = await subscribed(alice);
    const { decision } = await billing.send(alice, {});
    await phone.decision();
    for (const outcome of [2, 99, -1]) {
      const value = { decisionId: decision, outcome: outcome as wire.DecisionOutcomeValue };
      expect(errorOf(await phone.ask({ case: "decisionOutcome", value })).code).toBe("INVALID_REQUEST");
    }
    for (const id of ["", "constructor", "x".repeat(10_000), "\u0000"])
      expect(errorOf(await phone.answer(id, "APPROVE")).code).toBe("INVALID_REQUEST");
    expect(await billing.outcome(decision, alice)).toMatchObject({ pending: true });
  });
});
