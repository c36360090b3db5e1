// clock-rollback: the clocks of agent, device and relay are set apart and back, and nothing comes to life again.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createGuard,
  ed25519Signer,
  fileEvidence,
  formatConnection,
  type Guard,
  type GuardOptions,
  memoryEvidence,
  type Receipt,
  randomBytes,
  readEvidence,
  readHeader,
  type Signed,
  signObject,
  verifyChain,
} from "@guard/core";
import type { Device } from "@guard/device";
import { createBench } from "@guard/testing";
import { afterEach, expect, test, vi } from "vitest";
import { lyingFetch } from "./liar/lie.ts";

const day = 86_400_000;
const minute = 60_000;
const alice = "alice@example.com";
const refund = { tool: "refund", args: { amount: 900 } };

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const each of open.splice(0).reverse()) await each.close();
});

/** An installation in which everybody has a clock of their own. */
async function place(options: { key?: Uint8Array } = {}) {
  const start = Date.now();
  const clocks = { relay: start, agent: start };
  const bench = await createBench({
    people: [alice],
    now: () => clocks.relay,
    ...(options.key ? { relay: { key: options.key } } : {}),
  });
  open.push(bench);
  const device = bench.devices.get(alice) as Device;
  function guard(more: GuardOptions = {}): Guard {
    const made = createGuard({
      connection: formatConnection(bench.connection),
      approvers: [alice],
      evidence: memoryEvidence(),
      fetch: bench.fetch,
      now: () => clocks.agent,
      ...more,
    });
    open.push(made);
    return made;
  }
  async function approve(request: string): Promise<void> {
    await device.decide(await device.open(await device.get(request)), { decision: "approve" });
  }
  return { bench, clocks, device, guard, approve };
}

async function pending(guard: Guard) {
  const check = await guard.check(refund, { key: "order 7", mode: "wait" });
  if (check.status !== "pending") throw new Error(`It is ${check.status}.`);
  return check;
}

async function ready(guard: Guard) {
  const check = await guard.check(refund, { key: "order 7", mode: "wait" });
  if (check.status !== "ready") throw new Error(`It is ${check.status}.`);
  return check;
}

/** Lets what needs no timer come to its end. */
async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}

test("clock-rollback: a wait ends by the time that passes, although the clock was set back and the relay is silent", async () => {
  const { bench, clocks, guard } = await place();
  let silent = false;
  const arrived = Promise.withResolvers<void>();
  const waiting = guard({
    expiresIn: "2m",
    onPending: () => arrived.resolve(),
    fetch: lyingFetch(bench.fetch, async () => {
      if (silent) throw new TypeError("fetch failed");
      return undefined;
    }),
  });
  await waiting.ready();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  let code = "none";
  const stop = new AbortController();
  const run = waiting
    .run(refund, () => "ran", { signal: stop.signal })
    .catch((error) => {
      code = error.code;
    });
  await arrived.promise;
  await settled();
  silent = true;
  clocks.agent -= day;
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 5_000) {
      await vi.advanceTimersByTimeAsync(5_000);
      await settled();
    }
  };
  await pass(2 * minute);
  expect(code).toBe("none");
  // The grace of a minute, and the longest pause between two questions.
  await pass(minute + 45_000);
  expect(code).toBe("expired");
  stop.abort();
  await run;
});

test("clock-rollback: an approval does not run after useBy as the relay sees it, whatever the agent's clock shows", async () => {
  const { clocks, guard, approve } = await place();
  const own = guard({ expiresIn: "1m" });
  const { requestId } = await pending(own);
  await approve(requestId);
  const check = await ready(own);
  clocks.relay += 6 * minute;
  clocks.agent -= minute;
  await expect(check.run(() => "ran")).rejects.toMatchObject({ code: "expired" });
  clocks.relay -= 6 * minute;
  await expect((await own.check(refund, { key: "order 7" })).status).toBe("denied");
});

test("clock-rollback: a receipt that says it was given after useBy runs nothing, as no verifier would accept it", async () => {
  const key = randomBytes(32);
  const { bench, guard, approve } = await place({ key });
  const signer = await ed25519Signer(key);
  let useBy = 0;
  const own = guard({
    fetch: lyingFetch(bench.fetch, async ({ path, honest }) => {
      if (!path.endsWith("/consume")) return undefined;
      const response = await honest();
      const { receipt } = (await response.json()) as { receipt: Signed };
      const body = JSON.parse(receipt.body) as Receipt;
      return Response.json({ receipt: await signObject(signer, { ...body, time: useBy + 1 }) });
    }),
  });
  const { requestId } = await pending(own);
  useBy = readHeader((await (bench.devices.get(alice) as Device).get(requestId)).header).useBy;
  await approve(requestId);
  await expect((await ready(own)).run(() => "ran")).rejects.toMatchObject({ code: "expired" });
});

test("clock-rollback, stale-roster: no clock before the roster's newest entry can say how old it is", async () => {
  const { clocks, guard } = await place();
  const own = guard({ policy: [{ tool: "lookup", then: "allow" }] });
  const lookup = () => own.run({ tool: "lookup", args: {} }, () => "ran");
  expect(await lookup()).toBe("ran");
  clocks.agent -= 4 * minute;
  expect(await lookup()).toBe("ran");
  clocks.agent -= 2 * minute;
  await expect(lookup()).rejects.toMatchObject({ code: "clock_skew" });
  await expect(own.run(refund, () => "ran")).rejects.toMatchObject({ code: "clock_skew" });
});

test("clock-rollback, stale-roster: in a running process the roster grows old although the clock is set back", async () => {
  const { bench, clocks, guard } = await place();
  vi.useFakeTimers({ toFake: ["performance"] });
  const own = guard({ policy: [{ tool: "lookup", then: "allow" }] });
  const lookup = () => own.run({ tool: "lookup", args: {} }, () => "ran");
  expect(await lookup()).toBe("ran");
  vi.advanceTimersByTime(29 * day);
  expect(await lookup()).toBe("ran");
  vi.advanceTimersByTime(2 * day);
  await expect(lookup()).rejects.toMatchObject({ reasons: ["the roster is too old (rosterMaxAge)"] });
  clocks.relay += 31 * day;
  await bench.owner.renew();
  clocks.agent += 31 * day;
  expect(await lookup()).toBe("ran");
});

test("clock-rollback, kill-switch-race: news of a suspension is fetched on time although the clock was set back", async () => {
  const { bench, clocks, guard } = await place();
  vi.useFakeTimers({ toFake: ["performance"] });
  const own = guard({ policy: [{ tool: "lookup", then: "allow" }] });
  const lookup = () => own.run({ tool: "lookup", args: {} }, () => "ran");
  expect(await lookup()).toBe("ran");
  await bench.owner.suspend("agent");
  clocks.agent -= 4 * minute;
  vi.advanceTimersByTime(31_000);
  expect(await lookup()).toBe("ran");
  const reasons = ["the agent is suspended"];
  await vi.waitFor(() => expect(lookup()).rejects.toMatchObject({ reasons }), 5_000);
});

test("clock-rollback: a device signs nothing by a clock that is before the request, nor after it saw its time pass", async () => {
  const { clocks, device, guard, bench } = await place();
  // The devices' clock is the relay's here; what the relay itself decides is tested in races.test.ts.
  const { requestId } = await pending(guard({ expiresIn: "2m" }));
  vi.useFakeTimers({ toFake: ["performance"] });
  const opened = await device.open(await device.get(requestId));
  clocks.relay -= 6 * minute;
  await expect(device.decide(opened, { decision: "approve" })).rejects.toMatchObject({ code: "clock_skew" });
  clocks.relay += 5 * minute;
  vi.advanceTimersByTime(2 * minute);
  await expect(device.decide(opened, { decision: "approve" })).rejects.toMatchObject({ code: "expired" });
  expect((await device.get(requestId)).answers).toEqual([]);
  // The relay's clock decides where the device's is behind by less than can be noticed.
  vi.useRealTimers();
  const again = await device.open(await device.get(requestId));
  bench.relay.sweep();
  clocks.relay += 3 * minute;
  bench.relay.sweep();
  clocks.relay -= 3 * minute;
  expect(again.closed).toBeNull();
  await expect(device.decide(again, { decision: "approve" })).rejects.toMatchObject({ code: "expired" });
});

test("clock-rollback: forward and back again: what the agent's clock once called expired is the relay's to say", async () => {
  const { clocks, guard, approve } = await place();
  const own = guard({ expiresIn: "2m" });
  const { requestId } = await pending(own);
  clocks.agent += day;
  expect((await own.check(refund, { key: "order 7", mode: "wait" })).status).toBe("denied");
  clocks.agent -= day;
  await approve(requestId);
  expect(await (await ready(own)).run(() => "ran")).toBe("ran");
});

test("clock-rollback: an agent and a relay whose clocks are apart by more than five minutes say so", async () => {
  const { clocks, guard } = await place();
  const own = guard();
  await own.ready();
  clocks.relay -= day;
  await expect(own.run(refund, () => "ran")).rejects.toMatchObject({ code: "clock_skew" });
});

test("clock-rollback: the order of evidence is the chain's, and times that go back do not change it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "guard-clock-"));
  const { bench, clocks, guard } = await place();
  const own = guard({
    policy: [{ tool: "lookup", then: "allow" }],
    evidence: fileEvidence({ directory: folder, name: "agent" }),
  });
  for (let i = 0; i < 4; i++) {
    expect(await own.run({ tool: "lookup", args: { i } }, () => "ran")).toBe("ran");
    clocks.agent -= minute;
  }
  await own.close();
  const lines: { seq: number; ts_unix_ms: number }[] = [];
  for await (const line of readEvidence(join(folder, "agent.jsonl"))) lines.push(JSON.parse(line));
  expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, i) => i));
  expect(lines.at(-1)?.ts_unix_ms).toBeLessThan(lines[0]?.ts_unix_ms as number);
  const report = await verifyChain(readEvidence(join(folder, "agent.jsonl")), {
    roster: bench.owner.roster(),
  });
  expect(report).toMatchObject({ valid: true, calls: { executed: 4 } });
  rmSync(folder, { recursive: true });
});
