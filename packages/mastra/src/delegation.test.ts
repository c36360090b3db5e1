// Agents that hand work to others, and everything that could get around the gate of one.
import { Agent } from "@mastra/core/agent";
import { createDurableAgent } from "@mastra/core/agent/durable";
import { Mastra } from "@mastra/core/mastra";
import { MockMemory } from "@mastra/core/memory";
import { InMemoryStore } from "@mastra/core/storage";
import { createTool } from "@mastra/core/tools";
import { createStep, createWorkflow } from "@mastra/core/workflows";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { guardAgent, guardHooks } from "./index.ts";
import {
  agentOf,
  asModel,
  type Kit,
  kinds,
  kit,
  refund,
  runOut,
  slow,
  streamed,
  workerOf,
} from "./kit.fixture.ts";
import { type Call, heard, scripted } from "./scripted-model.fixture.ts";

const thread = { memory: { thread: "t", resource: "r" } };
const delegate: Call = { id: "p1", tool: "agent-clerk", input: { prompt: "refund it" } };

function family(
  k: Kit,
  inner: Parameters<typeof scripted>[0],
  outer: Parameters<typeof scripted>[0],
  memory = false,
) {
  const storage = new InMemoryStore();
  const more = memory ? { memory: new MockMemory({ storage }) } : {};
  const models = { clerk: scripted(inner), boss: scripted(outer) };
  const clerk = guardAgent(
    {
      id: "clerk",
      name: "clerk",
      description: "Refunds",
      instructions: "",
      model: asModel(models.clerk),
      tools: k.tools,
      ...more,
    },
    { guard: k.guard },
  );
  const boss = guardAgent(
    {
      id: "boss",
      name: "boss",
      instructions: "",
      model: asModel(models.boss),
      agents: { clerk },
      tools: k.tools,
      ...more,
    },
    { guard: k.guard },
  );
  return { clerk, boss, models, storage };
}

describe("subagent-bypass", () => {
  test("an agent that is not guarded is refused, also one that a function gives", async () => {
    const k = await kit();
    const raw = new Agent({
      id: "clerk",
      name: "clerk",
      instructions: "",
      model: asModel(scripted(["x"])),
      tools: k.tools,
    });
    const config = { id: "boss", name: "boss", instructions: "" };
    const make = (agents: object, ungated: string[] = []) =>
      guardAgent(
        { ...config, model: asModel(scripted([[delegate], "done"])), agents: agents as never },
        { guard: k.guard, ungated },
      );
    expect(() => make({ clerk: raw })).toThrow("the sub-agent clerk is not guarded");
    expect(make({ clerk: raw }, ["agent-clerk"])).toBeInstanceOf(Agent);
    const dynamic = make(() => ({ clerk: raw }));
    new Mastra({ agents: { dynamic }, storage: new InMemoryStore(), logger: false });
    await expect(dynamic.generate("go")).rejects.toThrow("the sub-agent clerk is not guarded");
    const hooked = new Agent({
      id: "clerk",
      name: "clerk",
      instructions: "",
      model: asModel(scripted(["x"])),
      hooks: guardHooks({ guard: k.guard }),
    });
    expect(make({ clerk: hooked })).toBeInstanceOf(Agent);
    expect(make({ clerk: createDurableAgent({ agent: hooked }) })).toBeInstanceOf(Agent);
  });

  test.each([false, true])(
    "a sub-agent's call suspends the whole, and the worker resumes the outer run (memory: %s)",
    async (memory) => {
      const k = await kit();
      const { boss, clerk, models, storage } = family(
        k,
        [[refund("k1", 900)], "refunded"],
        [[delegate], "all done"],
        memory,
      );
      const mastra = new Mastra({ agents: { boss, clerk }, storage, logger: false });
      const { resumed, errors } = workerOf({ guard: k.guard, mastra });
      const held = k.approver.expect("refund").hold();
      expect((await boss.generate("go", thread)).finishReason).toBe("suspended");
      await held.arrived;
      await held.approve();
      expect(await runOut(resumed, 1)).toEqual(["all done"]);
      expect(resumed).toMatchObject([{ kind: "agent", agent: { id: "boss" } }]);
      expect(heard(models.boss)).toContain("refunded");
      expect(k.ran).toHaveLength(1);
      expect(errors).toEqual([]);
      expect((await clerk.listSuspendedRuns()).total).toBe(0);
    },
  );

  test("sibling-loss: two calls of a sub-agent that is registered nowhere, and one of its supervisor, all answered at once", async () => {
    const k = await kit();
    const { boss, models, storage } = family(
      k,
      [[refund("k1", 1), refund("k2", 2)], "both"],
      [[delegate, refund("p2", 3)], "all done"],
    );
    const mastra = new Mastra({ agents: { boss }, storage, logger: false });
    const { resumed, errors } = workerOf({ guard: k.guard, mastra });
    const held = [1, 2, 3].map((amount) =>
      k.approver.expect("refund", { order: "A", amount, note: "none" }).hold(),
    );
    await streamed(await boss.stream("go", thread));
    for (const each of held) await each.arrived;
    await Promise.all([held[2]?.approve(), held[0]?.approve(), held[1]?.reject("enough")]);
    await expect.poll(() => heard(models.boss), slow).toContain("both");
    expect(heard(models.boss)).toContain('"refunded":3');
    expect(heard(models.clerk)).toContain("enough");
    expect(k.ran.map((input) => (input as { amount: number }).amount).toSorted()).toEqual([1, 3]);
    expect(errors).toEqual([]);
    expect(resumed.every((one) => one.kind === "agent" && one.agent.id === "boss")).toBe(true);
    expect((await boss.listSuspendedRuns()).total).toBe(0);
  });
});

describe("runtime-override", () => {
  test("hooks of a call replace an agent's hooks, and not the gate of its tools", async () => {
    const k = await kit();
    k.approver.expect("refund").reject("no");
    const { agent } = agentOf(k, "guardAgent", { mode: "wait", script: [[refund("c1", 900)], "done"] });
    await agent.generate("go", { hooks: { beforeToolCall: () => {} } });
    expect(k.ran).toEqual([]);
    k.approver.done();
  });

  test("hooks of a call run, and do not take away the gate of what Mastra adds either; null takes nothing away", async () => {
    const k = await kit();
    const wipe = createTool({
      id: "wipe",
      description: "Wipes",
      inputSchema: z.object({}),
      execute: async () => k.ran.push("wipe"),
    });
    const seen: string[] = [];
    for (const hooks of [
      { beforeToolCall: () => void seen.push("before") },
      { afterToolCall: () => void seen.push("after") },
      { beforeToolCall: null, afterToolCall: null },
    ]) {
      const script = [[{ id: "c1", tool: "wipe", input: {} }], "done"];
      const { agent } = agentOf(k, "guardAgent", { mode: "wait", script });
      k.approver.expect("wipe").reject("no");
      await agent.generate("go", { toolsets: { more: { wipe } }, hooks: hooks as never });
    }
    expect(k.ran).toEqual([]);
    expect(seen).toEqual(["before"]);
    k.approver.done();
  });

  test("what Mastra adds beside the agent's own tools meets the gate in the hooks", async () => {
    const k = await kit();
    const wipe = createTool({
      id: "wipe",
      description: "Wipes",
      inputSchema: z.object({}),
      execute: async () => k.ran.push("wipe"),
    });
    const wipes = createWorkflow({ id: "wipes", inputSchema: z.object({}), outputSchema: z.any() })
      .then(
        createStep({
          id: "w",
          inputSchema: z.object({}),
          outputSchema: z.any(),
          execute: async () => k.ran.push("workflow"),
        }),
      )
      .commit();
    const calls = [
      { id: "c1", tool: "wipe", input: {} },
      { id: "c2", tool: "workflow-wipes", input: { inputData: {} } },
    ];
    const model = scripted([calls, "done"]);
    const agent = guardAgent(
      { id: "a", name: "a", instructions: "", model: asModel(model), workflows: { wipes } },
      { guard: k.guard, mode: "wait" },
    );
    new Mastra({ agents: { agent }, storage: new InMemoryStore(), logger: false });
    k.approver.expect("wipe").reject("not that");
    k.approver.expect("workflow-wipes").reject("nor that");
    await agent.generate("go", { toolsets: { more: { wipe } } });
    expect(k.ran).toEqual([]);
    expect(heard(model)).toContain("not that");
    expect(heard(model)).toContain("nor that");
    k.approver.done();
  });

  test("tools that a function gives are guarded each time, and refused where they have to be", async () => {
    const k = await kit();
    k.approver.expect("refund").reject("no");
    const make = (tools: object) => {
      const agent = guardAgent(
        {
          id: "a",
          name: "a",
          instructions: "",
          model: asModel(scripted([[refund("c1", 1)], "done"])),
          tools: (() => tools) as never,
        },
        { guard: k.guard, mode: "wait" },
      );
      new Mastra({ agents: { agent }, storage: new InMemoryStore(), logger: false });
      return agent;
    };
    await make(k.tools).generate("go");
    expect(k.ran).toEqual([]);
    k.approver.done();
    await expect(
      make({ refund: Object.assign(Object.create(k.tools.refund), { requireApproval: true }) }).generate(
        "go",
      ),
    ).rejects.toThrow("also asks for Mastra's own approval");
  });
});

test("the user's own hooks run, and what they change is what is asked", async () => {
  const k = await kit();
  const seen: string[] = [];
  k.approver.expect("refund", { order: "A", amount: 5, note: "none" }).approve();
  const agent = guardAgent(
    {
      id: "a",
      name: "a",
      instructions: "",
      model: asModel(
        scripted([[refund("c1", 900), { id: "c2", tool: "lookup", input: { order: "B" } }], "done"]),
      ),
      tools: k.tools,
      hooks: {
        beforeToolCall: ({ toolName, input }) => {
          if (toolName === "lookup") return { proceed: false, output: "not now" };
          (input as { amount: number }).amount = 5;
        },
        afterToolCall: ({ toolName, output }) => {
          seen.push(`${toolName} ${JSON.stringify(output)}`);
        },
      },
    },
    { guard: k.guard, mode: "wait" },
  );
  new Mastra({ agents: { agent }, storage: new InMemoryStore(), logger: false });
  await agent.generate("go");
  expect(k.ran).toEqual([{ order: "A", amount: 5, note: "none" }]);
  expect(seen).toEqual(['refund {"refunded":5}']);
  k.approver.done();
});

test.each(kinds)("a durable agent suspends and is resumed (%s)", async (kind) => {
  const k = await kit();
  const { agent, model } = agentOf(k, kind, { script: [[refund("c1", 900)], "done"] });
  const durable = createDurableAgent({ agent: agent as Agent });
  const mastra = new Mastra({ agents: { durable }, storage: new InMemoryStore(), logger: false });
  const { resumed, errors } = workerOf({ guard: k.guard, mastra });
  const held = k.approver.expect("refund").hold();
  const { fullStream, cleanup } = await durable.stream("go", thread);
  for await (const { type } of fullStream) if (type === "tool-call-suspended") break;
  await held.arrived;
  await held.approve();
  expect(await runOut(resumed, 1)).toEqual(["done"]);
  expect(k.ran).toHaveLength(1);
  expect(heard(model)).toContain('"refunded":900');
  expect(errors).toEqual([]);
  cleanup();
});

test("config-fail-open: what would replace the gate, or ask beside it, is refused", async () => {
  const k = await kit();
  const config = { id: "a", name: "a", instructions: "", model: asModel(scripted(["x"])), tools: k.tools };
  const { guard } = k;
  const make =
    (more: object, options: object = {}) =>
    () =>
      guardAgent({ ...config, ...more }, { guard, ...options });
  expect(make({ defaultOptions: { hooks: {} } })).toThrow("defaultOptions.hooks would replace");
  expect(make({ defaultOptions: { requireToolApproval: true } })).toThrow(
    "requireToolApproval asks beside the guard",
  );
  expect(make({ hooks: guardHooks({ guard }) })).toThrow("hooks are guardHooks already");
  expect(make({ tools: { "re fund": k.tools.refund } })).toThrow("does not keep");
  expect(
    make({ tools: { refund: Object.assign(Object.create(k.tools.refund), { requireApproval: true }) } }),
  ).toThrow("Remove that");
  expect(make({}, { facts: { refnd: () => ({}) } })).toThrow("no tool called refnd");
});

test("an agent that belongs to no Mastra cannot suspend: its calls fail with what to do, and nobody is asked", async () => {
  const k = await kit();
  const model = scripted([[refund("c1", 1)], "done"]);
  const agent = guardAgent(
    { id: "a", name: "a", instructions: "", model: asModel(model), tools: k.tools },
    { guard: k.guard },
  );
  expect((await agent.generate("go")).text).toBe("done");
  expect(heard(model)).toContain("new Mastra({ agents, storage })");
  expect(k.ran).toEqual([]);
  k.approver.done();
});
