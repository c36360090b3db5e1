// The gate where calls meet: joined, aborted, failing beside each other, and written into one chain.
import { memoryEvidence, verifyChain } from "@guard/core";
import { testGuard } from "@guard/testing";
import { afterEach, expect, test } from "vitest";
import { changed, lyingFetch } from "./liar/lie.ts";
import { viewKinds } from "./liar/memory.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});
async function kit(options: Parameters<typeof testGuard>[0] = {}) {
  const made = await testGuard({ retries: 0, ...options });
  open.push(made);
  return made;
}

test("sibling-loss: a call that joins while another one settles leaves a chain that verifies", async () => {
  const { another, approver, bench } = await kit();
  for (const answer of ["approve", "reject"] as const) {
    const evidence = memoryEvidence();
    const settled = Promise.withResolvers<void>();
    let posts = 0;
    const guard = another({
      evidence,
      fetch: lyingFetch(bench.fetch, async ({ path, method }) => {
        // The second one has recorded its own paper, and hears of the first one's only later.
        if (method === "POST" && path === "/v1/requests" && ++posts === 2) await settled.promise;
        return undefined;
      }),
    });
    const run = () => guard.run({ tool: "refund", args: {}, session: answer }, () => "ran", { key: answer });
    const held = approver.expect("refund").hold();
    const first = Promise.allSettled([run()]);
    await held.arrived;
    const second = Promise.allSettled([run()]);
    while (posts < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await (answer === "approve" ? held.approve() : held.reject());
    await first;
    settled.resolve();
    await second;
    await guard.close();
    const report = await verifyChain(evidence.lines, { roster: bench.owner.roster(), checkpoint: null });
    expect(report.problems).toEqual([]);
  }
});

test("timeout-allow: an approval that arrives while the caller stops does not run", async () => {
  const { another, approver, bench } = await kit();
  const stop = new AbortController();
  // The answer comes to light in the very read after which the caller stops.
  const guard = another({
    fetch: lyingFetch(bench.fetch, async ({ kind, method, honest }) => {
      if (method !== "GET" || !viewKinds.has(kind)) return undefined;
      const response = await honest();
      if ((await response.clone().json()).state === "approved") stop.abort();
      return response;
    }),
  });
  approver.expect("refund").approve();
  let ran = false;
  const run = () =>
    guard.run({ tool: "refund", args: {} }, () => (ran = true), { key: "k", signal: stop.signal });
  await expect(run()).rejects.toMatchObject({ code: "wait_timeout" });
  expect(ran).toBe(false);
});

test("retry-storm: a relay whose stream is ahead of its requests is not asked in a busy loop", async () => {
  const { another, approver, bench } = await kit();
  let reads = 0;
  const guard = another({
    fetch: lyingFetch(bench.fetch, async ({ kind, path, method, honest }) => {
      if (method === "POST" && path === "/v1/requests")
        return changed(honest, (view) => ({ ...view, version: 0 }));
      if (method !== "GET" || !viewKinds.has(kind)) return undefined;
      reads++;
      return changed(honest, (view) => ({ ...view, version: 0 }));
    }),
  });
  approver.expect("refund").ignore();
  const run = guard.run({ tool: "refund", args: {} }, () => "ran", { timeout: 700 });
  await expect(run).rejects.toMatchObject({ code: "wait_timeout" });
  expect(reads).toBeLessThan(10);
});

test("fail-open-outage: a schema that cannot be read is the caller's error, and ends no process", async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  const others = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", note);
  try {
    const { guard } = await kit();
    const schema = () => Promise.reject(new Error("no schema"));
    await expect(guard.run({ tool: "x", args: 1n, schema: schema() }, () => "ran")).rejects.toThrow();
    await expect(guard.run({ tool: "x", args: {}, schema: schema() }, () => "ran")).rejects.toThrow(
      "no schema",
    );
    const facts = (async () => Promise.reject(new Error("no facts"))) as unknown as () => object;
    const guarded = guard.protect("x", () => "ran", { facts });
    await expect(guarded({})).rejects.toMatchObject({ code: "validation" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(unhandled).toEqual([]);
  } finally {
    process.removeListener("unhandledRejection", note);
    for (const other of others) process.on("unhandledRejection", other);
  }
});

test("toctou-args: facts are made of the snapshot that runs, not of another reading", async () => {
  const { another } = await kit();
  const guard = another({
    evidence: memoryEvidence(),
    policy: [
      { tool: "refund", when: { "facts.risk": "low" }, then: "allow" },
      { tool: "refund", then: "deny" },
    ],
  });
  const refund = guard.protect("refund", ({ amount }: { amount: number }) => amount, {
    facts: ({ amount }) => ({ risk: amount < 10 ? ("low" as const) : ("high" as const) }),
  });
  let reads = 0;
  const shifty = Object.defineProperty({ amount: 0 }, "amount", {
    enumerable: true,
    get: () => (reads++ === 0 ? 1 : 1_000_000),
  });
  expect(await refund(shifty)).toBe(1);
});

test("double-execution: what a check found ready runs once, allowed or approved", async () => {
  const { guard } = await kit({ policy: [{ tool: "lookup", then: "allow" }] });
  const ready = await guard.check({ tool: "lookup", args: {} });
  if (ready.status !== "ready") throw new Error(ready.status);
  let runs = 0;
  const ends = await Promise.allSettled([ready.run(() => ++runs), ready.run(() => ++runs)]);
  expect(runs).toBe(1);
  expect(ends[1]).toMatchObject({ status: "rejected", reason: { code: "already_executed" } });
});

test("fail-open-outage: a log or a result that throws changes nothing about a run", async () => {
  const { another, bench } = await kit();
  expect(() => another({ logger: {} as never })).toThrow(expect.objectContaining({ code: "configuration" }));
  expect(() => another({ ledger: {} as never })).toThrow(expect.objectContaining({ code: "configuration" }));
  const guard = another({ fetch: bench.fetch, policy: [{ tool: "lookup", then: "allow" }] });
  const result = Object.defineProperty({}, "lazy", {
    enumerable: true,
    get: () => {
      throw new Error("not now");
    },
  });
  expect(await guard.run({ tool: "lookup", args: {} }, () => result)).toBe(result);
  const odd = Object.assign(new Error("odd"), { name: Symbol("odd") as never });
  await expect(guard.run({ tool: "lookup", args: {} }, () => Promise.reject(odd))).rejects.toBe(odd);
});

test("a call that comes with close() is refused and leaves nothing open", async () => {
  const evidence = memoryEvidence();
  const { another } = await kit({ policy: [{ tool: "lookup", then: "allow" }] });
  const guard = another({ evidence });
  const closed = guard.close();
  await expect(guard.run({ tool: "lookup", args: {} }, () => "ran")).rejects.toMatchObject({
    code: "configuration",
  });
  await closed;
  expect(evidence.lines).toEqual([]);
});
