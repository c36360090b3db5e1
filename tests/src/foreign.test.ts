// Asking over another system's wire: what is answered there is signed by nobody, and counts only as far as the agent's
// own configuration and the request's signed terms let it.
import {
  agentKeys,
  createGuard,
  createRelayClient,
  type ForeignAnswer,
  type ForeignQuestion,
  type ForeignRelay,
  foreignDeviceIdOf,
  formatConnection,
  fromBase64url,
  type GuardOptions,
  memoryEvidence,
  readHeader,
  requestViewSchema,
  type Signed,
  signObject,
  UnavailableError,
  type UnsignedAnswer,
  verifyChain,
} from "@guard/core";
import { type TestGuard, testGuard } from "@guard/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const alice = "alice@example.com";

/** Another system, as far as a guard sees it. */
function otherSystem(options: { pinned?: boolean } = {}) {
  const asked: ForeignQuestion[] = [];
  const answers = new Map<string, ForeignAnswer>();
  const waiting = new Set<() => void>();
  let failing: Error | null = null;
  const relay: ForeignRelay = {
    wire: "noxy",
    pinned: options.pinned ?? false,
    async ask(question) {
      if (failing) throw failing;
      asked.push(question);
    },
    async answer({ request }, { signal, wait }) {
      for (;;) {
        if (failing) throw failing;
        const answer = answers.get(request);
        if (answer || !wait || signal.aborted) return answer ?? null;
        await new Promise<void>((resolve) => {
          waiting.add(resolve);
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
    },
    close: async () => {},
  };
  return {
    relay,
    asked,
    answer(question: ForeignQuestion, decision: "approve" | "reject", identity = alice) {
      answers.set(question.request, { decision, identity, reference: "0b7c" });
      for (const resolve of waiting) resolve();
    },
    fail(error: Error | null) {
      failing = error;
    },
  };
}

let other: ReturnType<typeof otherSystem>;
let t: TestGuard;
const policy = [{ tool: "pair", then: "ask", quorum: 2, approvers: [alice, "bob@example.com"] }] as const;
async function start(options: Partial<GuardOptions> & { pinned?: boolean } = {}) {
  const { pinned, ...rest } = options;
  other = otherSystem(pinned === undefined ? {} : { pinned });
  const how = "bridge" in rest ? { bridge: other.relay } : { relay: other.relay };
  t = await testGuard({ policy: [...policy], ...rest, ...how, acceptUnsignedOutcomes: true });
}
beforeEach(() => start());
afterEach(() => t.close());

/** Resolves with the `n`th question that the other system got. */
const question = (n = 0) =>
  expect
    .poll(() => other.asked[n])
    .toBeTruthy()
    .then(() => other.asked[n] as ForeignQuestion);
const ran: unknown[] = [];
const pay = (guard = t.guard, key = "one") =>
  guard.run({ tool: "pay", args: { amount: 900 }, session: "s" }, ({ args }) => ran.push(args), { key });

describe("config-fail-open", () => {
  test("a guard over an unsigned wire is refused unless its configuration accepts that", () => {
    const { relay } = otherSystem();
    expect(() => createGuard({ relay })).toThrow(/acceptUnsignedOutcomes: true/);
    expect(() => createGuard({ bridge: relay })).toThrow(/can approve anything/);
    expect(() => createGuard({ relay, acceptUnsignedOutcomes: false })).toThrow(/acceptUnsignedOutcomes/);
    expect(() => createGuard({ acceptUnsignedOutcomes: true })).toThrow(/needs a relay or a bridge/);
    expect(() => createGuard({ relay, bridge: relay, acceptUnsignedOutcomes: true })).toThrow(/not both/);
  });
});

describe("a relay of its own", () => {
  test("an approval lets it run once, and evidence says that nobody signed it", async () => {
    const before = ran.length;
    const result = pay();
    const asked = await question();
    expect(asked).toMatchObject({ identities: [alice], tool: "pay", args: { amount: 900 }, devices: null });
    other.answer(asked, "approve");
    await result;
    expect(ran.length - before).toBe(1);
    await t.guard.close();
    const report = await verifyChain(t.evidence.lines, { roster: await t.bench.owner.sync() });
    expect(report.problems).toEqual([]);
    expect(report.requests).toMatchObject([
      { outcome: "approved", by: [alice], unsigned: true, executed: true },
    ]);
  });

  test("a rejection ends it", async () => {
    const result = pay();
    other.answer(await question(), "reject");
    await expect(result).rejects.toMatchObject({ code: "rejected", by: [alice] });
  });

  test("double-execution: of several processes that hear one approval, one runs", async () => {
    const before = ran.length;
    const guards = [t.guard, t.another({ relay: other.relay }), t.another({ relay: other.relay })];
    const results = Promise.allSettled(guards.map((guard) => pay(guard)));
    other.answer(await question(), "approve");
    const ended = await results;
    expect(ran.length - before).toBe(1);
    expect(ended.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("suspended: a later check, in another process, finds what was answered meanwhile", async () => {
    const input = { tool: "pay", args: { amount: 1 }, session: "s" };
    const first = await t.guard.check(input, { key: "later" });
    expect(first.status).toBe("pending");
    expect((await t.guard.check(input, { key: "later" })).status).toBe("pending");
    other.answer(await question(), "approve");
    const check = await t.another().check(input, { key: "later" });
    expect(check.status).toBe("ready");
    if (check.status === "ready") expect(await check.run(() => "done")).toBe("done");
    expect(await t.another().check(input, { key: "later" })).toMatchObject({
      status: "denied",
      error: { code: "already_executed" },
    });
  });

  test("a worker wakes for what was answered there", async () => {
    const input = { tool: "pay", args: { amount: 2 }, session: "s" };
    await t.guard.check(input, { key: "woken" });
    const stop = new AbortController();
    const woken = t.another().wakeUps({ signal: stop.signal, lookBack: 60_000 })[Symbol.asyncIterator]();
    const next = woken.next();
    other.answer(await question(), "approve");
    expect((await next).value).toEqual({ request: (await question()).request, state: "approved" });
    stop.abort();
    await woken.return?.(undefined);
  });

  test("an unsigned answer never counts towards a quorum above 1", async () => {
    await expect(t.guard.run({ tool: "pair", args: {} }, () => ran.push("pair"))).rejects.toMatchObject({
      code: "denied",
      message: expect.stringMatching(/never counts towards a quorum above 1/),
    });
    expect(other.asked).toEqual([]);
  });

  test("forged-outcome: an answer of somebody who was not asked is refused, and nothing runs", async () => {
    const before = ran.length;
    const result = pay();
    other.answer(await question(), "approve", "mallory@example.com");
    await expect(result).rejects.toThrow(/not among the approvers|not on the roster/);
    expect(ran.length).toBe(before);
  });

  test("kill-switch: a suspended agent runs nothing, whatever was answered", async () => {
    const before = ran.length;
    const result = pay();
    const asked = await question();
    await t.bench.owner.suspend("agent");
    other.answer(asked, "approve");
    await expect(result).rejects.toMatchObject({ code: "denied" });
    expect(ran.length).toBe(before);
  });

  test("fail-open-outage: an outage there is waited out, and what cannot be heard at all ends the wait", async () => {
    const result = pay();
    const asked = await question();
    other.fail(new UnavailableError("away"));
    other.answer(asked, "approve");
    other.fail(null);
    await result;
    const second = pay(t.guard, "two");
    await question(1);
    other.fail(new UnavailableError("away"));
    await expect(pay(t.guard, "three")).rejects.toMatchObject({ code: "unavailable" });
    other.fail(null);
    other.answer(await question(1), "reject");
    await expect(second).rejects.toMatchObject({ code: "rejected" });
  });
});

describe("noxy-open-registration: only devices on the roster are asked", () => {
  beforeEach(async () => {
    await t.close();
    await start({ pinned: true });
  });

  test("without one nobody is asked, and the error says what to do", async () => {
    await expect(pay()).rejects.toMatchObject({
      code: "no_device",
      message: expect.stringContaining("guard noxy confirm"),
    });
    expect(other.asked).toEqual([]);
  });

  test("with one, its keys go along", async () => {
    const keys = {
      identity: alice,
      wire: "noxy",
      publicKey: "A".repeat(43),
      kemKey: `${"B".repeat(1578)}A`,
    } as const;
    const device = foreignDeviceIdOf({ app: t.bench.owner.app, ...keys });
    await t.bench.owner.append({ kind: "foreign", device, ...keys, name: "phone" });
    const result = pay();
    const asked = await question();
    expect(asked.devices?.get(alice)).toMatchObject([{ device, kemKey: keys.kemKey }]);
    other.answer(asked, "approve");
    await result;
  });
});

describe("a bridge", () => {
  beforeEach(async () => {
    await t.close();
    await start({ bridge: otherSystem().relay });
  });

  test("Guard's devices are asked as well, and whoever answers first decides", async () => {
    t.approver.expect("pay").approve();
    const result = pay();
    const asked = await question();
    await result;
    other.answer(asked, "reject");
    await t.guard.close();
    const report = await verifyChain(t.evidence.lines, { roster: await t.bench.owner.sync() });
    expect(report.requests).toMatchObject([{ outcome: "approved", by: [alice], executed: true }]);
    expect(report.requests[0]).not.toHaveProperty("unsigned");
  });

  test("the other system's answer is the first: devices see who answered, and that nobody signed it", async () => {
    t.approver.expect("pay").ignore();
    const result = pay();
    const asked = await question();
    other.answer(asked, "approve");
    await result;
    const device = t.bench.devices.get(alice);
    const opened = await device?.open(await device.get(asked.request));
    expect(opened?.answers).toMatchObject([{ identity: alice, device: null, decision: "approve" }]);
  });

  test("where two have to approve, the other system is not asked", async () => {
    t.approver.expect("pair").approve();
    t.approver.expect("pair").approve();
    await t.guard.run({ tool: "pair", args: {} }, () => "ran");
    expect(other.asked).toEqual([]);
  });

  test("fail-open-outage: without the other system Guard's devices decide", async () => {
    other.fail(new UnavailableError("away"));
    t.approver.expect("pay").approve();
    await pay();
  });
});

test("forged-outcome: an agent's word counts for nothing where the request's terms accept none", async () => {
  const { bench } = t;
  let shown: Signed | null = null;
  // A relay that shows it as an approval all the same.
  const lying: typeof fetch = async (input, init) => {
    const response = await bench.fetch(input, init);
    if (shown === null || !response.headers.get("content-type")?.includes("json")) return response;
    const view = await response.json();
    if (!view.header) return Response.json(view, { status: response.status });
    const answers = [{ statement: shown, reply: null }];
    return Response.json({ ...view, state: "approved", version: view.version + 1, answers });
  };
  const plain = createGuard({
    connection: formatConnection(bench.connection),
    approvers: [alice],
    evidence: memoryEvidence(),
    rosterStore: null,
    fetch: lying,
  });
  t.approver.expect("plain").ignore();
  const input = { tool: "plain", args: {} };
  const check = await plain.check(input, { key: "plain" });
  if (check.status !== "pending") throw new Error("It has to wait.");
  const client = createRelayClient({ url: bench.url, token: bench.connection.token, fetch: bench.fetch });
  const path = `/v1/requests/${check.requestId}`;
  const { value: view } = await client.call("GET", path, { schema: requestViewSchema });
  const { app, request, requestDigest, actionDigest } = readHeader(view.header);
  const { signer } = await agentKeys(fromBase64url(bench.connection.seed, 32));
  const unsigned = await signObject(signer, {
    type: "guard/v1/unsigned",
    app,
    request,
    requestDigest,
    actionDigest,
    effective: actionDigest,
    decision: "approve",
    response: null,
    identity: alice,
    wire: "noxy",
    reference: "made up",
    roster: view.roster,
    time: Date.now(),
  } satisfies UnsignedAnswer);
  await expect(
    client.call("POST", `${path}/unsigned`, { schema: requestViewSchema, body: { unsigned } }),
  ).rejects.toThrow(/accept no unsigned answer/);
  shown = unsigned;
  expect(await plain.check(input, { key: "plain" })).toMatchObject({
    status: "denied",
    error: { code: "verification_failed" },
  });
  await plain.close();
});
