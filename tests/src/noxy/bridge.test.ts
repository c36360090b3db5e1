// A Noxy decision answered on a Guard device: one client, two ways to answer, and the guard's evidence of it.
import { guardBridge, initNoxyAgentClient, NoxyHumanDecisionOutcome } from "@guard/compat/noxy";
import { createGuard, formatConnection, memoryEvidence, type Rule, verifyChain } from "@guard/core";
import { type Listening, serveRelay } from "@guard/relay";
import { type Bench, createBench } from "@guard/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectDevice, payloadOf } from "../../../packages/relay/src/test/noxy/device.fixture.ts";

const alice = "alice@example.com";
const { APPROVED, REJECTED } = NoxyHumanDecisionOutcome;
const decision = { kind: "propose_tool_call", tool: "pay", args: { amount: 900 }, title: "Pay 900" };
let bench: Bench;
let listening: Listening;
const closing: (() => unknown)[] = [];
beforeEach(async () => {
  bench = await createBench({ people: [alice] });
  listening = await serveRelay(bench.relay);
  await bench.owner.setForeign({
    ...{ wire: "noxy", name: "shop", signingSecret: null, open: true, quota: null, suspended: false },
  });
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await listening.close();
  await bench.close();
});

function bridged(policy: readonly Rule[] = []) {
  const evidence = memoryEvidence();
  const guard = createGuard({
    connection: formatConnection(bench.connection),
    approvers: [alice],
    rosterStore: null,
    fetch: bench.fetch,
    evidence,
    policy,
  });
  const client = guardBridge(
    initNoxyAgentClient({
      endpoint: listening.url,
      authToken: bench.connection.token,
      decisionTtlSeconds: 600,
    }),
    { guard },
  );
  closing.push(() => guard.close(), client.close);
  return { guard, client, evidence };
}

async function phone() {
  const made = connectDevice({ app: bench.owner.app, target: { address: new URL(listening.url).host } });
  closing.push(made.close);
  await made.authenticate();
  payloadOf(await made.register(alice), "registerDevice");
  payloadOf(await made.subscribe(), "subscribeDecisions");
  return made;
}

/** The open request, as the Guard device shows it. */
async function opened() {
  const device = bench.devices.get(alice);
  if (!device) throw new Error("Alice has no device.");
  await expect.poll(async () => (await device.list()).length).toBe(1);
  const [view] = await device.list();
  if (!view) throw new Error("Nothing was asked.");
  return { device, request: await device.open(view) };
}

describe("a Noxy decision on a Guard device", () => {
  test("the Guard device answers: the client hears it, and evidence holds the signed statement", async () => {
    await phone();
    const { client, guard, evidence } = bridged();
    const result = client.sendDecisionAndWaitForOutcome(alice, decision);
    const { device, request } = await opened();
    expect(request).toMatchObject({ tool: "pay", args: decision, facts: { title: "Pay 900" } });
    expect(request.terms.editable).toBe(false);
    expect(JSON.stringify(request.facts.metadata)).toContain("an answer is not signed");
    await device.decide(request, { decision: "approve" });
    expect(await result).toEqual({ requestId: "", pending: false, outcome: APPROVED });
    await guard.close();
    const report = await verifyChain(evidence.lines, { roster: await bench.owner.sync() });
    expect(report.problems).toEqual([]);
    expect(report.requests).toMatchObject([{ outcome: "approved", by: [alice], executed: true }]);
    expect(report.requests[0]).not.toHaveProperty("unsigned");
  });

  test("the Noxy device answers: the Guard request is withdrawn", async () => {
    const noxy = await phone();
    const { client } = bridged();
    const result = client.sendDecisionAndWaitForOutcome(alice, decision);
    const { device, request } = await opened();
    await noxy.answer((await noxy.decision()).decision, "REJECT");
    expect(await result).toMatchObject({ outcome: REJECTED });
    expect((await device.open(await device.get(request.request))).closed).toMatch(/cancelled/);
  });

  test("without a Noxy device Guard's decides alone; a single question hears it, too", async () => {
    const { client } = bridged();
    const [delivery] = await client.sendDecision(alice, decision);
    const decisionId = delivery?.decisionId as string;
    expect(await client.getDecisionOutcome(decisionId, alice)).toMatchObject({ pending: true });
    const { device, request } = await opened();
    await device.decide(request, { decision: "reject", reason: "no" });
    expect(await client.waitForDecisionOutcome({ decisionId, identityId: alice })).toMatchObject({
      outcome: REJECTED,
    });
    expect(await client.getDecisionOutcome(decisionId, alice)).toMatchObject({ outcome: REJECTED });
  });

  test("what the guard's policy denies is sent to nobody", async () => {
    const noxy = await phone();
    const { client } = bridged([{ tool: "pay", then: "deny", reason: "Not today" }]);
    await expect(client.sendDecision(alice, decision)).rejects.toMatchObject({ code: "denied" });
    expect(noxy.waiting()).toBe(0);
  });

  test("what it allows by itself is still decided on the Noxy device: that is what was asked for", async () => {
    const noxy = await phone();
    const { client } = bridged([{ tool: "pay", then: "allow" }]);
    const result = client.sendDecisionAndWaitForOutcome(alice, decision);
    await noxy.answer((await noxy.decision()).decision, "APPROVE");
    expect(await result).toMatchObject({ outcome: APPROVED });
  });

  test("self-approval: a person whom the guard does not ask is no way around it", async () => {
    const { client } = bridged();
    await expect(client.sendDecision("mallory@example.com", decision)).rejects.toThrow(
      /Name them among the guard's approvers/,
    );
    expect(await bench.devices.get(alice)?.list()).toEqual([]);
  });

  test("a wait that is over leaves the decision open on both sides", async () => {
    const { client } = bridged();
    await expect(
      client.sendDecisionAndWaitForOutcome(alice, decision, { maxWaitMs: 50, initialPollIntervalMs: 10 }),
    ).rejects.toMatchObject({ code: "wait_timeout" });
    await opened();
  });
});
