// The relay is hostile: whatever it answers, the agent runs nothing that no device signed for.
import { type Answer, isGuardError, type RequestView, type RunOptions, signEntry } from "@guard/core";
import { testGuard } from "@guard/testing";
import { afterEach, expect, test } from "vitest";
import { changed, type Lie, lyingFetch } from "./liar/lie.ts";
import { viewKinds } from "./liar/memory.ts";

const refund = { tool: "refund", args: { order: "A-1", amount: 900 } };
const anything = async (args: unknown) => args;
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

async function lied(lie: Lie, options: Parameters<typeof testGuard>[0] = {}) {
  const kit = await testGuard({ retries: 0, ...options });
  open.push(kit);
  const guard = kit.another({ fetch: lyingFetch(kit.bench.fetch, lie) });
  const ran: unknown[] = [];
  const run = (action = refund, key = "k", options: RunOptions = {}) =>
    guard.run({ ...action, session: "s", validate: anything }, ({ args }) => ran.push(args), {
      key,
      ...options,
    });
  return { ...kit, lying: guard, ran, run };
}

/** A character that is not this one: what stays as it was by chance would be no lie. */
const unlike = (character = "") => (character === "A" ? "B" : "A");

const asView = (value: Record<string, unknown>) => value as unknown as RequestView;

test("forged-outcome: a rejection that the relay calls approved does not run", async () => {
  const { approver, ran, run } = await lied(async ({ kind, honest }) =>
    viewKinds.has(kind)
      ? changed(honest, (view) => (view.state === "rejected" ? { ...view, state: "approved" } : view))
      : undefined,
  );
  approver.expect("refund").reject("too much");
  await expect(run()).rejects.toMatchObject({ code: "verification_failed" });
  expect(ran).toEqual([]);
});

test("forged-outcome: an approval made from nothing does not run, and no receipt makes up for it", async () => {
  const { approver, ran, run, evidence } = await lied(async ({ kind, honest }) =>
    viewKinds.has(kind) ? changed(honest, (view) => ({ ...view, state: "approved" })) : undefined,
  );
  approver.expect("refund").ignore();
  await expect(run()).rejects.toMatchObject({ code: "verification_failed" });
  expect(ran).toEqual([]);
  expect(evidence.lines.some((line) => line.includes("TOOL_CALL_EXECUTED"))).toBe(false);
});

test("forged-outcome: an approval that the relay calls rejected is not believed either", async () => {
  const { approver, ran, run } = await lied(async ({ kind, honest }) =>
    viewKinds.has(kind)
      ? changed(honest, (view) => (view.state === "approved" ? { ...view, state: "rejected" } : view))
      : undefined,
  );
  approver.expect("refund").approve();
  await expect(run()).rejects.toMatchObject({ code: "verification_failed" });
  expect(ran).toEqual([]);
});

test("outcome-replay, cross-request-splice: statements of another request count for nothing", async () => {
  let answers: readonly Answer[] = [];
  const { approver, ran, run } = await lied(async ({ kind, honest }) =>
    viewKinds.has(kind)
      ? changed(honest, (value) => {
          const view = asView(value);
          if (view.answers.length > 0) answers = view.answers;
          return answers.length > 0 ? { ...view, answers, state: "approved" } : view;
        })
      : undefined,
  );
  approver.expect("refund").approve();
  await run(refund, "first");
  approver.expect("refund").ignore();
  await expect(run(refund, "second")).rejects.toMatchObject({ code: "verification_failed" });
  expect(ran).toHaveLength(1);
});

test("outcome-replay: another request in place of the one that was asked is refused", async () => {
  let first: Record<string, unknown> | undefined;
  const { approver, ran, run } = await lied(async ({ kind, path, method, honest }) =>
    viewKinds.has(kind) && method === "POST" && path === "/v1/requests"
      ? changed(honest, (view) => {
          first ??= view;
          return first;
        })
      : undefined,
  );
  approver.expect("refund").approve();
  await run(refund, "first");
  approver.expect("refund").ignore();
  await expect(run(refund, "second")).rejects.toMatchObject({ code: "verification_failed" });
  expect(ran).toHaveLength(1);
});

test("reason-injection: a reply that the approver did not sign is refused", async () => {
  const seen: Answer[] = [];
  const { approver, run, ran } = await lied(async ({ kind, honest }) =>
    viewKinds.has(kind)
      ? changed(honest, (value) => {
          const view = asView(value);
          seen.push(...view.answers);
          const other = seen[0]?.reply;
          return {
            ...view,
            answers: view.answers.map((answer) => ({ ...answer, reply: other ?? answer.reply })),
          };
        })
      : undefined,
  );
  approver.expect("refund").reject("first reason");
  await expect(run(refund, "one")).rejects.toMatchObject({ code: "rejected", reason: "first reason" });
  approver.expect("refund").reject("second reason");
  await expect(run(refund, "two")).rejects.toMatchObject({ code: "verification_failed" });
  expect(ran).toEqual([]);
});

test("withheld-answer: silence ends in expiry, and expiry is denial", async () => {
  let now = Date.now();
  let asked: Record<string, unknown> = {};
  let reads = 0;
  const { approver, ran, run } = await lied(
    async ({ kind, path, method, honest }) => {
      if (path === "/v1/stream") return new Response("no", { status: 404 });
      if (path === "/v1/requests" && method === "POST") {
        return changed(honest, (view) => {
          asked = view;
          return view;
        });
      }
      if (!viewKinds.has(kind) || method !== "GET") return undefined;
      if (++reads > 2) now += 60_000 + 61_000;
      return Response.json({ ...asked, state: "pending", answers: [], version: reads });
    },
    { now: () => now, expiresIn: 60_000, policy: [{ tool: "refund", then: "ask" }] },
  );
  approver.expect("refund").approve();
  await expect(run()).rejects.toMatchObject({ code: "expired" });
  expect(ran).toEqual([]);
});

test("stale-roster: a relay that hides entries which a statement names is found out", async () => {
  const { approver, bench, ran, run } = await lied(async ({ path, honest }) =>
    path.startsWith("/v1/roster")
      ? changed(honest, (page) => {
          const entries = page.entries as { body: string }[];
          const kept = entries.filter((entry) => !entry.body.includes('"renew"'));
          return { ...page, entries: kept };
        })
      : undefined,
  );
  const held = approver.expect("refund").hold();
  const running = run();
  running.catch(() => {});
  await held.arrived;
  await bench.owner.append({ kind: "renew" });
  const device = bench.devices.get("alice@example.com");
  const opened = await held.arrived;
  await device?.get(opened.request);
  await held.approve();
  await expect(running).rejects.toMatchObject({ code: "verification_failed" });
  expect(ran).toEqual([]);
});

test("stale-roster: a roster below the connection's floor is refused", async () => {
  const { ran, run } = await lied(async ({ path, honest }) =>
    path.startsWith("/v1/roster")
      ? changed(honest, (page) => {
          const kept = (page.entries as { body: string }[]).filter((entry) => /"seq":[01],/.test(entry.body));
          return { ...page, entries: kept };
        })
      : undefined,
  );
  await expect(run()).rejects.toMatchObject({ code: "verification_failed" });
  expect(ran).toEqual([]);
});

test("key-substitution: a roster entry that the root did not sign never gets in", async () => {
  const { ran, run } = await lied(async ({ path, honest }) =>
    path.startsWith("/v1/roster")
      ? changed(honest, (page) => {
          const entries = (page.entries as { body: string; signature: string }[]).map((entry) =>
            entry.body.includes('"device"')
              ? { ...entry, body: entry.body.replace(/(?<="publicKey":")./, unlike) }
              : entry,
          );
          return { ...page, entries };
        })
      : undefined,
  );
  await expect(run()).rejects.toSatisfy((error) => isGuardError(error, "verification_failed"));
  expect(ran).toEqual([]);
});

test("consume-equivocation: a receipt for another attempt, or signed by nobody on the roster, does not run", async () => {
  let mode = "signature";
  const { approver, ran, run } = await lied(async ({ path, honest }) =>
    path.endsWith("/consume")
      ? changed(honest, (value) => {
          const receipt = value.receipt as { body: string; signature: string };
          return mode === "signature"
            ? {
                receipt: {
                  ...receipt,
                  signature: unlike(receipt.signature[0]) + receipt.signature.slice(1),
                },
              }
            : {
                receipt: {
                  ...receipt,
                  body: receipt.body.replace(/(?<="attempt":")./, unlike),
                },
              };
        })
      : undefined,
  );
  approver.expect("refund").approve();
  await expect(run(refund, "one")).rejects.toMatchObject({ code: "verification_failed" });
  mode = "attempt";
  approver.expect("refund").approve();
  await expect(run(refund, "two")).rejects.toMatchObject({ code: "verification_failed" });
  expect(ran).toEqual([]);
});

const outages: Record<string, () => Promise<Response>> = {
  down: async () => {
    throw new TypeError("fetch failed");
  },
  "answering 500": async () => new Response("oops", { status: 500 }),
  "answering 200 with HTML": async () =>
    new Response("<html>login</html>", { headers: { "content-type": "text/html" } }),
  "answering malformed JSON": async () =>
    new Response("{", { headers: { "content-type": "application/json" } }),
  "answering another shape": async () => Response.json({ ok: true }),
  slow: () => new Promise(() => {}),
};
for (const [name, outage] of Object.entries(outages)) {
  for (const where of ["/v1/requests", "/consume"]) {
    test(`fail-open-outage: nothing runs while the relay is ${name} at ${where}`, async () => {
      const { approver, ran, run } = await lied(
        async ({ path, method }) => (method === "POST" && path.endsWith(where) ? outage() : undefined),
        {
          requestTimeout: 1_000,
        },
      );
      if (where === "/consume") approver.expect("refund").approve();
      await expect(run()).rejects.toMatchObject({ code: "unavailable" });
      expect(ran).toEqual([]);
    });
  }
}

test("consume-retry: the reply to a consume is lost, and the tool runs once, not never", async () => {
  let lost = 0;
  const { approver, ran, run } = await lied(
    async ({ path, honest }) => {
      if (!path.endsWith("/consume") || lost > 0) return undefined;
      lost++;
      await honest();
      throw new TypeError("connection reset");
    },
    { retries: 2 },
  );
  approver.expect("refund").approve();
  await run();
  expect(ran).toHaveLength(1);
  expect(lost).toBe(1);
});

test("roster-fork: another entry in place of a known one stops the agent for good", async () => {
  let fork: { body: string; signature: unknown } | null = null;
  const { approver, bench, ran, run } = await lied(async ({ path, honest }) =>
    path.startsWith("/v1/roster") && fork !== null
      ? changed(honest, (page) => {
          const entries = page.entries as { body: string }[];
          const { seq } = JSON.parse((fork as { body: string }).body) as { seq: number };
          return {
            ...page,
            entries: entries.map((entry) => (JSON.parse(entry.body).seq === seq ? fork : entry)),
          };
        })
      : undefined,
  );
  const roster = bench.owner.roster();
  approver.expect("refund").approve();
  await run(refund, "before");
  // The root itself signs a second history: at its last entry it renews instead.
  const before = roster.at(roster.head.seq - 1);
  fork = await signEntry(
    before,
    { kind: "renew" },
    { signer: bench.rootSigner, by: "root", now: Date.now() },
  );
  await bench.owner.append({ kind: "renew" });
  approver.expect("refund").approve();
  await expect(run(refund, "after")).rejects.toMatchObject({ code: "verification_failed" });
  fork = null;
  await expect(run(refund, "later")).rejects.toMatchObject({ code: "verification_failed" });
  expect(ran).toHaveLength(1);
});

test("roster-fork: an entry that nobody signed, in place of a known one, stops a call and not the agent", async () => {
  let garbling = false;
  const { approver, bench, ran, run } = await lied(async ({ path, honest }) =>
    path.startsWith("/v1/roster") && garbling
      ? changed(honest, (page) => {
          const [first, ...rest] = page.entries as { body: string }[];
          return { ...page, entries: [{ ...first, body: `${first?.body.slice(0, -1)} }` }, ...rest] };
        })
      : undefined,
  );
  approver.expect("refund").approve();
  await run(refund, "before");
  garbling = true;
  await bench.owner.append({ kind: "renew" });
  await bench.devices.get("alice@example.com")?.list();
  const held = approver.expect("refund").hold();
  const running = run(refund, "during");
  running.catch(() => {});
  const { request } = await held.arrived;
  await bench.devices.get("alice@example.com")?.get(request);
  await held.approve();
  await expect(running).rejects.toMatchObject({ code: "verification_failed" });
  garbling = false;
  approver.expect("refund").approve();
  await run(refund, "after");
  expect(ran).toHaveLength(2);
});

const busy = { error: { code: "unavailable", message: "not now" } };
const stalling: Record<string, () => Promise<Response>> = {
  "asks to be left alone for years": async () =>
    Response.json(busy, { status: 503, headers: { "retry-after": "315360000" } }),
  "never ends an answer": () => new Promise(() => {}),
};
for (const [name, stall] of Object.entries(stalling)) {
  test(`retry-storm, withheld-answer: a relay that ${name} keeps nobody beyond their own timeout`, async () => {
    const { approver, ran, run } = await lied(async ({ kind }) => (kind === "view" ? stall() : undefined), {
      retries: 2,
    });
    approver.expect("refund").approve();
    const asked = performance.now();
    await expect(run(refund, "k", { timeout: 400 })).rejects.toMatchObject({ code: "wait_timeout" });
    expect(performance.now() - asked).toBeLessThan(5_000);
    expect(ran).toEqual([]);
  });
}

test("where there is no event stream, the answer is found by polling", async () => {
  const { approver, ran, run } = await lied(async ({ path }) =>
    path === "/v1/stream" ? new Response("no streams here", { status: 404 }) : undefined,
  );
  const held = approver.expect("refund").hold();
  const running = run();
  await held.arrived;
  await held.approve();
  await running;
  expect(ran).toHaveLength(1);
});

test("an outage while people think only makes the wait longer", async () => {
  let down = false;
  const { approver, ran, run } = await lied(async () => {
    if (down) throw new TypeError("fetch failed");
    return undefined;
  });
  const held = approver.expect("refund").hold();
  const running = run();
  await held.arrived;
  down = true;
  await held.approve();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(ran).toHaveLength(0);
  down = false;
  await running;
  expect(ran).toHaveLength(1);
});

test("revoked-device: a revocation that the agent has seen ends approvals that it has in hand", async () => {
  let consumes = 0;
  const { approver, bench, lying } = await lied(async ({ path }) => {
    if (path.endsWith("/consume")) consumes++;
    return undefined;
  });
  const action = { tool: "refund", args: { amount: 1 }, session: "s" };
  const held = approver.expect("refund").hold();
  await lying.check(action, { key: "k" });
  await held.approve();
  const ready = await lying.check(action, { key: "k" });
  if (ready.status !== "ready") throw new Error(ready.status);
  const device = bench.devices.get("alice@example.com")?.profile.device as string;
  await bench.owner.revoke({ kind: "device", id: device });
  // Asking for something else is what brings the news.
  expect(await lying.check({ tool: "other", args: {} })).toMatchObject({ error: { code: "no_device" } });
  let ran = 0;
  await expect(ready.run(() => ++ran)).rejects.toMatchObject({ code: "denied" });
  expect([ran, consumes]).toEqual([0, 0]);
});
