/** What is no message: garbage, pieces and too much of it, on both legs; and devices that do not read. */
import { randomBytes } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { agent, device as wire } from "@guard/wires/noxy";
import { afterEach, describe, expect, test } from "vitest";
import { errorOf, frameOf, payloadOf } from "./device.fixture.ts";
import { noxyPlace } from "./place.fixture.ts";
import { seal } from "./seal.fixture.ts";

const alice = "alice@example.com";

let place: Awaited<ReturnType<typeof noxyPlace>>;
afterEach(() => place.close());

const bytes = (json: unknown) => Buffer.from(typeof json === "string" ? json : JSON.stringify(json));
const authenticate = (phone: ReturnType<typeof place.device>) =>
  phone.request({
    case: "authenticate",
    value: { devicePubkeys: { publicKey: phone.keys.publicKey, pqPublicKey: phone.keys.pqPublicKey } },
  });

describe("bad-ciphertext: on the stream leg", () => {
  test("garbage and pieces of messages end their stream with a status, and nobody else's", async () => {
    place = await noxyPlace();
    const { device, subscribed, billing } = place;
    const well = await subscribed(alice);
    const message = toBinary(wire.DeviceRequestSchema, authenticate(device()));
    const broken = [
      randomBytes(300),
      message.subarray(0, -1),
      message.subarray(0, 40),
      Buffer.from([0xff]),
      Buffer.from("3affffffff0f", "hex"), // a payload that claims four gigabytes
      Buffer.concat([message, Buffer.from([0x07])]), // a wire type that there is not
    ];
    for (const wrong of broken) {
      const phone = device();
      phone.raw(wrong);
      const { code } = await phone.ended;
      expect([wrong.toString().length, code]).toEqual([wrong.toString().length, status.INTERNAL]);
    }
    const { decision } = await billing.send(alice, {});
    expect((await well.decision()).decision).toBe(decision);
  });

  test("what Protobuf allows is read as it says: unknown fields, none at all, the last of several payloads", async () => {
    place = await noxyPlace();
    const phone = place.device();
    phone.raw(new Uint8Array());
    expect(errorOf(await phone.next()).code).toBe("INVALID_REQUEST");
    const older = phone.request(undefined);
    const unknown = Buffer.concat([
      toBinary(wire.DeviceRequestSchema, older),
      Buffer.from("a20603616263", "hex"),
    ]);
    phone.raw(unknown);
    expect(errorOf(await phone.next())).toMatchObject({ code: "INVALID_REQUEST" });
    const subscribe = phone.request({ case: "subscribeDecisions", value: { subscribe: true } });
    const twice = Buffer.concat([
      toBinary(wire.DeviceRequestSchema, subscribe),
      toBinary(wire.DeviceRequestSchema, authenticate(phone)),
    ]);
    phone.raw(twice);
    payloadOf(await phone.next(), "authenticate");
  });

  test("quota-exhaustion: a message over the limit ends its stream", async () => {
    place = await noxyPlace({ limits: { body: 20_000 } });
    const { device, subscribed } = place;
    const well = await subscribed(alice);
    const phone = device();
    phone.raw(randomBytes(20_100));
    expect((await phone.ended).code).toBe(status.RESOURCE_EXHAUSTED);
    const large = device();
    expect(errorOf(await large.answer("x".repeat(19_000), "APPROVE")).code).toBe("UNAUTHORIZED");
    payloadOf(await well.subscribe(), "subscribeDecisions");
  });

  test("a client that ends its side gets its answers, and the stream ends well", async () => {
    place = await noxyPlace();
    const phone = place.device();
    const answers = [phone.authenticate(), phone.subscribe()];
    phone.finish();
    expect((await phone.ended).code).toBe(status.OK);
    payloadOf(await (answers[0] as Promise<wire.DeviceResponse>), "authenticate");
    expect(errorOf(await (answers[1] as Promise<wire.DeviceResponse>)).code).toBe("UNAUTHORIZED");
  });
});

describe("bad-ciphertext: on the browser leg", () => {
  test("what has no readable id ends the connection, in words", async () => {
    place = await noxyPlace();
    const { device } = place;
    const broken = [
      bytes(""),
      bytes("{"),
      bytes("null"),
      bytes("[]"),
      bytes('"text"'),
      bytes("{}"),
      bytes({ requestId: 7 }),
      bytes({ requestId: "x".repeat(1001) }),
      bytes("[".repeat(200_000)),
      bytes("[".repeat(200_000) + "]".repeat(200_000)),
      Buffer.from([0xff, 0xfe, 0x00]),
      Buffer.concat([bytes('{"requestId":"'), Buffer.from([0xc3, 0x28]), bytes('"}')]),
      randomBytes(500),
    ];
    for (const wrong of broken) {
      const phone = device("browser");
      phone.raw(wrong);
      expect(await phone.ended).toEqual({
        code: 1007,
        reason: "This is no request with a requestId, in JSON.",
      });
    }
  });

  test("what has an id is answered, and the connection goes on", async () => {
    place = await noxyPlace();
    const phone = place.device("browser");
    const good = frameOf(authenticate(phone)) as Record<string, unknown>;
    const { devicePubkeys } = good.payload as Record<string, object>;
    const deep = JSON.parse("[".repeat(50_000) + "]".repeat(50_000));
    const wrong: object[] = [
      { payload: undefined },
      { payload: null },
      { payload: [] },
      { payload: {} },
      { payload: "authenticate" },
      { payload: { hello: 1 } },
      { payload: { ["__proto__"]: { subscribe: true } } },
      { payload: JSON.parse('{"__proto__": {"subscribe": true}}') },
      { payload: deep },
      { payload: { devicePubkeys: deep } },
      { payload: { devicePubkeys: null } },
      { payload: { devicePubkeys: { ...devicePubkeys, publicKey: "%%%" } } },
      { payload: { devicePubkeys: { ...devicePubkeys, publicKey: "AA-_" } } },
      { payload: { devicePubkeys: { ...devicePubkeys, pqPublicKey: "A".repeat(8001) } } },
      { payload: { devicePubkeys, walletAddress: 7, signature: "", type: "browser" } },
      { payload: { devicePubkeys, walletAddress: alice, signature: "" } },
      { payload: { subscribe: "yes" } },
      { payload: { decisionId: "x", outcome: "approve" } },
      { payload: { decisionId: "x", outcome: 0 } },
      { payload: { decisionId: "x", outcome: null } },
      { payload: { outcome: "APPROVE" } },
      { payload: { messageId: {} } },
      { nonce: 7 },
      { nonce: undefined },
      { timestamp: -1 },
      { timestamp: 1.5 },
      { timestamp: 1e300 },
      { timestamp: "1" },
      { timestamp: null },
      { appId: undefined },
      { appId: 7 },
      { deviceId: 7 },
    ];
    let n = 0;
    for (const over of wrong) {
      const requestId = `wrong-${n++}`;
      phone.raw(bytes({ ...good, requestId, ...over }));
      const answer = await phone.next();
      expect([requestId, answer.requestId, errorOf(answer).code]).toEqual([
        requestId,
        requestId,
        "INVALID_REQUEST",
      ]);
    }
    payloadOf(await phone.authenticate(), "authenticate");
  });

  test("signatures of wallets in any spelling are no MAC, ids may be null, frames may be text", async () => {
    place = await noxyPlace();
    const phone = place.device("browser");
    const good = frameOf(authenticate(phone)) as Record<string, unknown>;
    const { devicePubkeys } = good.payload as Record<string, object>;
    const announce = { devicePubkeys, walletAddress: alice, type: "browser" };
    let n = 0;
    for (const signature of ["0x1234", "", null, undefined, 7, {}]) {
      const nonce = randomBytes(12).toString("base64");
      const requestId = `announce-${n++}`;
      phone.text(
        JSON.stringify({
          ...good,
          nonce,
          requestId,
          deviceId: null,
          sessionId: null,
          payload: { ...announce, signature },
        }),
      );
      expect(payloadOf(await phone.next(), "registerDevice").deviceId).toMatch(/^[\w-]{43}$/);
    }
    expect(errorOf(await phone.subscribe()).code).toBe("UNAUTHORIZED");
  });

  test("quota-exhaustion: a frame over the limit ends its connection", async () => {
    place = await noxyPlace({ limits: { body: 20_000 } });
    const phone = place.device("browser");
    phone.raw(bytes({ requestId: "large", more: "x".repeat(20_000) }));
    expect((await phone.ended).code).toBe(1009);
  });

  test("the answer to authenticate and announce is the very next frame, and JSON as its clients read it", async () => {
    place = await noxyPlace();
    const { subscribed, billing } = place;
    const phone = await subscribed(alice, "browser");
    const sealed = seal(phone.keys.pqPublicKey, "{}");
    await billing.route({ ...sealed, targetDeviceId: phone.id, decisionId: "one" });
    await phone.next();
    const [first, registered, subscription, event] = phone.texts().map((text) => JSON.parse(text));
    const timestamp = place.clock.now;
    expect(first).toEqual({
      requestId: "r1",
      status: "OK",
      timestamp,
      authenticate: { requiresRegistration: true },
    });
    expect(registered).toEqual({
      requestId: "r2",
      status: "OK",
      timestamp,
      registerDevice: { deviceId: phone.id, registeredAt: timestamp, sessionId: expect.any(String) },
    });
    expect(subscription).toMatchObject({ requestId: "r3", subscribeDecisions: { subscribed: true } });
    expect(event).toEqual({
      requestId: "",
      messageId: "one",
      status: "OK",
      timestamp,
      decisionEvent: {
        kyberCt: Buffer.from(sealed.kyberCt).toString("base64"),
        nonce: Buffer.from(sealed.nonce).toString("base64"),
        ciphertext: Buffer.from(sealed.ciphertext).toString("base64"),
      },
    });
    errorOf(await phone.answer("none", "REJECT"));
    expect(JSON.parse(phone.texts().at(-1) as string)).toMatchObject({
      status: "ERROR",
      error: { code: "INVALID_REQUEST", message: expect.any(String), retryable: false },
    });
  });
});

describe.each(["stream", "browser"] as const)("quota-exhaustion: on the %s leg", (leg) => {
  test("a device that does not read is dropped past a buffer, and nothing is lost", async () => {
    place = await noxyPlace({ limits: { streamBuffer: 300_000 } });
    const { subscribed, billing } = place;
    const [deaf, well] = [await subscribed(alice, leg), await subscribed("bob@example.com", leg)];
    deaf.read(false);
    const large = "x".repeat(200_000);
    const statuses = new Set<agent.DeliveryStatus>();
    const sent: string[] = [];
    while (!statuses.has(agent.DeliveryStatus.QUEUED)) {
      const {
        decision,
        statuses: [given],
      } = await billing.send(alice, { n: sent.length, large });
      sent.push(decision);
      statuses.add(given ?? agent.DeliveryStatus.ERROR);
      if (sent.length > 200) throw new Error("It is never dropped.");
    }
    expect(sent.length).toBeGreaterThan(2);
    const { decision } = await billing.send("bob@example.com", {});
    expect((await well.decision()).decision).toBe(decision);
    deaf.close();
    const back = await subscribed(alice, leg, deaf.keys);
    for (const expected of sent) expect((await back.decision()).decision).toBe(expected);
  });
});
