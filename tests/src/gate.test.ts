// The gate over the real relay in memory: binding of approval to execution, people and time.
import {
  createGuard,
  type GuardOptions,
  type Json,
  type MemoryEvidence,
  memoryEvidence,
  type Owner,
  type Rule,
  verifyChain,
} from "@guard/core";
import { testGuard } from "@guard/testing";
import { afterEach, describe, expect, test } from "vitest";
import * as z from "zod";

const open: { close(): Promise<void> }[] = [];
const chains: { evidence: MemoryEvidence; owner: Owner }[] = [];
// Whatever a test did, and however it ended: every chain that a guard wrote verifies offline.
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
  for (const { evidence, owner } of chains.splice(0)) {
    if (evidence.lines.length === 0) continue;
    const report = await verifyChain(evidence.lines, { roster: owner.roster(), checkpoint: null });
    expect(report.problems).toEqual([]);
  }
});
async function kit(options: Parameters<typeof testGuard>[0] = {}) {
  const made = await testGuard(options);
  open.push(made);
  const { owner } = made.bench;
  chains.push({ evidence: made.evidence, owner });
  return {
    ...made,
    another(more: Parameters<typeof made.another>[0] = {}) {
      const evidence = memoryEvidence();
      chains.push({ evidence, owner });
      return made.another({ evidence, ...more });
    },
  };
}
const RefundArgs = z.strictObject({ amount: z.number().max(1000) });
const policy: Rule[] = [
  { tool: "lookup*", then: "allow" },
  { tool: "refund", when: { amount: { lte: 50 } }, then: "allow" },
  { tool: "delete*", then: "deny", reason: "Deletions go through the data team" },
];

describe("the pipeline", () => {
  test("allows, asks and denies; runs what was approved once; the chain verifies offline", async () => {
    const { guard, approver, evidence, bench } = await kit({ policy });
    const ran: unknown[] = [];
    const refund = guard.protect("refund", (args: { amount: number }) => ran.push(args), {
      schema: RefundArgs,
    });
    await refund({ amount: 20 });
    approver.expect("refund", { amount: 900 }).approve();
    await refund({ amount: 900 });
    approver.expect("refund", { amount: 800 }).edit({ amount: 80 });
    await refund({ amount: 800 });
    approver.expect("refund", { amount: 700 }).reject("ask the manager");
    await expect(refund({ amount: 700 })).rejects.toMatchObject({
      code: "rejected",
      reason: "ask the manager",
      by: ["alice@example.com"],
    });
    await expect(guard.run({ tool: "deleteAll", args: {} }, () => ran.push("deleted"))).rejects.toMatchObject(
      { code: "denied" },
    );
    approver.done();
    expect(ran).toEqual([{ amount: 20 }, { amount: 900 }, { amount: 80 }]);
    await guard.close();
    const roster = bench.owner.roster();
    const report = await verifyChain(evidence.lines, {
      roster,
      checkpoint: null,
      expectedApp: bench.owner.app,
    });
    expect(report.problems).toEqual([]);
    expect(report.valid).toBe(true);
    expect(report.calls).toMatchObject({ proposed: 5, executed: 3, edited: 1, rejected: 1, denied: 2 });
  });

  test("check tells ready, denied and pending, and never waits", async () => {
    const { guard, approver } = await kit({ policy });
    const held = approver.expect("refund").hold();
    const validate = async (args: Json) => args;
    const call = { session: "s", callId: "1", stableCallId: true };
    const action = { tool: "refund", args: { amount: 900 }, validate, ...call };
    expect(await guard.check({ tool: "lookup", args: {} })).toMatchObject({ status: "ready" });
    expect(await guard.check({ tool: "delete", args: {} })).toMatchObject({
      status: "denied",
      error: { code: "denied" },
    });
    const pending = await guard.check(action);
    expect(pending).toMatchObject({ status: "pending", approvers: ["alice@example.com"], quorum: 1 });
    await held.edit({ amount: 90 });
    const ready = await guard.check(action);
    if (ready.status !== "ready") throw new Error(ready.status);
    expect(ready.args).toEqual({ amount: 90 });
    expect(await ready.run(({ executionId }) => executionId)).toBe(
      pending.status === "pending" && pending.requestId,
    );
    expect(await guard.check(action)).toMatchObject({
      status: "denied",
      error: { code: "already_executed" },
    });
  });

  test("two people have to approve; an edit by one of them is asked anew of both", async () => {
    const rules: Rule[] = [
      { tool: "refund", then: "ask", approvers: ["alice@x.com", "bob@x.com", "carol@x.com"], quorum: 2 },
    ];
    const { guard, approver, evidence, bench } = await kit({ policy: rules });
    const ran: unknown[] = [];
    const refund = guard.protect("refund", (args: { amount: number }) => ran.push(args), {
      schema: RefundArgs,
    });
    approver.expect("refund", { amount: 900 }).approve({ by: ["alice@x.com", "carol@x.com"] });
    await refund({ amount: 900 });
    approver.expect("refund", { amount: 500 }).edit({ amount: 50 }, { by: "bob@x.com" });
    approver.expect("refund", { amount: 50 }).approve({ by: ["alice@x.com", "bob@x.com"] });
    await refund({ amount: 500 });
    expect(ran).toEqual([{ amount: 900 }, { amount: 50 }]);
    approver.done();
    await guard.close();
    const report = await verifyChain(evidence.lines, {
      roster: bench.owner.roster(),
      checkpoint: null,
    });
    expect(report.problems).toEqual([]);
  });

  test("a generator tool streams through the gate", async () => {
    const { guard, approver } = await kit();
    approver.expect("progress").approve();
    const seen: number[] = [];
    for await (const value of guard.runStream({ tool: "progress", args: {} }, async function* () {
      yield 1;
      yield 2;
    }))
      seen.push(value);
    expect(seen).toEqual([1, 2]);
  });

  test("the tool's own error reaches the caller unchanged, and is reported as a run", async () => {
    const { guard, approver } = await kit();
    approver.expect("refund").approve();
    const own = new RangeError("no such order");
    const action = { tool: "refund", args: { amount: 1 }, session: "s" };
    const run = () => guard.run(action, () => Promise.reject(own), { key: "k" });
    await expect(run()).rejects.toBe(own);
    await expect(run()).rejects.toMatchObject({ code: "already_executed" });
  });
});

describe("binding of approval to execution", () => {
  test("toctou-args: what changes after the call is neither shown nor run", async () => {
    const { guard, approver } = await kit();
    const args = { amount: 1, items: ["a"] };
    approver.expect("refund", { amount: 1, items: ["a"] }).approve();
    const running = guard.run({ tool: "refund", args }, (execution) => execution.args);
    args.amount = 1_000_000;
    args.items.push("b");
    expect(await running).toEqual({ amount: 1, items: ["a"] });
    approver.done();
  });

  test("edited-tool-escape: an edit that breaks the tool's schema, or that the schema would change, does not run", async () => {
    const { guard, approver } = await kit();
    const ran: unknown[] = [];
    const strict = guard.protect("refund", (args: { amount: number }) => ran.push(args), {
      schema: RefundArgs,
    });
    approver.expect("refund").edit({ amount: "all" });
    await expect(strict({ amount: 1 })).rejects.toMatchObject({ code: "validation" });
    const loose = guard.protect("refund", (args: { amount: number }) => ran.push(args), {
      schema: z.object({ amount: z.number() }),
    });
    approver.expect("refund").edit({ amount: 2, admin: true });
    await expect(loose({ amount: 2 })).rejects.toMatchObject({ code: "validation" });
    expect(ran).toEqual([]);
  });

  test("edited-tool-escape: what policy denies stays denied when an approver edits towards it", async () => {
    const { guard, approver } = await kit({
      policy: [{ tool: "refund", when: { amount: { gt: 5 } }, then: "deny" }],
    });
    const refund = guard.protect("refund", () => "ran", { schema: RefundArgs });
    approver.expect("refund", { amount: 1 }).edit({ amount: 6 });
    await expect(refund({ amount: 1 })).rejects.toMatchObject({ code: "denied" });
  });

  test("policy-changed-while-waiting: a denial wins, and unmet terms are asked anew", async () => {
    const { guard, approver, another } = await kit({ people: ["bob@example.com"] });
    const action = { tool: "refund", args: { amount: 1 }, session: "s" };
    const held = approver.expect("refund").hold();
    expect(await guard.check(action, { key: "k" })).toMatchObject({ status: "pending" });
    await held.approve();
    const stricter = another({ policy: [{ tool: "refund", then: "deny" }] });
    expect(await stricter.check(action, { key: "k" })).toMatchObject({
      status: "denied",
      error: { code: "denied" },
    });
    const both = another({
      policy: [
        { tool: "refund", then: "ask", approvers: ["alice@example.com", "bob@example.com"], quorum: 2 },
      ],
    });
    approver.expect("refund").approve();
    expect(await both.run(action, () => "ran", { key: "k" })).toBe("ran");
    approver.done();
  });

  test("double-execution: a hundred racers, one run", async () => {
    const { approver, another } = await kit();
    approver.expect("refund").approve();
    let runs = 0;
    const guards = Array.from({ length: 4 }, () => another());
    const racers = Array.from({ length: 100 }, (_, i) =>
      (guards[i % 4] as (typeof guards)[0]).run(
        { tool: "refund", args: { amount: 1 }, session: "s" },
        () => ++runs,
        { key: "same" },
      ),
    );
    const ends = await Promise.allSettled(racers);
    expect(runs).toBe(1);
    expect(ends.filter((end) => end.status === "fulfilled")).toHaveLength(1);
    for (const end of ends)
      if (end.status === "rejected") expect(["in_progress", "already_executed"]).toContain(end.reason.code);
  });

  test("stale-grant: an approval is not used after useBy", async () => {
    let now = Date.now();
    const { guard, approver } = await kit({ now: () => now });
    const held = approver.expect("refund").hold();
    const action = { tool: "refund", args: {}, session: "s" };
    await guard.check(action, { key: "k", mode: "wait" });
    await held.approve();
    now += 3_600_000 + 5 * 60_000 + 1;
    expect(await guard.check(action, { key: "k" })).toMatchObject({
      status: "denied",
      error: { code: "expired" },
    });
  });

  test("kill-switch-race: a suspended agent uses no approval that was granted before", async () => {
    const { guard, approver, bench } = await kit();
    const held = approver.expect("refund").hold();
    const action = { tool: "refund", args: {}, session: "s" };
    await guard.check(action, { key: "k" });
    await held.approve();
    const ready = await guard.check(action, { key: "k" });
    if (ready.status !== "ready") throw new Error(ready.status);
    await bench.owner.append({ kind: "suspend", agent: "agent", reason: null });
    await expect(ready.run(() => "ran")).rejects.toMatchObject({ code: "denied" });
    await expect(guard.run({ tool: "lookup", args: {} }, () => "ran")).rejects.toMatchObject({
      code: "denied",
    });
  });

  test("revoked-device: an approval by a device that was revoked since does not run", async () => {
    const { guard, approver, bench } = await kit();
    const held = approver.expect("refund").hold();
    const action = { tool: "refund", args: {}, session: "s" };
    await guard.check(action, { key: "k" });
    await held.approve();
    const device = bench.devices.get("alice@example.com")?.profile.device as string;
    await bench.owner.append({ kind: "revoke", target: { kind: "device", id: device }, reason: null });
    expect(await guard.check(action, { key: "k" })).toMatchObject({ status: "denied" });
  });
});

describe("people and time", () => {
  test("self-approval: who asked cannot approve, unless the application names them", async () => {
    const { guard, another, approver } = await kit({ approvers: ["alice@example.com"] });
    const action = { tool: "refund", args: {}, requester: "Alice@Example.com" };
    await expect(guard.run(action, () => "ran")).rejects.toMatchObject({ code: "denied" });
    approver.expect("refund").approve();
    expect(await another({ selfApproval: ["alice@example.com"] }).run(action, () => "ran")).toBe("ran");
  });

  test("timeout-allow: a wait that gives up is its own error, and the request stays open", async () => {
    const { guard, approver } = await kit();
    const held = approver.expect("refund").hold();
    const action = { tool: "refund", args: {}, session: "s" };
    await expect(guard.run(action, () => "ran", { key: "k", timeout: 50 })).rejects.toMatchObject({
      code: "wait_timeout",
    });
    await expect(
      guard.run(action, () => "ran", { key: "k", signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: "wait_timeout" });
    await held.approve();
    expect(await guard.run(action, () => "ran", { key: "k" })).toBe("ran");
    approver.done();
  });

  test("asking somebody without a device fails at once and says which command to run", async () => {
    const { another } = await kit();
    const guard = another({ approvers: ["nobody@example.com"] });
    await expect(guard.run({ tool: "refund", args: {} }, () => "ran")).rejects.toThrow(
      "guard invite nobody@example.com",
    );
  });

  test("a restarted session joins its open request; the same call later in the session is another one", async () => {
    const { guard, approver, another } = await kit();
    const held = approver.expect("refund").hold();
    const action = { tool: "refund", args: { amount: 5 }, session: "ticket-1" };
    await expect(guard.run(action, () => "ran", { timeout: 50 })).rejects.toMatchObject({
      code: "wait_timeout",
    });
    const restarted = another();
    const running = restarted.run(action, () => "ran");
    await held.approve();
    expect(await running).toBe("ran");
    approver.expect("refund").reject();
    await expect(restarted.run(action, () => "ran")).rejects.toMatchObject({ code: "rejected" });
    approver.done();
  });

  test("cancel is a signed act that ends the wait", async () => {
    const { guard, approver } = await kit();
    const held = approver.expect("refund").hold();
    const running = guard.run({ tool: "refund", args: {} }, () => "ran");
    running.catch(() => {});
    await guard.cancel((await held.arrived).request);
    await expect(running).rejects.toMatchObject({ code: "cancelled" });
  });
});

describe("evidence and operations", () => {
  test("act-without-log: where evidence cannot be made durable, nothing is asked and nothing runs", async () => {
    const store = memoryEvidence();
    let broken = false;
    const failing = {
      place: "a full disk",
      open: () => store.open(),
      append: (line: string) => store.append(line),
      flush: async () => {
        if (broken) throw new Error("ENOSPC");
      },
      close: () => store.close(),
    };
    const { guard } = await kit({ evidence: failing, policy });
    await guard.ready();
    broken = true;
    let ran = false;
    await expect(guard.run({ tool: "lookup", args: {} }, () => (ran = true))).rejects.toMatchObject({
      code: "unavailable",
    });
    expect(ran).toBe(false);
    await expect(guard.run({ tool: "lookup", args: {} }, () => (ran = true))).rejects.toMatchObject({
      code: "unavailable",
    });
    expect(ran).toBe(false);
    // Whoever closes hears of it too: what ended in the background could tell nobody.
    await expect(guard.close()).rejects.toMatchObject({ code: "unavailable" });
  });

  test("secret-leak: canaries in arguments and keys appear in no log, error or line of evidence", async () => {
    const canary = "CANARY-7f3a";
    const logged: string[] = [];
    const log = (fields: object, message: string) => logged.push(JSON.stringify(fields) + message);
    const logger = { debug: log, info: log, warn: log, error: log };
    const { guard, approver, evidence, bench } = await kit({ logger });
    approver.expect("refund").approve();
    approver.expect("refund").reject("no");
    const action = { tool: "refund", args: { iban: canary } };
    await expect(guard.run(action, () => Promise.reject(new Error(canary)))).rejects.toThrow(canary);
    const error = await guard.run(action, () => "ran").catch((thrown: Error) => thrown);
    const everything = [
      ...logged,
      ...evidence.lines,
      String((error as Error).stack),
      JSON.stringify(error),
    ].join("\n");
    expect(everything).not.toContain(canary);
    expect(everything).not.toContain(bench.connection.seed);
    expect(everything).not.toContain(bench.connection.token);
  });

  test("config-fail-open: unknown options, empty lists and bad connections throw before anything runs", async () => {
    const bad: unknown[] = [
      { polcy: [] },
      { approvers: [] },
      { approvers: ["a b"] },
      { policy: [{ tool: "x", then: "alow" }] },
      { executionTimeout: 0 },
      { useWithin: { waiting: 5 } },
    ];
    for (const options of bad) {
      expect(() => createGuard(options as GuardOptions), JSON.stringify(options)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/configuration|validation/) }),
      );
    }
    const guard = createGuard({
      connection: "guard-connection-nonsense",
      approvers: ["a@b.c"],
      evidence: memoryEvidence(),
    });
    await expect(guard.run({ tool: "x", args: {} }, () => "ran")).rejects.toMatchObject({
      code: "configuration",
    });
  });

  test("arguments that are not plain JSON are refused with their path", async () => {
    const { guard } = await kit({ policy });
    const run = (args: unknown) => guard.run({ tool: "lookup", args }, () => "ran");
    await expect(run({ when: new Date() })).rejects.toMatchObject({ code: "validation", path: "$.when" });
    await expect(run({ list: [1, Number.NaN] })).rejects.toMatchObject({
      code: "validation",
      path: "$.list[1]",
    });
  });
});

describe("lifetime", () => {
  test("double-execution: what a check allowed runs once", async () => {
    const { guard } = await kit({ policy });
    const ready = await guard.check({ tool: "lookup", args: {} });
    if (ready.status !== "ready") throw new Error(ready.status);
    let runs = 0;
    await ready.run(() => ++runs);
    await expect(ready.run(() => ++runs)).rejects.toMatchObject({ code: "already_executed" });
    expect(runs).toBe(1);
  });

  test("close ends waits, lets running tools end and records them", async () => {
    const { guard, approver, evidence, bench } = await kit({ policy });
    approver.expect("refund").ignore();
    const waiting = guard.run({ tool: "refund", args: {} }, () => "ran");
    waiting.catch(() => {});
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<string>();
    const running = guard.run({ tool: "lookup", args: {} }, () => {
      started.resolve();
      return finish.promise;
    });
    await started.promise;
    const closed = guard.close();
    await expect(waiting).rejects.toMatchObject({ code: "wait_timeout" });
    finish.resolve("found");
    expect(await running).toBe("found");
    await closed;
    await expect(guard.run({ tool: "lookup", args: {} }, () => "ran")).rejects.toMatchObject({
      code: "configuration",
    });
    const report = await verifyChain(evidence.lines, { roster: bench.owner.roster(), checkpoint: null });
    expect(report.problems).toEqual([]);
    expect(evidence.lines.filter((line) => line.includes("TOOL_RESULT"))).toHaveLength(1);
  });

  test("onPending is called once for a request, however often it is checked", async () => {
    const pending: string[] = [];
    const decided: string[] = [];
    const { guard, approver } = await kit({
      onPending: ({ request }) => {
        pending.push(request);
      },
      onDecided: ({ outcome }) => {
        decided.push(outcome);
      },
    });
    const held = approver.expect("refund").hold();
    const action = { tool: "refund", args: {}, session: "s" };
    for (let i = 0; i < 3; i++) await guard.check(action, { key: "k" });
    await held.approve();
    expect(await guard.run(action, () => "ran", { key: "k" })).toBe("ran");
    expect(pending).toHaveLength(1);
    expect(decided).toEqual(["approved"]);
  });

  test("a reader that stops in the middle of a stream leaves a run that is recorded", async () => {
    const { guard, evidence, bench } = await kit({ policy });
    for await (const value of guard.runStream({ tool: "lookup", args: {} }, async function* () {
      yield 1;
      yield 2;
    })) {
      if (value === 1) break;
    }
    await guard.close();
    const report = await verifyChain(evidence.lines, { roster: bench.owner.roster(), checkpoint: null });
    expect(report.problems).toEqual([]);
    expect(evidence.lines.filter((line) => line.includes("TOOL_RESULT"))).toHaveLength(1);
  });
});
