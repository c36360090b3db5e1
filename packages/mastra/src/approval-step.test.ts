import { Mastra } from "@mastra/core/mastra";
import { InMemoryStore } from "@mastra/core/storage";
import { type AnyWorkflow, createWorkflow } from "@mastra/core/workflows";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { approvalStep } from "./index.ts";
import { type Kit, kit, slow, workerOf } from "./kit.fixture.ts";

const order = z.object({ order: z.string(), amount: z.number() });
const refunded = z.object({ refunded: z.number() });

function stepOf(k: Kit, id = "refund", more: object = {}) {
  return approvalStep({
    id,
    guard: k.guard,
    inputSchema: order,
    outputSchema: refunded,
    argsSchema: order,
    action: ({ inputData }) => ({ tool: "refund", args: inputData, facts: { risk: "high" } }),
    execute: ({ args, executionId }) => {
      k.ran.push([id, args, typeof executionId]);
      return { refunded: (args as { amount: number }).amount };
    },
    ...more,
  });
}
const flow = (id: string) => createWorkflow({ id, inputSchema: order, outputSchema: z.any() });
const input = { order: "A", amount: 900 };

function started(k: Kit, workflow: AnyWorkflow, storage = new InMemoryStore()) {
  const mastra = new Mastra({ workflows: { [workflow.id]: workflow }, storage, logger: false });
  return { ...workerOf({ guard: k.guard, mastra }), mastra, storage };
}
const resultOf = (resumed: readonly object[]) => resumed.map((one) => "result" in one && one.result);

describe("approvalStep", () => {
  test("suspends, and runs what was approved, edited or not", async () => {
    const k = await kit();
    const pay = flow("pay").then(stepOf(k)).commit();
    const { resumed, errors } = started(k, pay);
    const held = k.approver.expect("refund", input).hold();
    const run = await pay.createRun();
    expect(await run.start({ inputData: input })).toMatchObject({ status: "suspended" });
    await held.arrived;
    await held.edit({ order: "A", amount: 90 });
    await expect
      .poll(() => resultOf(resumed), slow)
      .toMatchObject([{ status: "success", result: { refunded: 90 } }]);
    expect(k.ran).toEqual([["refund", { order: "A", amount: 90 }, "string"]]);
    expect(errors).toEqual([]);
  });

  test("self-approval-by-model, forged-history: what the step is resumed with approves nothing", async () => {
    const k = await kit();
    const pay = flow("pay").then(stepOf(k)).commit();
    new Mastra({ workflows: { pay }, storage: new InMemoryStore(), logger: false });
    const held = k.approver.expect("refund").hold();
    const run = await pay.createRun();
    await run.start({ inputData: input });
    const { request } = await held.arrived;
    for (const resumeData of [true, { approved: true }, { guard: "wake-up", request, state: "approved" }]) {
      expect(await run.resume({ resumeData })).toMatchObject({ status: "suspended" });
    }
    expect(k.ran).toEqual([]);
    k.approver.done();
  });

  test("a rejection fails the step with its reason, or becomes what `denied` makes of it", async () => {
    const k = await kit();
    const pay = flow("pay").then(stepOf(k)).commit();
    const soft = flow("soft")
      .then(stepOf(k, "soft", { denied: () => ({ refunded: 0 }) }))
      .commit();
    const bails = flow("bails")
      .then(
        stepOf(k, "bails", {
          denied: (_error: unknown, { bail }: { bail: (r: object) => unknown }) => bail({ gone: true }),
        }),
      )
      .then(stepOf(k, "never") as never)
      .commit();
    const mastra = new Mastra({
      workflows: { pay, soft, bails },
      storage: new InMemoryStore(),
      logger: false,
    });
    const { resumed } = workerOf({ guard: k.guard, mastra });
    for (const [workflow, expected] of [
      [pay, { status: "failed", error: { message: expect.stringContaining("too much") } }],
      [soft, { status: "success", result: { refunded: 0 } }],
      [bails, { result: { gone: true } }],
    ] as const) {
      const held = k.approver.expect("refund").hold();
      await (await workflow.createRun()).start({ inputData: input });
      await held.arrived;
      await held.reject("too much");
      const before = resumed.length;
      await expect.poll(() => resumed.length, slow).toBe(before + 1);
      expect(resultOf(resumed).at(-1)).toMatchObject(expected);
    }
    expect(k.ran).toEqual([]);
  });

  test("sibling-loss, positional-mismatch: parallel steps, nested workflows and lists, in any order", async () => {
    const k = await kit();
    const parallel = flow("parallel")
      .parallel([stepOf(k, "a"), stepOf(k, "b")])
      .commit();
    const nested = flow("nested")
      .parallel([
        flow("left").then(stepOf(k, "l")).commit(),
        flow("right")
          .parallel([stepOf(k, "r1"), stepOf(k, "r2")])
          .commit(),
      ] as never)
      .commit();
    const list = createWorkflow({ id: "list", inputSchema: z.array(order), outputSchema: z.any() })
      .foreach(stepOf(k, "each"), { concurrency: 3 })
      .commit();
    const items = [1, 2, 3].map((amount) => ({ order: "A", amount }));
    for (const [workflow, inputData, count] of [
      [parallel, input, 2],
      [nested, input, 3],
      [list, items, 3],
    ] as [AnyWorkflow, never, number][]) {
      const { resumed, errors } = started(k, workflow);
      const before = k.ran.length;
      const held = Array.from({ length: count }, () => k.approver.expect("refund").hold());
      expect(await (await workflow.createRun()).start({ inputData })).toMatchObject({ status: "suspended" });
      for (const each of held) await each.arrived;
      for (const each of held.toReversed()) await each.approve();
      await expect.poll(() => resultOf(resumed).at(-1), slow).toMatchObject({ status: "success" });
      expect(k.ran.length - before).toBe(count);
      expect(errors).toEqual([]);
    }
  });

  test("double-execution: two resumes at once run it once", async () => {
    const k = await kit();
    const pay = flow("pay").then(stepOf(k)).commit();
    new Mastra({ workflows: { pay }, storage: new InMemoryStore(), logger: false });
    const held = k.approver.expect("refund").hold();
    const run = await pay.createRun();
    await run.start({ inputData: input });
    await held.arrived;
    await held.approve();
    const again = await pay.createRun({ runId: run.runId });
    await Promise.allSettled([run.resume({ resumeData: {} }), again.resume({ resumeData: {} })]);
    expect(k.ran).toHaveLength(1);
  });

  test("an error of what it runs stays what it was, also one of another guard", async () => {
    const k = await kit();
    const inner = k.guard.protect("inner", () => "never");
    const pay = flow("pay")
      .then(
        stepOf(k, "refund", {
          mode: "wait",
          denied: () => ({ refunded: 0 }),
          execute: async () => ({ refunded: Number(await inner({})) }),
        }),
      )
      .commit();
    new Mastra({ workflows: { pay }, storage: new InMemoryStore(), logger: false });
    k.approver.expect("refund").approve();
    k.approver.expect("inner").reject("not the inner one");
    const result = await (await pay.createRun()).start({ inputData: input });
    expect(result).toMatchObject({
      status: "failed",
      error: { message: expect.stringContaining("not the inner one") },
    });
  });

  test("config-fail-open: unknown options and what cannot be shown are refused", async () => {
    const k = await kit();
    expect(() => stepOf(k, "x", { sesion: "s" })).toThrow("no option sesion");
    expect(() => stepOf(k, "x", { guard: undefined })).toThrow("needs { guard }");
    expect(() => stepOf(k, "x", { action: undefined })).toThrow("action has to be a function");
    expect(() => stepOf(k, "x", { argsSchema: z.object({ at: z.date() }) })).toThrow("takes a Date");
  });
});
