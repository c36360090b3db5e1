// expiry-race and vote-after-terminal over the whole path: everybody reads the same end, and it stays the end.
import {
  createGuard,
  formatConnection,
  isGuardError,
  memoryEvidence,
  type RequestState,
  verifyChain,
} from "@guard/core";
import type { Device, OpenedRequest } from "@guard/device";
import { createBench, testGuard } from "@guard/testing";
import { expect, test } from "vitest";

const alice = "alice@example.com";

/** A number in [0, 1) that the seed decides (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("expiry-race: agent, device, relay and evidence agree on every request that was answered while it expired", async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1e9);
  console.info(`SEED=${seed}`);
  const chance = random(seed);
  const clock = { now: Date.now() };
  const bench = await createBench({ people: [alice], now: () => clock.now });
  const device = bench.devices.get(alice) as Device;
  const evidence = memoryEvidence();
  const asked: string[] = [];
  const guard = createGuard({
    connection: formatConnection(bench.connection),
    approvers: [alice],
    evidence,
    fetch: bench.fetch,
    now: () => clock.now,
    expiresIn: "1m",
    onPending: ({ request }) => {
      asked.push(request);
    },
  });
  const ran: string[] = [];
  const total = 100;
  const ends = Array.from({ length: total }, (_, i) =>
    guard
      .run({ tool: "refund", args: { i } }, ({ request }) => {
        ran.push(request as string);
        return "ran";
      })
      .catch((error: unknown) => {
        if (isGuardError(error)) return error.code;
        throw error;
      }),
  );
  while (asked.length < total) await new Promise((resolve) => setTimeout(resolve, 5));
  const opened: OpenedRequest[] = [];
  for (const request of asked) opened.push(await device.open(await device.get(request)));
  const expiresAt = Math.min(...opened.map((each) => each.expiresAt));
  // The clock runs over the boundary while answers are on their way, with sweeps and reads in between.
  clock.now = expiresAt - 1;
  const boundary = 40 + Math.floor(chance() * 30);
  const answers = [];
  for (const [i, each] of opened.entries()) {
    const decide = device.decide(each, { decision: chance() < 0.8 ? "approve" : "reject" });
    answers.push(
      decide.then(
        ({ state }) => state as string,
        (error: { code: string }) => error.code,
      ),
    );
    // The first of them are there in time, whatever else this machine does.
    if (i < 10) await answers[i];
    if (i === boundary) clock.now++;
    if (chance() < 0.1) bench.relay.sweep();
    if (chance() < 0.3) await new Promise((resolve) => setImmediate(resolve));
  }
  const told = await Promise.all(answers);
  clock.now = Math.max(...opened.map((each) => each.expiresAt)) + 1;
  bench.relay.sweep();
  const results = await Promise.all(ends);
  const counted: Record<string, number> = {};
  for (const [i, request] of asked.entries()) {
    const { state } = await device.get(request);
    counted[state] = (counted[state] ?? 0) + 1;
    const fits: Partial<Record<RequestState, (string | undefined)[]>> = {
      completed: ["approved", "executing", "completed"],
      rejected: ["rejected"],
      expired: ["expired"],
    };
    expect(fits[state]).toContain(told[i]);
    expect(ran.filter((each) => each === request)).toHaveLength(state === "completed" ? 1 : 0);
  }
  const count = (result: string) => results.filter((each) => each === result).length;
  expect(count("ran")).toBe(counted.completed ?? 0);
  expect(count("rejected")).toBe(counted.rejected ?? 0);
  expect(count("expired")).toBe(counted.expired ?? 0);
  expect(count("ran") + count("rejected") + count("expired")).toBe(total);
  // Both sides of the boundary were there.
  expect(counted.completed).toBeGreaterThan(0);
  expect(counted.expired).toBeGreaterThan(0);
  await guard.close();
  const report = await verifyChain(evidence.lines, { roster: bench.owner.roster() });
  expect(report).toMatchObject({ valid: true, calls: { executed: counted.completed ?? 0, unknown: 0 } });
  const outcomes = new Map(report.requests.map(({ request, outcome }) => [request, outcome as string]));
  for (const request of asked) {
    const { state } = await device.get(request);
    expect(outcomes.get(request)).toBe(state === "completed" ? "approved" : state);
  }
  await bench.close();
}, 60_000);

test("vote-after-terminal: a device that answers after the end is told which end it was, and changes nothing", async () => {
  const bob = "bob@example.com";
  const { guard, approver, bench, evidence, close } = await testGuard({ approvers: [alice, bob] });
  const held = approver.expect("refund").hold();
  const run = guard.run({ tool: "refund", args: {} }, () => "ran");
  const { request } = await held.arrived;
  const late = bench.devices.get(bob) as Device;
  const opened = await late.open(await late.get(request));
  expect(opened.closed).toBeNull();
  await held.approve({ by: alice });
  expect(await run).toBe("ran");
  await expect(late.decide(opened, { decision: "reject" })).rejects.toMatchObject({
    relayCode: "already_decided",
    message: expect.stringMatching(/approved|executing|completed/),
  });
  const now = await late.open(await late.get(request));
  expect([now.state, now.answers.map(({ identity }) => identity)]).toEqual(["completed", [alice]]);
  await guard.close();
  const report = await verifyChain(evidence.lines, { roster: bench.owner.roster() });
  expect(report).toMatchObject({ valid: true, requests: [{ outcome: "approved", by: [alice] }] });
  await close();
});
