import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { createRelay, serveRelay } from "@guard/relay";
import { createBench } from "@guard/testing";
import { deviceService, device as wire } from "@guard/wires/noxy";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { afterEach, describe, expect, it } from "vitest";
import {
  decodeDecision,
  initNoxyAgentClient,
  NoxyDeliveryStatus,
  NoxyHumanDecisionOutcome,
  NoxyQuotaStatus,
  openDecision,
} from "./index.ts";

const alice = "alice@example.com";
const decision = { kind: "propose_tool_call", tool: "refund", args: { order: "A-1", cents: 9000n ** 5n } };
const { APPROVED, REJECTED, PENDING, EXPIRED } = NoxyHumanDecisionOutcome;
const { APPROVE, REJECT } = wire.DecisionOutcomeValue;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Place {
  readonly quota: number | null;
  readonly ttl: number;
  readonly database: string;
}

/** Our relay on a socket, with the wire switched on for an app and a client of one of its agents. */
async function ours({ quota = null, ttl = 3600, database = ":memory:" }: Partial<Place> = {}) {
  const clock = { skipped: 0 };
  const bench = await createBench({ people: [], now: () => Date.now() + clock.skipped, database });
  const listening = await serveRelay(bench.relay);
  closing.push(async () => {
    await listening.close();
    await bench.close();
  });
  await bench.owner.setForeign({
    wire: "noxy",
    name: "shop",
    signingSecret: null,
    open: true,
    quota,
    suspended: false,
  });
  const client = initNoxyAgentClient({
    endpoint: listening.url,
    authToken: bench.connection.token,
    decisionTtlSeconds: ttl,
  });
  closing.push(client.close);
  return {
    bench,
    clock,
    client,
    url: listening.url,
    device: (keys?: Keys) => simulated(listening.url, bench.connection.app, clock, keys),
    async stop() {
      await listening.close();
      await bench.close();
    },
  };
}

function newKeys() {
  const { publicKey: pqPublicKey, secretKey } = ml_kem768.keygen();
  return { publicKey: Uint8Array.from(randomBytes(32)), pqPublicKey, secretKey };
}
type Keys = ReturnType<typeof newKeys>;

/** A device of `alice` that has registered, or comes back, and subscribed, as the published clients do it. */
async function simulated(url: string, appId: string, clock: { readonly skipped: number }, keys = newKeys()) {
  const { secretKey, ...devicePubkeys } = keys;
  const channel = new Client(new URL(url).host, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = deviceService.handleMessage;
  const stream = channel.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  closing.push(() => {
    stream.cancel();
    channel.close();
  });
  stream.on("error", () => {}); // Cancelled at the end; what a test waits for does not come then.
  const answers = new Map<string, (response: wire.DeviceResponse) => void>();
  const pushed: wire.DeviceResponse[] = [];
  stream.on("data", (response: wire.DeviceResponse) => {
    const answer = answers.get(response.requestId);
    if (answer) answer(response);
    else pushed.push(response);
  });
  let ids: { deviceId?: string; sessionId?: string } = {};
  async function ask(payload: MessageInitShape<typeof wire.DeviceRequestSchema>["payload"]) {
    const requestId = randomUUID();
    const answered = new Promise<wire.DeviceResponse>((resolve) => answers.set(requestId, resolve));
    const timestamp = BigInt(Date.now() + clock.skipped);
    const common = { requestId, appId, timestamp, nonce: Uint8Array.from(randomBytes(12)) };
    stream.write(create(wire.DeviceRequestSchema, { ...common, ...ids, ...(payload && { payload }) }));
    const { payload: said } = await answered;
    expect(said.case === "error" ? said.value : undefined).toBeUndefined();
    return said;
  }
  const known = await ask({ case: "authenticate", value: { devicePubkeys } });
  if (known.case !== "authenticate") throw new Error(`Not authenticated: ${known.case}`);
  const { requiresRegistration, deviceId = "", sessionId = "" } = known.value;
  ids = { deviceId, sessionId };
  if (requiresRegistration) {
    const identity = { identityType: wire.IdentityType.EMAIL, identityId: alice, type: "desktop" };
    const said = await ask({ case: "registerDevice", value: { devicePubkeys, ...identity } });
    if (said.case !== "registerDevice") throw new Error(`Not registered: ${said.case}`);
    ids = { deviceId: said.value.deviceId, sessionId: said.value.sessionId };
  }
  await ask({ case: "subscribeDecisions", value: { subscribe: true } });
  return {
    keys,
    deviceId: ids.deviceId,
    /** The next decision: its id, and what it says. */
    async next() {
      await expect.poll(() => pushed.length).toBeGreaterThan(0);
      const { messageId = "", payload } = pushed.shift() as wire.DeviceResponse;
      if (payload.case !== "decisionEvent") throw new Error(`No decision: ${payload.case}`);
      const { kyberCt: kemCiphertext, nonce, ciphertext } = payload.value;
      const opened = await openDecision(secretKey, { kemCiphertext, nonce, ciphertext });
      return { decisionId: messageId, decision: decodeDecision(opened) };
    },
    answer: (decisionId: string, outcome: wire.DecisionOutcomeValue) =>
      ask({ case: "decisionOutcome", value: { decisionId, outcome } }),
  };
}

describe("against our own relay", () => {
  it.each([
    ["approved", APPROVE, APPROVED],
    ["rejected", REJECT, REJECTED],
  ] as const)(
    "a decision is %s by the first device that answers, and the agent hears it at once",
    async (_name, said, heard) => {
      const { client, device } = await ours();
      const [phone, laptop] = [await device(), await device()];
      expect((await client.getIdentityDevices(alice)).map(({ deviceId }) => deviceId).sort()).toEqual(
        [phone.deviceId, laptop.deviceId].sort(),
      );
      // Longer than the test may take: only an answer that is held comes in time.
      const waiting = client.sendDecisionAndWaitForOutcome(alice, decision, {
        initialPollIntervalMs: 60_000,
        maxPollIntervalMs: 60_000,
      });
      const [first, second] = [await phone.next(), await laptop.next()];
      expect(first.decision).toEqual(decision);
      expect(second).toEqual(first);
      await phone.answer(first.decisionId, said);
      expect(await waiting).toMatchObject({ pending: false, outcome: heard });
      await laptop.answer(first.decisionId, said === APPROVE ? REJECT : APPROVE);
      expect((await client.getDecisionOutcome(first.decisionId, alice)).outcome).toBe(heard);
    },
  );

  it("a decision that nobody answers expires", async () => {
    const { client, clock, device } = await ours({ ttl: 60 });
    await device();
    const [sent] = await client.sendDecision(alice, decision);
    const decisionId = sent?.decisionId ?? "";
    expect(sent?.status).toBe(NoxyDeliveryStatus.DELIVERED);
    expect(await client.getDecisionOutcome(decisionId, alice)).toMatchObject({
      pending: true,
      outcome: PENDING,
    });
    clock.skipped += 61_000;
    const waited = await client.waitForDecisionOutcome({ decisionId, identityId: alice });
    expect(waited).toMatchObject({ pending: false, outcome: EXPIRED });
  });

  it("a restart of the relay between delivery and answer loses nothing, and ends no wait", async () => {
    const directory = mkdtempSync(join(tmpdir(), "guard-compat-"));
    closing.push(() => rmSync(directory, { recursive: true }));
    const database = join(directory, "relay.db");
    const { client, device, url, stop } = await ours({ database });
    const phone = await device();
    const waiting = client.sendDecisionAndWaitForOutcome(alice, decision, { maxPollIntervalMs: 400 });
    const { decisionId } = await phone.next();
    await stop();
    const again = await createRelay({ database, logger: false });
    const listening = await serveRelay(again, { port: Number(new URL(url).port) });
    closing.push(async () => {
      await listening.close();
      await again.close();
    });
    const back = await device(phone.keys);
    expect(await back.next()).toEqual({ decisionId, decision });
    await back.answer(decisionId, APPROVE);
    expect((await waiting).outcome).toBe(APPROVED);
  });

  it("nobody is asked who has no device", async () => {
    const { client } = await ours();
    expect(await client.sendDecision("nobody@example.com", decision)).toEqual([]);
    await expect(client.sendDecisionAndWaitForOutcome("nobody@example.com", decision)).rejects.toMatchObject({
      code: "no_device",
    });
  });

  it("the quota counts decisions and not devices, and its end is an error", async () => {
    const { client, device } = await ours({ quota: 1 });
    await device();
    await device();
    await client.sendDecision(alice, decision);
    expect(await client.getQuota()).toMatchObject({
      appName: "shop",
      quotaTotal: 1,
      quotaRemaining: 0,
      status: NoxyQuotaStatus.QUOTA_ACTIVE,
    });
    await expect(client.sendDecision(alice, decision)).rejects.toMatchObject({ code: "rate_limited" });
  });

  it("a stranger's token, a suspended agent and a decision of nobody's are refused in words", async () => {
    const { bench, client, url } = await ours();
    const config = { endpoint: url, decisionTtlSeconds: 60 };
    using stranger = initNoxyAgentClient({ ...config, authToken: randomBytes(32).toString("base64url") });
    await expect(stranger.getQuota()).rejects.toMatchObject({ code: "configuration" });
    await expect(client.getDecisionOutcome(randomUUID(), alice)).rejects.toMatchObject({
      code: "validation",
    });
    await bench.owner.suspend("agent");
    await expect(client.getQuota()).rejects.toMatchObject({ code: "denied" });
  });
});
