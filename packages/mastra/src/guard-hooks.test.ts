import { Agent } from "@mastra/core/agent";
import { Mastra } from "@mastra/core/mastra";
import { InMemoryStore } from "@mastra/core/storage";
import { createTool } from "@mastra/core/tools";
import { expect, test } from "vitest";
import * as z from "zod";
import { guardHooks } from "./index.ts";
import { agentOf, asModel, kit, refund, slow, workerOf } from "./kit.fixture.ts";
import { heard, scripted } from "./scripted-model.fixture.ts";

test("runtime-override: hooks of a call replace these, as the README says in bold; half of them is refused", async () => {
  const k = await kit();
  const open = agentOf(k, "guardHooks", { mode: "wait", script: [[refund("c1", 1)], "done"] });
  await open.agent.generate("go", { hooks: { beforeToolCall: () => {} } });
  const client = agentOf(k, "guardHooks", { mode: "wait", script: [[refund("c1", 1)], "done"] });
  await client.agent.generate("go", { hooks: JSON.parse('{"beforeToolCall":null}') });
  expect(k.ran.splice(0)).toHaveLength(2);
  const half = agentOf(k, "guardHooks", { mode: "wait", script: [[refund("c1", 2)], "done"] });
  await half.agent.generate("go", { hooks: { afterToolCall: () => {} } });
  expect(heard(half.model)).toContain("afterToolCall that was given with the call replaces the guard's");
  expect(k.ran).toEqual([]);
  k.approver.done();
});

test("edited-tool-escape: hooks know no schema to hold an edit against, so there are no edits", async () => {
  const k = await kit();
  const { agent } = agentOf(k, "guardHooks", { mode: "wait", script: [[refund("c1", 1)], "done"] });
  const held = k.approver.expect("refund").hold();
  const running = agent.generate("go");
  expect(await held.arrived).toMatchObject({ terms: { editable: false } });
  await expect(held.edit({ order: "A", amount: 90 })).rejects.toThrow("may not be edited");
  expect(k.ran).toEqual([]);
  await held.approve();
  await running;
  expect(k.ran).toHaveLength(1);
});

test("the wake-up never reaches the tool", async () => {
  const k = await kit();
  const curious = createTool({
    id: "curious",
    description: "Looks",
    inputSchema: z.object({}),
    execute: async (_input, context) => {
      k.ran.push([context.agent?.resumeData ?? null, context.agent?.suspendPayload ?? null]);
    },
  });
  for (const kind of ["guardHooks", "guardAgent"] as const) {
    const held = k.approver.expect("curious").hold();
    const script = [[{ id: "c1", tool: "curious", input: {} }], "done"];
    const { agent, mastra } = agentOf({ ...k, tools: { curious } as never }, kind, { script });
    const { resumed } = workerOf({ guard: k.guard, mastra });
    await agent.generate("go");
    await held.arrived;
    await held.approve();
    await expect.poll(() => resumed.length, slow).toBe(1);
  }
  await expect
    .poll(() => k.ran, slow)
    .toEqual([
      [null, null],
      [null, null],
    ]);
});

test("a call id that a model uses again is another call", async () => {
  const k = await kit();
  for (const kind of ["guardHooks", "guardAgent"] as const) {
    k.ran.length = 0;
    const script = [[refund("c1", 1)], [refund("c1", 2)], "done"];
    const { agent } = agentOf(k, kind, { mode: "wait", script });
    k.approver.expect("refund").approve();
    k.approver.expect("refund").approve();
    await agent.generate("go", { memory: { thread: "t", resource: "r" } });
    expect(k.ran).toHaveLength(2);
  }
  k.approver.done();
});

test("ungated tools and facts, by name", async () => {
  const k = await kit();
  const held = k.approver.expect("refund").hold();
  const model = scripted([[refund("c1", 1), { id: "c2", tool: "free", input: {} }], "done"]);
  const free = createTool({
    id: "free",
    description: "Free",
    inputSchema: z.object({}),
    execute: async () => k.ran.push("free"),
  });
  const agent = new Agent({
    id: "a",
    name: "a",
    instructions: "",
    model: asModel(model),
    tools: { ...k.tools, free },
    hooks: guardHooks({
      guard: k.guard,
      mode: "wait",
      ungated: ["free"],
      facts: { refund: ({ amount }: { amount: number }) => ({ title: `Refund ${amount}` }) },
    }),
  });
  new Mastra({ agents: { agent }, storage: new InMemoryStore(), logger: false });
  const running = agent.generate("go");
  expect((await held.arrived).facts).toMatchObject({ title: "Refund 1" });
  await held.approve();
  await running;
  expect(k.ran).toHaveLength(2);
});
