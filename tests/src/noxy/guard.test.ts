// A guard that asks over the Noxy wire: our relay, a device that speaks Noxy's protocol with real keys, and evidence.
import { noxyRelay } from "@guard/compat/noxy";
import {
  createGuard,
  formatConnection,
  type GuardOptions,
  memoryEvidence,
  type Owner,
  verifyChain,
} from "@guard/core";
import { type Listening, serveRelay } from "@guard/relay";
import { type Bench, createBench } from "@guard/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectDevice, payloadOf } from "../../../packages/relay/src/test/noxy/device.fixture.ts";
import { registrationMac, signingSecret } from "../../../packages/relay/src/test/noxy/place.fixture.ts";

const alice = "alice@example.com";
const bob = "bob@example.com";
let bench: Bench;
let listening: Listening;
const closing: (() => unknown)[] = [];
beforeEach(async () => {
  bench = await createBench({ people: [alice, bob] });
  listening = await serveRelay(bench.relay);
  await bench.owner.setForeign({
    ...{ wire: "noxy", name: "shop", signingSecret, open: false, quota: null, suspended: false },
  });
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await listening.close();
  await bench.close();
});

/** A Noxy device that proved the app's secret, and has subscribed. */
async function phoneOf(identity: string) {
  const { app } = bench.owner;
  const phone = connectDevice({ app, target: { address: new URL(listening.url).host } });
  closing.push(phone.close);
  await phone.authenticate();
  const signature = registrationMac(app, phone.keys, { identity });
  payloadOf(await phone.register(identity, { signature }), "registerDevice");
  payloadOf(await phone.subscribe(), "subscribeDecisions");
  return phone;
}

/** What `guard noxy confirm` does. */
async function confirmAll(owner: Owner) {
  for (const device of await owner.foreignDevices()) await owner.confirmForeign(device, "phone");
}

const noxy = (more: { anyDevice?: boolean } = {}) =>
  noxyRelay({ endpoint: listening.url, authToken: bench.connection.token, ...more });

function guarded(options: GuardOptions) {
  const evidence = memoryEvidence();
  const guard = createGuard({
    connection: formatConnection(bench.connection),
    approvers: [alice],
    rosterStore: null,
    evidence,
    fetch: bench.fetch,
    acceptUnsignedOutcomes: true,
    ...options,
  });
  closing.push(() => guard.close());
  return { guard, evidence };
}

async function reportOf(evidence: { readonly lines: readonly string[] }) {
  return verifyChain(evidence.lines, { roster: await bench.owner.sync() });
}
const pay = { tool: "pay", args: { amount: 900, to: "ACME" }, facts: { title: "Pay ACME 900" } };

describe("a guard over Noxy alone", () => {
  test("asks on a device of the roster, runs what was approved once, and proves what it can", async () => {
    const phone = await phoneOf(alice);
    await confirmAll(bench.owner);
    const { guard, evidence } = guarded({ relay: noxy() });
    const ran: unknown[] = [];
    const result = guard.run(pay, ({ args }) => ran.push(args));
    const { decision, text } = await phone.decision();
    expect(JSON.parse(text)).toMatchObject({
      kind: "propose_tool_call",
      decision_id: decision,
      ...{ tool: "pay", args: pay.args, title: "Pay ACME 900" },
      guard: { agent: "agent", notice: expect.stringMatching(/not signed, and cannot change the arguments/) },
    });
    payloadOf(await phone.answer(decision, "APPROVE"), "decisionOutcome");
    await result;
    expect(ran).toEqual([pay.args]);
    await guard.close();
    const report = await reportOf(evidence);
    expect(report.problems).toEqual([]);
    expect(report.requests).toMatchObject([
      { outcome: "approved", by: [alice], unsigned: true, executed: true },
    ]);
  });

  test("a rejection reaches the agent", async () => {
    const phone = await phoneOf(alice);
    await confirmAll(bench.owner);
    const { guard } = guarded({ relay: noxy() });
    const result = guard.run(pay, () => "ran");
    const { decision } = await phone.decision();
    await phone.answer(decision, "REJECT");
    await expect(result).rejects.toMatchObject({ code: "rejected", by: [alice] });
  });

  test("noxy-open-registration: a device that only proved the app's secret is not asked", async () => {
    const stranger = await phoneOf(alice);
    const { guard } = guarded({ relay: noxy() });
    await expect(guard.run(pay, () => "ran")).rejects.toMatchObject({
      code: "no_device",
      message: expect.stringContaining("guard noxy confirm"),
    });
    await confirmAll(bench.owner);
    // Another one registers afterwards; the relay names both, and the guard seals to the confirmed one alone.
    const later = await phoneOf(alice);
    const result = guard.run(pay, () => "ran");
    const { decision } = await stranger.decision();
    await stranger.answer(decision, "APPROVE");
    expect(await result).toBe("ran");
    expect(later.waiting()).toBe(0);
  });

  test("anyDevice believes the relay about devices", async () => {
    const phone = await phoneOf(alice);
    const { guard } = guarded({ relay: noxy({ anyDevice: true }) });
    const result = guard.run(pay, () => "ran");
    await phone.answer((await phone.decision()).decision, "APPROVE");
    expect(await result).toBe("ran");
  });

  test("any one of two people: the first to answer decides, and another process joins the same decision", async () => {
    const [hers, his] = [await phoneOf(alice), await phoneOf(bob)];
    await confirmAll(bench.owner);
    const both = { approvers: [alice, bob] };
    const ran: string[] = [];
    const guards = [guarded({ ...both, relay: noxy() }).guard, guarded({ ...both, relay: noxy() }).guard];
    const results = Promise.allSettled(
      guards.map((guard, n) => guard.run(pay, () => ran.push(`process ${n}`), { key: "once" })),
    );
    const { decision } = await his.decision();
    expect((await hers.decision()).decision).not.toBe(decision);
    await his.answer(decision, "APPROVE");
    expect((await results).filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(ran).toHaveLength(1);
    expect(hers.waiting() + his.waiting()).toBe(0);
  });

  test("suspended: answered while no process was there", async () => {
    const phone = await phoneOf(alice);
    await confirmAll(bench.owner);
    const first = guarded({ relay: noxy() }).guard;
    expect((await first.check(pay, { key: "later" })).status).toBe("pending");
    await first.close();
    await phone.answer((await phone.decision()).decision, "APPROVE");
    const check = await guarded({ relay: noxy() }).guard.check(pay, { key: "later" });
    expect(check.status).toBe("ready");
  });

  test("revoked-device: once the owner revoked it, it is asked no more", async () => {
    await phoneOf(alice);
    await confirmAll(bench.owner);
    const device = (await bench.owner.foreignDevices())[0]?.device as string;
    await bench.owner.revoke({ kind: "foreign", id: device });
    const { guard } = guarded({ relay: noxy() });
    await expect(guard.run(pay, () => "ran")).rejects.toMatchObject({ code: "no_device" });
  });
});

describe("a bridge: a Guard request answered on a Noxy device", () => {
  test("both are asked; the Noxy device answers first, and Guard's device sees that nobody signed it", async () => {
    const phone = await phoneOf(alice);
    await confirmAll(bench.owner);
    const { guard, evidence } = guarded({ bridge: noxy() });
    const result = guard.run(pay, () => "ran");
    const { decision } = await phone.decision();
    const device = bench.devices.get(alice);
    const [view] = (await device?.list()) ?? [];
    const opened = view && (await device?.open(view));
    expect(opened).toMatchObject({ tool: "pay", terms: { unsigned: "noxy" }, closed: null });
    await phone.answer(decision, "APPROVE");
    expect(await result).toBe("ran");
    const after = view && (await device?.open(await device.get(view.request)));
    expect(after?.answers).toMatchObject([{ identity: alice, device: null, decision: "approve" }]);
    await guard.close();
    expect((await reportOf(evidence)).requests).toMatchObject([{ unsigned: true }]);
  });

  test("Guard's device answers first: its statement counts, and the Noxy answer comes too late", async () => {
    const phone = await phoneOf(alice);
    await confirmAll(bench.owner);
    const { guard, evidence } = guarded({ bridge: noxy() });
    const result = guard.run(pay, () => "ran");
    const { decision } = await phone.decision();
    const device = bench.devices.get(alice);
    const [view] = (await device?.list()) ?? [];
    if (!device || !view) throw new Error("Nothing was asked.");
    await device.decide(await device.open(view), { decision: "approve" });
    expect(await result).toBe("ran");
    await phone.answer(decision, "REJECT");
    await guard.close();
    const { problems, requests } = await reportOf(evidence);
    expect(problems).toEqual([]);
    expect(requests).toMatchObject([{ outcome: "approved", by: [alice], executed: true }]);
    expect(requests[0]).not.toHaveProperty("unsigned");
  });

  test("fail-open-outage: where the Noxy relay is away, Guard's devices decide alone", async () => {
    const { guard } = guarded({
      bridge: noxyRelay({ endpoint: "http://127.0.0.1:1", authToken: "x", anyDevice: true }),
    });
    const result = guard.run(pay, () => "ran");
    const device = bench.devices.get(alice);
    await expect.poll(async () => (await device?.list())?.length).toBe(1);
    const [view] = (await device?.list()) ?? [];
    if (!device || !view) throw new Error("Nothing was asked.");
    await device.decide(await device.open(view), { decision: "approve" });
    expect(await result).toBe("ran");
  });
});
