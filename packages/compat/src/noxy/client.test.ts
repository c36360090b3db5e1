import { status } from "@grpc/grpc-js";
import {
  ConfigurationError,
  DeniedError,
  isGuardError,
  RateLimitedError,
  UnavailableError,
  ValidationError,
  VerificationError,
} from "@guard/core";
import { agent } from "@guard/wires/noxy";
import { describe, expect, it } from "vitest";
import {
  initNoxyAgentClient,
  isTerminalHumanOutcome,
  NoxyDeliveryStatus,
  NoxyHumanDecisionOutcome,
  NoxyQuotaStatus,
  SendDecisionAndWaitNoDecisionIdError,
} from "./index.ts";
import { failure, newDevice, type Received, testRelay, token } from "./relay.fixture.ts";

const alice = "alice@example.com";
const decision = {
  kind: "propose_tool_call",
  tool: "transfer_funds",
  args: { amountWei: 10n ** 20n },
  title: "Pay",
};
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ids = (received: readonly Received[]) => received.map(({ request }) => request.requestId);

/** Answers with each of `answers` in turn, and with the last one for ever. */
function inTurn<T>(...answers: (() => T)[]): () => T {
  let at = 0;
  return () => (answers[Math.min(at++, answers.length - 1)] as () => T)();
}
const refuse =
  (...how: Parameters<typeof failure>) =>
  () => {
    throw failure(...how);
  };

describe("sendDecision", () => {
  it("seals to every device what only that device opens, under one decision id", async () => {
    const devices = [newDevice("d1"), newDevice("d2"), newDevice("d3")];
    await using relay = await testRelay({ devices });
    const client = relay.client();
    const deliveries = await client.sendDecision(alice, decision);
    const routed = relay.of("routeDecision");
    expect(relay.of("getIdentityDevices").map(({ request }) => request.identityId)).toEqual([alice]);
    expect(deliveries.map(({ deviceId, status }) => [deviceId, status])).toEqual([
      ["d1", NoxyDeliveryStatus.DELIVERED],
      ["d2", NoxyDeliveryStatus.DELIVERED],
      ["d3", NoxyDeliveryStatus.DELIVERED],
    ]);
    const [decisionId = ""] = [...new Set(routed.map(({ request }) => request.decisionId))];
    expect(decisionId).toMatch(uuid);
    expect(new Set(deliveries.map((delivery) => delivery.decisionId))).toEqual(new Set([decisionId]));
    for (const { request } of routed) {
      expect(request.requestId).toMatch(uuid);
      expect(request.ttlSeconds).toBe(3600);
      const device = devices.find(({ deviceId }) => deviceId === request.targetDeviceId);
      expect(await device?.open(request)).toEqual(decision);
      for (const other of devices.filter((one) => one !== device)) {
        await expect(other.open(request)).rejects.toBeInstanceOf(VerificationError);
      }
    }
    expect(new Set(ids(relay.received)).size).toBe(relay.received.length);
    expect(new Set(relay.received.map((one) => one.token))).toEqual(new Set([`Bearer ${token}`]));
    expect(relay.received.every(({ waitMs }) => waitMs === undefined)).toBe(true);

    const again = await client.sendDecision(alice, decision);
    expect(again[0]?.decisionId).not.toBe(decisionId);
  });

  it("sends nothing to an identity without devices", async () => {
    await using relay = await testRelay();
    expect(await relay.client().sendDecision(alice, decision)).toEqual([]);
    expect(relay.of("routeDecision")).toEqual([]);
  });

  it("reaches hundreds of devices, eight at a time and in their order", async () => {
    const device = newDevice();
    const devices = Array.from({ length: 400 }, (_, i) => ({ ...device, deviceId: `d${i}` }));
    let open = 0;
    let most = 0;
    await using relay = await testRelay({
      devices,
      answers: {
        async routeDecision({ request }) {
          most = Math.max(most, ++open);
          await new Promise((resolve) => setImmediate(resolve));
          open--;
          return { requestId: request.requestId, decisionId: request.decisionId };
        },
      },
    });
    const deliveries = await relay.client().sendDecision(alice, decision);
    expect(deliveries.map(({ deviceId }) => deviceId)).toEqual(devices.map(({ deviceId }) => deviceId));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(8);
  });

  it("takes its own decision id where the relay gives none, and the relay's where it gives one", async () => {
    const devices = [newDevice("silent"), newDevice("other"), newDevice("none")];
    await using relay = await testRelay({
      devices,
      answers: {
        routeDecision: ({ request }) =>
          ({
            silent: { status: agent.DeliveryStatus.QUEUED },
            other: { decisionId: "the relay's" },
            none: { status: agent.DeliveryStatus.NO_DEVICES },
          })[request.targetDeviceId] ?? {},
      },
    });
    const deliveries = await relay.client().sendDecision(alice, decision);
    const own = relay.of("routeDecision")[0]?.request.decisionId;
    expect(deliveries.map(({ decisionId }) => decisionId)).toEqual([own, "the relay's", ""]);
    expect(deliveries.map(({ status }) => status)).toEqual([
      NoxyDeliveryStatus.QUEUED,
      NoxyDeliveryStatus.DELIVERED,
      NoxyDeliveryStatus.NO_DEVICES,
    ]);
  });

  it("refuses a device whose key is none by its name, and reaches the others", async () => {
    const pastModulus = { ...newDevice("past-modulus"), pqPublicKey: new Uint8Array(1184).fill(0xff) };
    const short = { ...newDevice("short"), pqPublicKey: new Uint8Array(1183) };
    await using relay = await testRelay({ devices: [pastModulus, newDevice("good"), short] });
    const deliveries = await relay.client().sendDecision(alice, decision);
    expect(relay.of("routeDecision").map(({ request }) => request.targetDeviceId)).toEqual(["good"]);
    expect(deliveries.map(({ status }) => status)).toEqual([4, 0, 4]);
    expect(deliveries.map(({ error }) => error?.message)).toEqual([
      expect.stringMatching(/device past-modulus\. .*modulus/),
      undefined,
      expect.stringMatching(/device short\. .*1184 bytes; this one has 1183/),
    ]);

    await using alone = await testRelay({ devices: [pastModulus, short] });
    await expect(alone.client().sendDecision(alice, decision)).rejects.toThrow("device past-modulus");
    await expect(alone.client().sendDecisionAndWaitForOutcome(alice, decision)).rejects.toBeInstanceOf(
      ValidationError,
    );
  });

  it("tells of a device that cannot be routed to, and reaches the others", async () => {
    await using relay = await testRelay({
      devices: [newDevice("gone"), newDevice("good")],
      answers: {
        routeDecision: ({ request }) =>
          request.targetDeviceId === "good" ? {} : refuse(status.NOT_FOUND, "no such device")(),
      },
    });
    const [gone, good] = await relay.client().sendDecision(alice, decision);
    expect(gone).toMatchObject({ deviceId: "gone", status: NoxyDeliveryStatus.ERROR, decisionId: "" });
    expect(gone?.error).toBeInstanceOf(ValidationError);
    expect(good?.decisionId).toMatch(uuid);
  });

  it("reads the decision at once: what the caller changes later changes nothing", async () => {
    const device = newDevice();
    await using relay = await testRelay({ devices: [device] });
    const changing = { amount: 1 };
    const sending = relay.client().sendDecision(alice, changing);
    changing.amount = 1_000_000;
    await sending;
    expect(await device.open(relay.of("routeDecision")[0]?.request as never)).toEqual({ amount: 1 });
  });

  it("refuses what JSON cannot say, before it asks the relay", async () => {
    await using relay = await testRelay({ devices: [newDevice()] });
    await expect(relay.client().sendDecision(alice, { amount: Number.NaN })).rejects.toBeInstanceOf(
      ValidationError,
    );
    expect(relay.received).toEqual([]);
  });
});

describe("a call that fails", () => {
  const passing = [status.UNKNOWN, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED, status.UNAVAILABLE];
  const others = Object.values(status).filter(
    (code): code is status => typeof code === "number" && code !== status.OK && !passing.includes(code),
  );

  it.each(passing.map((code) => [status[code], code] as const))(
    "%s is tried again, with a request id of its own",
    async (_name, code) => {
      await using relay = await testRelay({
        answers: { getQuota: inTurn(refuse(code), refuse(code), () => ({ appName: "shop" })) },
      });
      expect((await relay.client().getQuota()).appName).toBe("shop");
      expect(new Set(ids(relay.received)).size).toBe(3);
      const [first = 0, second = 0, third = 0] = relay.received.map(({ at }) => at);
      expect(second - first).toBeGreaterThanOrEqual(99);
      expect(third - second).toBeGreaterThanOrEqual(199);
    },
  );

  it.each(passing.map((code) => [status[code], code] as const))(
    "%s is given up after three times",
    async (name, code) => {
      await using relay = await testRelay({ answers: { getQuota: refuse(code, "why") } });
      const error = await relay
        .client()
        .getQuota()
        .catch((thrown: unknown) => thrown);
      expect(relay.received).toHaveLength(3);
      expect(error).toBeInstanceOf(code === status.RESOURCE_EXHAUSTED ? RateLimitedError : UnavailableError);
      expect(error).toMatchObject({ relayCode: name, message: expect.stringContaining("why") });
    },
  );

  it.each(others.map((code) => [status[code], code] as const))(
    "%s is not tried again",
    async (name, code) => {
      await using relay = await testRelay({ answers: { getQuota: refuse(code, "why") } });
      const error = await relay
        .client()
        .getQuota()
        .catch((thrown: unknown) => thrown);
      expect(relay.received).toHaveLength(1);
      expect(isGuardError(error)).toBe(true);
      expect(error).toMatchObject({ relayCode: name });
    },
  );

  it("routes again under the same decision id", async () => {
    await using relay = await testRelay({
      devices: [newDevice()],
      answers: { routeDecision: inTurn(refuse(status.UNAVAILABLE), () => ({})) },
    });
    const [delivery] = await relay.client().sendDecision(alice, decision);
    const routed = relay.of("routeDecision").map(({ request }) => request);
    expect(routed).toHaveLength(2);
    expect(routed[1]).toMatchObject({ decisionId: delivery?.decisionId, kyberCt: routed[0]?.kyberCt });
    expect(routed[0]?.decisionId).toBe(delivery?.decisionId);
  });

  it("retry-storm: comes back no sooner than the relay asks, and not at all where that is long", async () => {
    await using relay = await testRelay({
      answers: {
        getQuota: inTurn(refuse(status.RESOURCE_EXHAUSTED, "slow down", 450), () => ({})),
        getDecisionOutcome: refuse(status.RESOURCE_EXHAUSTED, "quota used up", 86_400_000),
      },
    });
    const client = relay.client();
    await client.getQuota();
    const [first = 0, second = 0] = relay.received.map(({ at }) => at);
    expect(second - first).toBeGreaterThanOrEqual(449);
    await expect(client.getDecisionOutcome("d", alice)).rejects.toMatchObject({
      code: "rate_limited",
      retryAfter: 86_400_000,
    });
    expect(relay.of("getDecisionOutcome")).toHaveLength(1);
  });

  it("another app's token: says which option, never the token", async () => {
    await using relay = await testRelay({ devices: [newDevice()] });
    const client = relay.client({ authToken: "secret-of-another-app" });
    const sending = client.sendDecision(alice, decision);
    await expect(sending).rejects.toBeInstanceOf(ConfigurationError);
    await expect(sending).rejects.toThrow(/unknown token.*authToken/);
    await expect(sending).rejects.not.toThrow("secret-of-another-app");
    expect(relay.received).toHaveLength(1);
  });

  it("a suspended agent is denied", async () => {
    await using relay = await testRelay({
      answers: { getQuota: refuse(status.PERMISSION_DENIED, "the agent is suspended") },
    });
    await expect(relay.client().getQuota()).rejects.toBeInstanceOf(DeniedError);
  });

  it("nobody there", async () => {
    const relay = await testRelay();
    await relay[Symbol.asyncDispose]();
    using client = initNoxyAgentClient({
      endpoint: `http://127.0.0.1:${relay.port}`,
      authToken: token,
      decisionTtlSeconds: 0,
    });
    await expect(client.getQuota()).rejects.toThrow(/cannot be used.*Is it running\?/);
  });

  it("TLS at a relay that speaks plaintext", async () => {
    await using relay = await testRelay();
    const client = relay.client({ endpoint: `https://127.0.0.1:${relay.port}` });
    await expect(client.getQuota()).rejects.toBeInstanceOf(UnavailableError);
    expect(relay.received).toEqual([]);
  });

  it("ends at once when it is aborted, with the signal's reason, and when the client is closed", async () => {
    await using relay = await testRelay({ answers: { getQuota: () => new Promise(() => {}) } });
    const client = relay.client();
    const abort = new AbortController();
    const reason = new Error("enough");
    const aborted = client.getQuota({ signal: abort.signal });
    const closed = client.getQuota();
    const gone = client.getQuota({ signal: AbortSignal.abort(reason) });
    await expect(gone).rejects.toBe(reason);
    await expect.poll(() => relay.received.length).toBe(2);
    abort.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    client.close();
    await expect(closed).rejects.toThrow("The client is closed.");
    await expect(client.getQuota()).rejects.toBeInstanceOf(ConfigurationError);
    client.close();
  });

  it("ends the sending, too", async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    await using relay = await testRelay({
      devices: Array.from({ length: 20 }, () => newDevice()),
      answers: {
        routeDecision() {
          abort.abort(reason);
          return new Promise(() => {});
        },
      },
    });
    const sending = relay.client().sendDecision(alice, decision, { signal: abort.signal });
    await expect(sending).rejects.toBe(reason);
  });
});

describe("getQuota and getIdentityDevices", () => {
  it("say what the relay says", async () => {
    const device = newDevice("d1");
    await using relay = await testRelay({ devices: [device] });
    const client = relay.client();
    expect(await client.getQuota()).toEqual({
      requestId: relay.received[0]?.request.requestId,
      appName: "shop",
      quotaTotal: 1000,
      quotaRemaining: 999,
      status: NoxyQuotaStatus.QUOTA_ACTIVE,
    });
    const { open: _, ...keys } = device;
    expect(await client.getIdentityDevices(alice)).toEqual([keys]);
  });
});

describe("config-fail-open: what the wire does not know is an error, and never an approval", () => {
  const unknown = (value: number) => value as never;
  it("an outcome", async () => {
    await using relay = await testRelay({
      answers: { getDecisionOutcome: () => ({ pending: false, outcome: unknown(4) }) },
    });
    const asking = relay.client().getDecisionOutcome("d", alice);
    await expect(asking).rejects.toBeInstanceOf(VerificationError);
    await expect(asking).rejects.toThrow("counts as no approval");
    for (const value of [-1, 4, 1000, Number.NaN]) expect(isTerminalHumanOutcome(value)).toBe(false);
  });

  it("a delivery status", async () => {
    await using relay = await testRelay({
      devices: [newDevice()],
      answers: { routeDecision: () => ({ status: unknown(9), decisionId: "d" }) },
    });
    await expect(relay.client().sendDecision(alice, decision)).rejects.toThrow("delivery status 9");
  });

  it("a quota status", async () => {
    await using relay = await testRelay({ answers: { getQuota: () => ({ status: unknown(3) }) } });
    await expect(relay.client().getQuota()).rejects.toBeInstanceOf(VerificationError);
  });

  it.each([
    ["bytes that are no message", Buffer.from([0xff, 0xff, 0xff])],
    ["a message that was cut", Buffer.from("0a24616263", "hex")],
    ["another field's type", Buffer.from("1a03616263", "hex")],
    ["more than the client takes", Buffer.alloc(5 << 20, 0x0a)],
  ])("%s", async (_name, garbage) => {
    await using relay = await testRelay({ garbage });
    const client = relay.client();
    const asked = [
      client.getDecisionOutcome("d", alice),
      client.waitForDecisionOutcome({ decisionId: "d", identityId: alice, maxWaitMs: 0 }),
      client.sendDecisionAndWaitForOutcome(alice, decision),
    ];
    for (const asking of asked) {
      const error = await asking.catch((thrown: unknown) => thrown);
      expect(isGuardError(error)).toBe(true);
    }
  });

  it("an answer that says nothing is a pending one that nobody need wait for", async () => {
    await using relay = await testRelay({ answers: { getDecisionOutcome: () => ({}) } });
    const answer = await relay.client().getDecisionOutcome("d", alice);
    expect(answer).toEqual({ requestId: "", pending: false, outcome: NoxyHumanDecisionOutcome.PENDING });
  });
});

describe("sendDecisionAndWaitForOutcome", () => {
  it("has nothing to wait for where nobody was asked", async () => {
    await using relay = await testRelay();
    const error = await relay
      .client()
      .sendDecisionAndWaitForOutcome(alice, decision)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SendDecisionAndWaitNoDecisionIdError);
    expect(error).toMatchObject({ code: "no_device", identities: [alice], deliveries: [] });
    expect(relay.of("getDecisionOutcome")).toEqual([]);
  });

  it.each([agent.DeliveryStatus.NO_DEVICES, agent.DeliveryStatus.REJECTED, agent.DeliveryStatus.ERROR])(
    "nor where every device's copy was refused (%s)",
    async (refused) => {
      await using relay = await testRelay({
        devices: [newDevice("d1")],
        answers: { routeDecision: () => ({ status: refused, decisionId: "d" }) },
      });
      const sending = relay.client().sendDecisionAndWaitForOutcome(alice, decision);
      await expect(sending).rejects.toBeInstanceOf(SendDecisionAndWaitNoDecisionIdError);
      await expect(sending).rejects.toThrow(`d1 ${agent.DeliveryStatus[refused]}`);
    },
  );

  it("waits for the first device's decision that the relay took", async () => {
    await using relay = await testRelay({
      devices: [newDevice("d1"), newDevice("d2"), newDevice("d3")],
      answers: {
        routeDecision: ({ request: { targetDeviceId } }) =>
          targetDeviceId === "d1"
            ? { status: agent.DeliveryStatus.REJECTED, decisionId: "of d1" }
            : { status: agent.DeliveryStatus.QUEUED, decisionId: `of ${targetDeviceId}` },
        getDecisionOutcome: () => ({ outcome: agent.DecisionOutcome.APPROVED }),
      },
    });
    const answer = await relay.client().sendDecisionAndWaitForOutcome(alice, decision);
    expect(answer.outcome).toBe(NoxyHumanDecisionOutcome.APPROVED);
    expect(relay.of("getDecisionOutcome").map(({ request }) => request)).toMatchObject([
      { decisionId: "of d2", identityId: alice },
    ]);
  });
});

describe("options", () => {
  const good = { endpoint: "https://relay.example.com", authToken: "t", decisionTtlSeconds: 60 };
  it.each<[string, object, string]>([
    ["an unknown key", { ...good, ttl: 5 }, "no option ttl"],
    ["a missing token", { ...good, authToken: undefined }, "authToken"],
    ["an empty token", { ...good, authToken: "" }, "authToken"],
    ["a whole header", { ...good, authToken: "Bearer t" }, 'without "Bearer"'],
    ["a token over two lines", { ...good, authToken: "t\nx: y" }, "white space"],
    ["no endpoint", { ...good, endpoint: "" }, "endpoint"],
    ["a path", { ...good, endpoint: "https://relay.example.com/v1" }, "without a path"],
    ["no time to live", { ...good, decisionTtlSeconds: undefined }, "decisionTtlSeconds"],
    ["a text as time to live", { ...good, decisionTtlSeconds: "60" }, "decisionTtlSeconds"],
    ["a part of a second", { ...good, decisionTtlSeconds: 0.5 }, "decisionTtlSeconds"],
    ["a negative one", { ...good, decisionTtlSeconds: -1 }, "decisionTtlSeconds"],
    ["more than the wire has", { ...good, decisionTtlSeconds: 2 ** 32 }, "decisionTtlSeconds"],
    ["an unknown key of tls", { ...good, tls: { cert: "" } }, "no option cert"],
    ["a path as certificate", { ...good, tls: { ca: "/etc/ca.pem" } }, "tls.ca is no certificate"],
    ["no certificate", { ...good, tls: {} }, "tls.ca is no certificate"],
    ["tls in plaintext", { ...good, endpoint: "http://localhost:1", tls: { ca: "" } }, "of no use"],
    ["nothing", undefined as never, "needs an object"],
  ])("%s is refused at once", (_name, config, message) => {
    const make = () => initNoxyAgentClient(config as never);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(message);
  });

  it("of calls are refused before anything is sent", async () => {
    await using relay = await testRelay({ devices: [newDevice()] });
    const client = relay.client();
    const calls: (() => Promise<unknown>)[] = [
      () => client.sendDecision("", decision),
      () => client.sendDecision(alice, decision, { timeout: 5 } as never),
      () => client.getQuota({ signal: "now" as never }),
      () => client.getDecisionOutcome("", alice),
      () => client.getDecisionOutcome("d", undefined as never),
      () => client.getIdentityDevices(undefined as never),
      () => client.sendDecisionAndWaitForOutcome(alice, decision, { maxWait: 5 } as never),
      () => client.sendDecisionAndWaitForOutcome(alice, decision, { backoffMultiplier: 0.5 }),
      () => client.waitForDecisionOutcome({ decisionId: "", identityId: alice }),
      () => client.waitForDecisionOutcome({ decisionId: "d", identityId: alice, maxWaitMs: Number.NaN }),
      () => client.waitForDecisionOutcome({ decisionId: "d", identityId: alice, initialPollIntervalMs: 0 }),
    ];
    for (const call of calls) await expect(call()).rejects.toBeInstanceOf(ConfigurationError);
    expect(relay.received).toEqual([]);
  });
});
