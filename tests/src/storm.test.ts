// retry-storm: what many agents do to a relay that was away, is slow, or asks for peace. Timers are the tests' own.
import {
  createGuard,
  createRelayClient,
  createWatcher,
  formatConnection,
  type Guard,
  memoryEvidence,
  type RelayClient,
  verifyChain,
} from "@guard/core";
import { createBench } from "@guard/testing";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as z from "zod/mini";

const minute = 60_000;
const alice = "alice@example.com";
const anything = { schema: z.unknown() };

const open: { close(): unknown }[] = [];
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(async () => {
  vi.useRealTimers();
  for (const each of open.splice(0).reverse()) await each.close();
});

async function settled(turns = 20): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}
async function pass(ms: number, step = 1_000): Promise<void> {
  for (let passed = 0; passed < ms; passed += step) {
    await vi.advanceTimersByTimeAsync(Math.min(step, ms - passed));
    await settled(2);
  }
}

/** A relay of which only its answers matter; says when it was called for what. */
function network(answer: (path: string) => Response | Promise<Response>) {
  const calls: { at: number; path: string }[] = [];
  const client = createRelayClient({
    url: "https://relay.example.com",
    token: "a-token",
    fetch: async (input, init) => {
      const { pathname, search } = new URL(new Request(input, init).url);
      calls.push({ at: performance.now(), path: pathname + search });
      return answer(pathname);
    },
  });
  return { client, calls };
}

/** Makes one call and gives the times between its attempts. */
async function attempts(answer: () => Response): Promise<{ pauses: number[]; error: unknown }> {
  const { client, calls } = network(answer);
  let error: unknown;
  let done = false;
  const call = client
    .call("POST", "/v1/requests", { ...anything, body: {} })
    .catch((cause: unknown) => {
      error = cause;
    })
    .finally(() => {
      done = true;
    });
  while (!done) await pass(250, 50);
  await call;
  return { pauses: calls.slice(1).map(({ at }, i) => at - (calls[i]?.at as number)), error };
}

const refusal = (status: number, headers: Record<string, string>) => () =>
  Response.json({ error: { code: "rate_limited", message: "Slow down." } }, { status, headers });

describe("one call", () => {
  const date = "Sat, 21 Nov 2026 07:00:00 GMT";
  test.each([
    ["seconds", { "retry-after": "4" }, 4_000, 6_000],
    [
      "a date, by the relay's own clock",
      { "retry-after": "Sat, 21 Nov 2026 07:00:04 GMT", date },
      4_000,
      6_000,
    ],
    ["more than anybody waits", { "retry-after": "99999" }, 30_000, 45_000],
    ["a date in a hundred years", { "retry-after": "Sat, 21 Nov 2126 07:00:00 GMT", date }, 30_000, 45_000],
    ["no time at all", { "retry-after": "0" }, 0, 600],
    ["a date that is over", { "retry-after": "Sat, 21 Nov 2020 07:00:04 GMT", date }, 0, 600],
    ["a negative number", { "retry-after": "-5" }, 0, 600],
    ["nonsense", { "retry-after": "soon" }, 0, 600],
    ["a number without end", { "retry-after": "9".repeat(400) }, 0, 600],
    ["nothing", {}, 0, 600],
  ] as const)(
    "retry-storm: Retry-After of %s is kept, with a random part on top",
    async (_, headers, least, most) => {
      for (const status of [429, 503]) {
        const { pauses, error } = await attempts(refusal(status, headers));
        expect(pauses).toHaveLength(2);
        for (const pause of pauses) {
          expect(pause).toBeGreaterThanOrEqual(least);
          expect(pause).toBeLessThanOrEqual(most + 50);
        }
        expect(error).toMatchObject({ code: "rate_limited" });
      }
    },
  );

  test("retry-storm: those who were told the same time do not come back at the same moment", async () => {
    const pauses = (await Promise.all(Array.from({ length: 40 }, () => once()))).sort((a, b) => a - b);
    expect((pauses.at(-1) as number) - (pauses[0] as number)).toBeGreaterThan(1_000);
    async function once(): Promise<number> {
      const { client, calls } = network(refusal(429, { "retry-after": "4" }));
      client.call("GET", "/v1/relay", anything).catch(() => {});
      while (calls.length < 2) await pass(50, 50);
      return (calls[1]?.at as number) - (calls[0]?.at as number);
    }
  });

  test("what is not worth repeating is not, and a caller that comes back by itself is told for how long", async () => {
    for (const status of [400, 401, 403, 404, 409]) {
      const { pauses } = await attempts(refusal(status, {}));
      expect(pauses).toEqual([]);
    }
    const { client, calls } = network(refusal(503, { "retry-after": "7" }));
    const call = client.call("GET", "/v1/relay", { ...anything, repeat: false });
    await expect(call).rejects.toMatchObject({ retryAfter: 7_000 });
    expect(calls).toHaveLength(1);
  });

  test("retry-storm: no more than 20 calls are under way, those that wait to be repeated among them", async () => {
    let most = 0;
    let now = 0;
    const ends: (() => void)[] = [];
    const { client } = network(async () => {
      most = Math.max(most, ++now);
      await new Promise<void>((end) => ends.push(end));
      now--;
      return Response.json({}, { status: ends.length % 3 === 0 ? 503 : 200 });
    });
    const calls = Array.from({ length: 100 }, () =>
      client.call("GET", "/v1/relay", anything).catch(() => {}),
    );
    let done = false;
    const all = Promise.all(calls).then(() => {
      done = true;
    });
    while (!done) {
      for (const end of ends.splice(0)) end();
      await pass(100, 100);
    }
    await all;
    expect(most).toBe(20);
  });
});

describe("waiting", () => {
  function waiters(client: RelayClient, n: number) {
    const watcher = createWatcher({ client });
    const stop = new AbortController();
    for (let i = 0; i < n; i++) watcher.changed(String(i).padStart(43, "A"), 1, stop.signal).catch(() => {});
    open.push({ close: () => stop.abort() }, watcher);
  }

  test.each([1, 50])(
    "retry-storm: ten minutes without a relay cost a guard with %d waits the same few calls",
    async (n) => {
      const { client, calls } = network(() => Promise.reject(new TypeError("fetch failed")));
      waiters(client, n);
      await pass(10 * minute);
      // A stream and a list each time, less and less often: every 15 to 30 s in the end.
      expect(calls.length).toBeGreaterThan(30);
      expect(calls.length).toBeLessThan(120);
      const early = calls.filter(({ at }) => at - (calls[0]?.at as number) < 10_000);
      expect(early.length).toBeLessThanOrEqual(16);
    },
  );

  test("retry-storm: a relay that asks for peace while it refuses streams gets it", async () => {
    const { client, calls } = network(
      () => new Response("busy", { status: 503, headers: { "retry-after": "20" } }),
    );
    waiters(client, 5);
    await pass(2 * minute);
    const pauses = calls.slice(1).map(({ at }, i) => at - (calls[i]?.at as number));
    expect(pauses.length).toBeGreaterThan(2);
    for (const pause of pauses) expect(pause).toBeGreaterThanOrEqual(20_000);
  });

  test("retry-storm: streams that end as soon as they begin are opened less and less often", async () => {
    const { client, calls } = network((path) => {
      const waiting = { request: "0".padStart(43, "A"), state: "pending", version: 1 };
      const state = { requests: [waiting], roster: { seq: 0, hash: "A".repeat(43) } };
      return path === "/v1/stream"
        ? new Response(`event: state\ndata: ${JSON.stringify(state)}\n\n`, {
            headers: { "content-type": "text/event-stream" },
          })
        : Response.json(state);
    });
    waiters(client, 1);
    await pass(5 * minute);
    expect(calls.length).toBeGreaterThan(10);
    expect(calls.length).toBeLessThan(40);
  });

  test("retry-storm: a thousand agents come back over seconds after a restart, each with one call", async () => {
    const bench = await createBench({
      people: [alice],
      relay: { limits: { streams: 2_000, tokenRate: { perSecond: 1e6, burst: 1e6 } } },
    });
    open.push(bench);
    const opened: number[] = [];
    const other: string[] = [];
    const { token } = bench.connection;
    for (let i = 0; i < 1_000; i++) {
      const client = createRelayClient({
        url: bench.url,
        token,
        fetch: async (input, init) => {
          const request = new Request(input, init);
          const { pathname } = new URL(request.url);
          if (pathname === "/v1/stream") opened.push(performance.now());
          else other.push(pathname);
          return bench.fetch(request);
        },
      });
      const watcher = createWatcher({ client });
      const stop = new AbortController();
      const wait = async () => {
        while (!stop.signal.aborted) await watcher.changed("A".repeat(43), 1, stop.signal).catch(() => {});
      };
      void wait();
      open.push({ close: () => stop.abort() }, watcher);
    }
    while (opened.length < 1_000) await settled();
    await settled();
    await pass(5_000);
    expect(opened).toHaveLength(1_000);
    const restarted = performance.now();
    bench.relay.release();
    await settled(50);
    await pass(5_000, 25);
    const back = opened.slice(1_000).map((at) => at - restarted);
    expect(back).toHaveLength(1_000);
    const busiest = Math.max(
      ...Array.from(
        { length: 50 },
        (_, i) => back.filter((at) => at >= i * 100 && at < (i + 1) * 100).length,
      ),
    );
    // Even would be 33 in each tenth of a second.
    expect(busiest).toBeLessThanOrEqual(80);
    expect(Math.max(...back)).toBeGreaterThan(2_500);
    expect(other).toEqual([]);
  }, 60_000);
});

describe("a whole guard", () => {
  async function kit(fetched: (request: Request, honest: () => Promise<Response>) => Promise<Response>) {
    vi.useRealTimers();
    const bench = await createBench({ people: [alice] });
    open.push(bench);
    const evidence = memoryEvidence();
    const guard: Guard = createGuard({
      connection: formatConnection(bench.connection),
      approvers: [alice],
      evidence,
      fetch: (input, init) => {
        const request = new Request(input, init);
        return fetched(request, () => bench.fetch(request));
      },
    });
    open.push(guard);
    const device = bench.devices.get(alice);
    if (!device) throw new Error("Alice has no device.");
    const stop = new AbortController();
    open.push({ close: () => stop.abort() });
    const next = async () => {
      for await (const view of device.requests({ signal: stop.signal }))
        if (view.state === "pending") return view;
      throw new Error("Nothing came.");
    };
    const approve = async () => {
      const view = await next();
      await device.decide(await device.open(view), { decision: "approve" });
      return view.request;
    };
    return { bench, guard, evidence, device, approve };
  }

  test("retry-storm, consume-retry: where the reply to every first call is lost, repeating does nothing twice", async () => {
    const posts = new Map<string, number>();
    const { guard, evidence, device, approve, bench } = await kit(async (request, honest) => {
      const response = await honest();
      if (request.method !== "POST") return response;
      const { pathname } = new URL(request.url);
      const n = (posts.get(pathname) ?? 0) + 1;
      posts.set(pathname, n);
      if (n === 1) throw new TypeError("socket hang up");
      return response;
    });
    let ran = 0;
    const run = guard.run({ tool: "refund", args: { amount: 1 } }, () => ++ran);
    const request = await approve();
    expect(await run).toBe(1);
    expect(ran).toBe(1);
    expect([...posts.values()]).toEqual([2, 2, 2]);
    expect(await device.get(request)).toMatchObject({ state: "completed", answers: [{}] });
    await guard.close();
    const report = await verifyChain(evidence.lines, { roster: bench.owner.roster() });
    expect(report).toMatchObject({ valid: true, calls: { executed: 1, unknown: 0 }, uses: [{ request }] });
  });

  test("retry-storm: a relay that announces heads without end causes one fetch at a time", async () => {
    let fetches = 0;
    let underWay = 0;
    let most = 0;
    const { guard, approve } = await kit(async (request, honest) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/v1/roster") {
        fetches++;
        most = Math.max(most, ++underWay);
        // As long as a network takes: all the announcements come in the meantime.
        await new Promise((resolve) => setTimeout(resolve, 20));
        return honest().finally(() => underWay--);
      }
      const response = await honest();
      if (pathname !== "/v1/stream" || response.body === null) return response;
      const head = (seq: number) =>
        `event: roster\ndata: ${JSON.stringify({ seq, hash: "A".repeat(43) })}\n\n`;
      const body = new TransformStream<Uint8Array, Uint8Array>({
        start(controller) {
          for (let i = 0; i < 500; i++) controller.enqueue(new TextEncoder().encode(head(1_000 + i)));
        },
      });
      return new Response(response.body.pipeThrough(body), { headers: response.headers });
    });
    await guard.ready();
    const before = fetches;
    const run = guard.run({ tool: "refund", args: { amount: 1 } }, () => "ran");
    await approve();
    expect(await run).toBe("ran");
    // One fetch for each announcement would have many of them still to come.
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(most).toBe(1);
    expect(fetches - before).toBeLessThan(10);
  });
});
