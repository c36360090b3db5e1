import { isGuardError } from "@guard/core";
import { Mastra } from "@mastra/core/mastra";
import { RequestContext } from "@mastra/core/request-context";
import { InMemoryStore } from "@mastra/core/storage";
import { createTool } from "@mastra/core/tools";
import { createStep, createWorkflow } from "@mastra/core/workflows";
import { MCPServer } from "@mastra/mcp";
import { tool } from "ai";
import { expect, test } from "vitest";
import * as z from "zod";
import { executionOf, guardTool, guardTools } from "./index.ts";
import { agentOf, kit, slow, workerOf } from "./kit.fixture.ts";

test("a tool called by hand waits, and runs what was approved", async () => {
  const { guard, approver, tools, ran } = await kit();
  const guarded = guardTools(tools, { guard, session: "s" });
  approver.expect("refund").edit({ order: "A", amount: 90, note: "half" });
  expect(await guarded.refund.execute?.({ order: "A", amount: 900, note: "x" }, {} as never)).toEqual({
    refunded: 90,
  });
  expect(ran).toEqual([{ order: "A", amount: 90, note: "half" }]);
});

test("every field but execute is kept, and the tool stays what Mastra takes for one", async () => {
  const { guard } = await kit();
  const full = createTool({
    id: "pay",
    title: "Pay",
    description: "Pays",
    inputSchema: z.object({ amount: z.number() }),
    outputSchema: z.object({ paid: z.number() }),
    toModelOutput: (output) => ({ type: "text", value: `paid ${output.paid}` }),
    providerOptions: { openai: { strict: true } },
    mcp: { annotations: { title: "Pay", destructiveHint: true }, _meta: { version: "1" } },
    background: { enabled: false },
    execute: async ({ amount }) => ({ paid: amount }),
  });
  const guarded = guardTool(full, { guard });
  expect(guarded).toBeInstanceOf(full.constructor);
  expect(Reflect.ownKeys(guarded)).toEqual(Reflect.ownKeys(full));
  for (const key of Reflect.ownKeys(full)) {
    if (key !== "execute") expect(Reflect.get(guarded, key)).toBe(Reflect.get(full, key));
  }
  expect(guarded.execute).not.toBe(full.execute);
});

test("types survive: the wrapped tools are the tools, and facts get their input", async () => {
  const { guard, tools } = await kit();
  const wrapped = guardTools(tools, {
    guard,
    facts: { refund: ({ amount }) => ({ risk: amount > 500 ? "high" : "low" }) },
  });
  const same: typeof tools = wrapped;
  expect(Object.keys(same)).toEqual(["lookup", "refund"]);
  // @ts-expect-error: amount is a number
  guardTools(tools, { guard, facts: { refund: ({ amount }) => ({ title: amount.trim() }) } });
  // @ts-expect-error: there is no tool of that name
  expect(() => guardTools(tools, { guard, ungated: ["refnd"] })).toThrow("no tool called refnd");
});

test("a tool finds its execution, and with it the idempotency key, by its context", async () => {
  const { guard, approver } = await kit();
  const seen: unknown[] = [];
  const pay = createTool({
    id: "pay",
    description: "Pays",
    inputSchema: z.object({}),
    execute: async (_input, context) => {
      seen.push(executionOf(context)?.executionId, executionOf(context)?.request);
    },
  });
  approver.expect("pay").approve();
  await guardTool(pay, { guard }).execute?.({}, { requestContext: new RequestContext() } as never);
  expect(seen).toEqual([expect.any(String), expect.any(String)]);
  expect(executionOf({})).toBeUndefined();
});

test("session and requester may come from the call; a requester cannot approve", async () => {
  const { guard, approver, tools } = await kit();
  const guarded = guardTools(tools, {
    guard,
    session: ({ requestContext }) => String(requestContext?.get("ticket")),
    requester: ({ requestContext }) => String(requestContext?.get("user")),
  });
  const requestContext = new RequestContext([
    ["ticket", "T-17"],
    ["user", "bob@example.com"],
  ] as never);
  const held = approver.expect("refund").hold();
  const running = guarded.refund.execute?.({ order: "A", amount: 1, note: "" }, { requestContext } as never);
  const { request, terms } = await held.arrived;
  expect(terms.requester).toBe("bob@example.com");
  expect((await guard.read(request)).session).toBe("T-17");
  await held.approve();
  await running;
});

test("a workflow step made of a tool suspends, and a worker resumes it", async () => {
  const { guard, approver, tools, ran } = await kit();
  const step = createStep(guardTool(tools.refund, { guard }));
  const pay = createWorkflow({ id: "pay", inputSchema: step.inputSchema, outputSchema: step.outputSchema })
    .then(step)
    .commit();
  const mastra = new Mastra({ workflows: { pay }, storage: new InMemoryStore(), logger: false });
  const { resumed } = workerOf({ guard, mastra });
  const held = approver.expect("refund").hold();
  const run = await pay.createRun();
  const first = await run.start({ inputData: { order: "A", amount: 900, note: "" } });
  expect(first.status).toBe("suspended");
  expect(await run.resume({ resumeData: { approved: true } })).toMatchObject({ status: "suspended" });
  expect(ran).toEqual([]);
  await held.arrived;
  await held.approve();
  await expect
    .poll(() => resumed, slow)
    .toEqual([
      expect.objectContaining({
        kind: "workflow",
        run: run.runId,
        result: expect.objectContaining({ status: "success", result: { refunded: 900 } }),
      }),
    ]);
  expect(ran).toHaveLength(1);
});

test("an MCP server's tools wait for people, and tell its client why not", async () => {
  const { guard, approver, tools, ran } = await kit();
  const server = new MCPServer({ id: "m", name: "m", version: "1.0.0", tools: guardTools(tools, { guard }) });
  approver.expect("refund", { order: "A", amount: 1, note: "none" }).approve();
  expect(await server.executeTool("refund", { order: "A", amount: 1 })).toEqual({
    status: "completed",
    output: { refunded: 1 },
  });
  approver.expect("refund").reject("not from outside");
  await expect(server.executeTool("refund", { order: "A", amount: 2 })).rejects.toThrow("not from outside");
  expect(ran).toEqual([{ order: "A", amount: 1, note: "none" }]);
});

test("a tool of the AI SDK", async () => {
  const k = await kit();
  const weigh = tool({
    description: "Weighs",
    inputSchema: z.object({ kilos: z.number() }),
    execute: async ({ kilos }, { toolCallId }) => {
      k.ran.push([toolCallId, kilos]);
      return { kilos };
    },
  });
  const held = k.approver.expect("weigh", { kilos: 3 }).hold();
  const script = [[{ id: "c1", tool: "weigh", input: { kilos: 3 } }], "done"];
  const { agent, mastra } = agentOf({ ...k, tools: { weigh } as never }, "guardAgent", { script });
  const { resumed } = workerOf({ guard: k.guard, mastra });
  expect((await agent.generate("go")).finishReason).toBe("suspended");
  await held.arrived;
  await held.edit({ kilos: 2 });
  await expect.poll(() => resumed.length, slow).toBe(1);
  await expect.poll(() => k.ran, slow).toEqual([["c1", 2]]);
});

test("edited-tool-escape: an edit that the tool's schema does not take, or changes, is refused", async () => {
  const { guard, approver, tools, ran } = await kit();
  const guarded = guardTools(tools, { guard });
  const call = () => guarded.refund.execute?.({ order: "A", amount: 1, note: "" }, {} as never);
  approver.expect("refund").edit({ order: "A", amount: "many" });
  await expect(call()).rejects.toThrow("do not fit the tool's schema");
  approver.expect("refund").edit({ order: "A", amount: 2 });
  await expect(call()).rejects.toThrow("changes them");
  expect(ran).toEqual([]);
});

test("a guarded tool that suspends itself fails: resumed, it would run again for one approval", async () => {
  const k = await kit();
  const nosy = createTool({
    id: "nosy",
    description: "Asks back",
    inputSchema: z.object({}),
    execute: async (_input, context) => {
      k.ran.push("nosy");
      await context.agent?.suspend?.({ which: "?" });
    },
  });
  k.approver.expect("nosy").approve();
  for (const kind of ["guardAgent", "guardHooks"] as const) {
    const script = [[{ id: "c1", tool: "nosy", input: {} }], "done"];
    k.approver.expect("nosy").approve();
    const { agent } = agentOf({ ...k, tools: { nosy } as never }, kind, { mode: "wait", script });
    expect((await agent.generate("go")).text).toBe("done");
  }
  expect(k.ran).toEqual(["nosy", "nosy"]);
});

test("prototype-ids: tools called constructor or __proto__ are guarded like any other", async () => {
  const { guard, approver, tools } = await kit();
  const given = Object.fromEntries([
    ["constructor", tools.refund],
    ["__proto__", tools.refund],
  ]);
  const wrapped = guardTools(given, { guard, facts: {} });
  expect(Object.keys(wrapped)).toEqual(["constructor", "__proto__"]);
  approver.expect("constructor").reject("no");
  const call = wrapped.constructor as unknown as typeof tools.refund;
  await expect(call.execute?.({ order: "A", amount: 1, note: "" }, {} as never)).rejects.toThrow("no");
});

test("config-fail-open: what a guard could not hold is refused when it is wrapped, unless it is ungated", async () => {
  const { guard, tools } = await kit();
  const execute = async () => "ran";
  const base = { id: "x", description: "x", inputSchema: z.object({}) };
  const cases: [object, RegExp][] = [
    [createTool({ ...base, execute, requireApproval: true }), /also asks for Mastra's own approval/],
    [createTool({ ...base, execute, requireApproval: () => false }), /also asks for Mastra's own approval/],
    [
      tool({ inputSchema: z.object({}), execute, needsApproval: true }),
      /also asks for Mastra's own approval/,
    ],
    [createTool(base), /has no execute/],
    [{ type: "provider-defined", id: "openai.web_search", args: {} }, /executed by the model's provider/],
    [createTool({ ...base, execute, resumeSchema: z.object({}) }), /suspends itself/],
    [createTool({ ...base, execute, suspendSchema: z.object({}) }), /suspends itself/],
    [createTool({ ...base, inputSchema: z.object({ at: z.date() }), execute }), /takes a Date/],
    [{ inputSchema: z.object({}), execute: async function* () {} }, /is a generator/],
    [guardTool(tools.refund, { guard }), /guarded already/],
  ];
  for (const [one, message] of cases) {
    expect(() => guardTools({ x: one as never }, { guard })).toThrow(message);
    expect(guardTools({ x: one as never }, { guard, ungated: ["x"] })).toEqual({ x: one });
  }
  expect(() => guardTool(tools.refund, { guard, facts: {} as never })).toThrow("facts has to be a function");
  expect(() => guardTool(tools.refund, { guard, ungated: [] } as never)).toThrow("no option ungated");
  expect(() => guardTools(tools, {} as never)).toThrow("needs { guard }");
  expect(() => guardTools(tools, { guard, mode: "block" as never })).toThrow('mode is "suspend" or "wait"');
});

test("an outage is an error of the call, and nothing runs", async () => {
  const k = await kit();
  const guard = k.another({ fetch: () => Promise.reject(new TypeError("offline")) });
  const guarded = guardTools(k.tools, { guard });
  const failing = guarded.refund.execute?.({ order: "A", amount: 1, note: "" }, {} as never);
  const error = await Promise.resolve(failing).catch((caught: unknown) => caught);
  expect(isGuardError(error, "unavailable")).toBe(true);
  expect(k.ran).toEqual([]);
});
