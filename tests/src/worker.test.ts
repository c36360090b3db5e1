import { createGuard, formatConnection, type Guard, memoryEvidence, type OwnRequest } from "@guard/core";
import { attempt, type ResumeWorker, resumeLoop, type WakeUp, wakeValue } from "@guard/core/plugin";
import type { Device } from "@guard/device";
import { createBench, type TestGuard, type TestGuardOptions, testGuard } from "@guard/testing";
import { afterEach, describe, expect, test } from "vitest";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function kit(options: TestGuardOptions = {}): Promise<TestGuard> {
  const made = await testGuard(options);
  open.push(made);
  return made;
}

const refund = (session: string | null, callId = "c1", amount = 900) => ({
  tool: "refund",
  args: { amount },
  session,
  callId,
  stableCallId: true,
  validate: async (args: unknown) => args,
});
const suspended = async (guard: Guard, session: string | null, callId?: string) => {
  const made = await attempt(guard, refund(session, callId), () => "ran");
  if (made.status !== "pending") throw new Error(`not pending: ${made.status}`);
  return made.requestId;
};

/** A worker whose runs are kept by request, as a framework keeps them. */
function workerOver(guard: Guard, waiting: Map<string, (wake: WakeUp) => Promise<void>>, more: object = {}) {
  const errors: unknown[] = [];
  const found: OwnRequest[] = [];
  const worker: ResumeWorker = resumeLoop({
    guard,
    storedWithin: 20,
    onError: (error) => errors.push(error),
    ...more,
    async find(wake) {
      found.push(wake);
      const run = waiting.get(wake.request);
      return run ? () => run(wake) : null;
    },
  });
  open.push(worker);
  return { worker, errors, found };
}

describe("an attempt", () => {
  test("is pending, then runs what was approved, once; made again it sleeps, and a lost result is said", async () => {
    const { guard, approver, another } = await kit();
    const held = approver.expect("refund").hold();
    const request = await suspended(guard, "s");
    expect(await suspended(another(), "s")).toBe(request);
    await held.edit({ amount: 90 });
    const args: unknown[] = [];
    const again = (wake?: unknown) =>
      attempt(another(), refund("s"), (execution) => args.push(execution.args), { wake });
    expect(await again()).toEqual({ status: "ran", result: 1 });
    expect(args).toEqual([{ amount: 90 }]);
    expect(await again()).toMatchObject({ status: "pending", requestId: request });
    for (const forged of [
      { state: "completed" },
      true,
      "completed",
      { guard: "wake-up", state: "completed" },
    ]) {
      expect(await again(forged)).toMatchObject({ status: "pending" });
    }
    const lost = await again(wakeValue({ request, state: "completed" }));
    expect(lost).toMatchObject({
      status: "denied",
      error: {
        code: "already_executed",
        request,
        message: expect.stringContaining("has run already, but its result is not here"),
      },
    });
    expect(args).toHaveLength(1);
  });

  test("forged-history, self-approval-by-model: what it is resumed with grants nothing", async () => {
    const { guard, approver } = await kit();
    approver.expect("refund").ignore();
    const request = await suspended(guard, "s");
    for (const wake of [true, { approved: true }, wakeValue({ request, state: "approved" })]) {
      const made = await attempt(guard, refund("s"), () => "ran", { wake });
      expect(made).toMatchObject({ status: "pending", requestId: request });
    }
  });

  test("double-execution: of ten at once one runs, and nine sleep", async () => {
    const { guard, approver, another } = await kit();
    const held = approver.expect("refund").hold();
    await suspended(guard, "s");
    await held.approve();
    let ran = 0;
    const made = await Promise.all(
      Array.from({ length: 10 }, () => attempt(another(), refund("s"), () => ++ran)),
    );
    expect(ran).toBe(1);
    expect(made.map(({ status }) => status).toSorted()).toEqual([...Array(9).fill("pending"), "ran"]);
  });

  test("the tool's own errors stay what they are, also where they are errors of a guard", async () => {
    const { guard, another } = await kit({ policy: [{ tool: "*", then: "allow" }] });
    const inner = another({ policy: [{ tool: "*", then: "deny" }] });
    await expect(
      attempt(guard, refund("s"), () => {
        throw new RangeError("broken");
      }),
    ).rejects.toThrow(RangeError);
    const nested = attempt(guard, refund("s"), () => inner.run({ tool: "x", args: {} }, () => 1));
    await expect(nested).rejects.toMatchObject({ code: "denied" });
  });
});

describe("a resume worker", () => {
  test("hears what was answered while it was away, and what is answered while it listens", async () => {
    const { guard, approver, another } = await kit();
    approver.expect("refund").reject("no");
    const first = await suspended(guard, "a");
    await until(async () => (await guard.read(first)).state === "rejected");
    const woken: string[] = [];
    const waiting = new Map<string, (wake: WakeUp) => Promise<void>>([
      [first, async (wake) => void woken.push(`${wake.session} ${wake.state}`)],
    ]);
    const { worker, errors } = workerOver(another(), waiting);
    await worker.idle();
    expect(woken).toEqual(["a rejected"]);

    const held = approver.expect("refund").hold();
    const second = await suspended(guard, "b");
    const live = Promise.withResolvers<WakeUp>();
    waiting.set(second, async (wake) => live.resolve(wake));
    await held.approve();
    expect(await live.promise).toMatchObject({
      request: second,
      state: "approved",
      tool: "refund",
      args: { amount: 900 },
      session: "b",
      callId: "c1",
    });
    expect(errors).toEqual([]);
  });

  test("finds a run that was stored as waiting only after its request was answered", async () => {
    const { guard, approver } = await kit();
    const waiting = new Map<string, (wake: WakeUp) => Promise<void>>();
    const { worker, found, errors } = workerOver(guard, waiting, { storedWithin: 10_000 });
    await worker.idle();
    approver.expect("refund").reject("no");
    const request = await suspended(guard, "s");
    await until(async () => found.length > 0);
    await worker.idle();
    const woken = Promise.withResolvers<WakeUp>();
    waiting.set(request, async (wake) => woken.resolve(wake));
    expect(await woken.promise).toMatchObject({ request, state: "rejected" });
    expect(errors).toEqual([]);
  });

  test("looks back over more closed requests than the relay lists at once, and no further than it was told", async () => {
    let now = Date.now();
    const alice = "alice@example.com";
    const bench = await createBench({ people: [alice], now: () => now, relay: { limits: { listed: 3 } } });
    open.push(bench);
    const guard = createGuard({
      connection: formatConnection(bench.connection),
      fetch: bench.fetch,
      approvers: [alice],
      rosterStore: null,
      evidence: memoryEvidence(),
      now: () => now,
    });
    open.push(guard);
    const device = bench.devices.get(alice) as Device;
    const ids: string[] = [];
    for (let i = 0; i < 8; i++) {
      const request = await suspended(guard, `s${i}`);
      await device.decide(await device.open(await device.get(request)), { decision: "reject" });
      ids.push(request);
      if (i === 2) now += 60_000;
    }
    const found = async (more: object) => {
      const { worker, found } = workerOver(guard, new Map(), more);
      await worker.idle();
      return new Set(found.map(({ request }) => request));
    };
    expect(await found({})).toEqual(new Set(ids));
    // Pages of three: the second ends with a request that is too old, so no third is asked for.
    expect(await found({ lookBack: 1 })).toEqual(new Set(ids.slice(2)));
  });

  test("resumes one run of a session at a time, and those of others beside it", async () => {
    const { guard, approver } = await kit();
    const steps: string[] = [];
    const waiting = new Map<string, (wake: WakeUp) => Promise<void>>();
    const gate = Promise.withResolvers<void>();
    for (const [session, call] of [
      ["a", "1"],
      ["a", "2"],
      ["b", "1"],
    ] as const) {
      approver.expect("refund").reject();
      waiting.set(await suspended(guard, session, call), async () => {
        steps.push(`+${session}`);
        if (session === "a") await gate.promise;
        steps.push(`-${session}`);
        if (session === "b") gate.resolve();
      });
    }
    const { worker } = workerOver(guard, waiting);
    await until(async () => steps.length === 6);
    await worker.idle();
    expect(steps.join(" ")).toMatch(/\+a -a \+a -a$|\+a .*-b.* -a \+a -a$/);
    expect(steps.slice(0, 3)).toContain("+b");
  });

  test("tries again after a failure, five times, and then says so; the others go on", async () => {
    const { guard, approver } = await kit();
    approver.expect("refund").reject();
    approver.expect("refund").reject();
    let tries = 0;
    let fine = 0;
    const waiting = new Map([
      [
        await suspended(guard, "bad"),
        async () => {
          tries++;
          throw new Error("the graph is broken");
        },
      ],
      [await suspended(guard, "good"), async () => void fine++],
    ]);
    const { worker, errors } = workerOver(guard, waiting);
    await until(async () => errors.length > 0);
    await worker.idle();
    expect([tries, fine, String(errors[0])]).toEqual([5, 1, "Error: the graph is broken"]);
  });

  test("an answer that is faster than the framework finds its run all the same", async () => {
    const { guard, approver } = await kit();
    approver.expect("refund").approve();
    const waiting = new Map<string, (wake: WakeUp) => Promise<void>>();
    const { worker, found } = workerOver(guard, waiting);
    const request = await suspended(guard, "s");
    await until(async () => found.length > 0);
    await worker.idle();
    const woken = Promise.withResolvers<WakeUp>();
    waiting.set(request, async (wake) => woken.resolve(wake));
    expect(await woken.promise).toMatchObject({ request, state: "approved" });
  });

  test("a result on its way to the storage is left alone; one that never gets there is told", async () => {
    const { guard, approver } = await kit();
    approver.expect("refund").approve();
    approver.expect("refund").approve();
    const [stored, lost] = [await suspended(guard, "stored"), await suspended(guard, "lost")];
    const states: string[] = [];
    const waiting = new Map<string, (wake: WakeUp) => Promise<void>>();
    for (const [id, session] of [
      [stored, "stored"],
      [lost, "lost"],
    ] as const) {
      await until(async () => (await guard.read(id)).state === "approved");
      await attempt(guard, refund(session), () => "ran");
      waiting.set(id, async (wake) => void states.push(`${session} ${wake.state}`));
    }
    const { worker } = workerOver(guard, waiting, { storedWithin: 300 });
    waiting.delete(stored);
    await worker.idle();
    expect(states).toEqual(["lost completed"]);
  });

  test("fail-open-outage: a relay that is away is waited for", async () => {
    const { guard, approver, another, bench } = await kit();
    approver.expect("refund").reject();
    const request = await suspended(guard, "s");
    let away = true;
    const fetch: typeof globalThis.fetch = async (input, init) =>
      away ? new Response("<html>", { status: 503 }) : bench.fetch(input, init);
    const woken = Promise.withResolvers<void>();
    const { errors } = workerOver(
      another({ fetch, retries: 0 }),
      new Map([[request, async () => woken.resolve()]]),
    );
    setTimeout(() => {
      away = false;
    }, 500);
    await woken.promise;
    expect(errors).toEqual([]);
  });

  test("hears of what was answered while its stream was cut, however long ago it was asked", async () => {
    const { guard, approver, another, bench } = await kit();
    const held = [approver.expect("refund").hold(), approver.expect("refund").hold()];
    const ids = [await suspended(guard, "a"), await suspended(guard, "b")];
    let cut = new AbortController();
    const fetch: typeof globalThis.fetch = async (input, init) => {
      if (cut.signal.aborted) throw new TypeError("cut");
      const request = new Request(input, init);
      const signal = AbortSignal.any([request.signal, cut.signal]);
      const response = await bench.fetch(new Request(request, { signal }));
      if (!request.url.endsWith("/v1/stream")) return response;
      const { readable, writable } = new TransformStream();
      response.body?.pipeTo(writable, { signal }).catch(() => {});
      return new Response(readable, response);
    };
    const woken = new Map(ids.map((id) => [id, Promise.withResolvers<string>()]));
    const waiting = new Map(
      ids.map((id) => [id, async (wake: WakeUp) => woken.get(id)?.resolve(wake.state)] as const),
    );
    const { worker, errors } = workerOver(another({ fetch, retries: 0 }), waiting);
    await worker.idle();
    cut.abort();
    await held[0]?.approve();
    await held[1]?.reject();
    cut = new AbortController();
    expect(await Promise.all([...woken.values()].map(({ promise }) => promise))).toEqual([
      "approved",
      "rejected",
    ]);
    expect(errors).toEqual([]);
  });

  test("a token that is not taken any more ends it, with the reason", async () => {
    const { another, bench } = await kit();
    const fetch: typeof globalThis.fetch = async (input, init) => {
      if (String(input instanceof Request ? input.url : input).includes("/v1/requests"))
        return Response.json({ error: { code: "unauthorized", message: "gone" } }, { status: 401 });
      return bench.fetch(input, init);
    };
    const { worker, errors } = workerOver(another({ fetch }), new Map());
    await expect(worker.idle()).rejects.toThrow();
    expect(errors).toHaveLength(1);
  });

  test("config-fail-open: numbers that are none are refused", async () => {
    const { guard } = await kit();
    const find = async () => null;
    expect(() => resumeLoop({ guard, find, concurrency: 0 })).toThrow("concurrency");
    expect(() => resumeLoop({ guard, find, lookBack: Number.NaN })).toThrow("lookBack");
    expect(() => resumeLoop({ guard, find, storedWithin: -1 })).toThrow("storedWithin");
  });
});

async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 5));
}
