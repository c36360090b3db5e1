import { Mastra } from "@mastra/core/mastra";
import { InMemoryStore } from "@mastra/core/storage";
import { LibSQLStore } from "@mastra/libsql";
import { expect, test, vi } from "vitest";
import { guardAgent, resumeWorker } from "./index.ts";
import { agentOf, asModel, kit, refund, runOut, slow, workerOf } from "./kit.fixture.ts";
import { scripted } from "./scripted-model.fixture.ts";

test("a resume loads only the thread concerned", async () => {
  const k = await kit();
  const script = [...Array.from({ length: 5 }, (_, i) => [refund("c1", i)]), "done"];
  const storage = new LibSQLStore({ id: "store", url: ":memory:" });
  const { agent, mastra } = agentOf(k, "guardAgent", { script, storage });
  const held = Array.from({ length: 5 }, () => k.approver.expect("refund").hold());
  for (const thread of ["t0", "t1", "t2", "t3", "t4"]) {
    await agent.generate("go", { memory: { thread, resource: "r" } });
  }
  for (const each of held) await each.arrived;
  const list = vi.spyOn(agent, "listSuspendedRuns");
  const { resumed } = workerOf({ guard: k.guard, mastra });
  await held[3]?.approve();
  expect(await runOut(resumed, 1)).toEqual(["done"]);
  expect(resumed).toMatchObject([{ thread: "t3" }]);
  expect(new Set(list.mock.calls.map(([filter]) => filter?.threadId))).toEqual(new Set(["t3"]));
  expect((await agent.listSuspendedRuns()).total).toBe(4);
});

test("sessions of the application's own, and no thread at all: runs are found by listing, once for many", async () => {
  const k = await kit();
  for (const more of [{ session: "ticket-17" }, {}]) {
    const script = [[refund("c1", 1)], [refund("c1", 2)], "done", "done"];
    const { agent, mastra } = agentOf(k, "guardAgent", { script, options: more });
    const held = [1, 2].map(() => k.approver.expect("refund").hold());
    await agent.generate("go");
    await agent.generate("go");
    for (const each of held) await each.arrived;
    const { resumed, errors } = workerOf({ guard: k.guard, mastra });
    for (const each of held) await each.approve();
    expect(await runOut(resumed, 2)).toEqual(["done", "done"]);
    expect(errors).toEqual([]);
  }
});

test("an answer that is faster than Mastra's pause is not lost", async () => {
  const k = await kit();
  k.approver.expect("refund").approve();
  const { agent, mastra } = agentOf(k, "guardAgent", { script: [[refund("c1", 1)], "done"] });
  const { resumed } = workerOf({ guard: k.guard, mastra });
  const running = agent.generate("go", { memory: { thread: "t", resource: "r" } });
  expect((await running).finishReason).toBe("suspended");
  expect(await runOut(resumed, 1)).toEqual(["done"]);
});

test("two workers: the tool runs once", async () => {
  const k = await kit();
  const held = k.approver.expect("refund").hold();
  const storage = new InMemoryStore();
  const first = agentOf(k, "guardAgent", { storage, script: [[refund("c1", 1)], "done", "done"] });
  const guard = k.another();
  const second = agentOf({ ...k, guard }, "guardAgent", { storage, script: ["done", "done"] });
  const workers = [
    workerOf({ guard: k.guard, mastra: first.mastra }),
    workerOf({ guard, mastra: second.mastra }),
  ];
  await first.agent.generate("go", { memory: { thread: "t", resource: "r" } });
  await held.arrived;
  await held.approve();
  await expect.poll(() => workers.flatMap(({ resumed }) => resumed).length, slow).toBeGreaterThan(0);
  for (const { worker } of workers) await worker.idle();
  await expect.poll(async () => (await first.agent.listSuspendedRuns()).total, slow).toBe(0);
  expect(k.ran).toHaveLength(1);
});

test("a run that fails after it was resumed is told to onError, and so is what onResumed throws", async () => {
  const k = await kit();
  for (const [script, more, says] of [
    [[[refund("c1", 1)]], {}, "called more often"],
    [
      [[refund("c1", 1)], "done"],
      { onResumed: () => Promise.reject(new Error("no place to show it")) },
      "no place to show it",
    ],
  ] as const) {
    k.approver.expect("refund").approve();
    const { agent, mastra } = agentOf(k, "guardAgent", { script });
    const errors: unknown[] = [];
    await using _worker = resumeWorker({
      guard: k.guard,
      mastra,
      onError: (error) => errors.push(error),
      ...more,
    });
    await agent.generate("go");
    await expect.poll(() => errors.map(String), slow).toEqual([expect.stringContaining(says)]);
  }
  expect(k.ran).toHaveLength(2);
});

test("config-fail-open: a worker that could resume nothing is refused", async () => {
  const { guard, tools } = await kit();
  const agent = guardAgent(
    { id: "a", name: "a", instructions: "", model: asModel(scripted([])), tools },
    { guard },
  );
  expect(() => resumeWorker({ guard, agents: [agent] })).toThrow("new Mastra({ agents, storage })");
  expect(() => resumeWorker({ guard })).toThrow("needs { mastra }");
  expect(() => resumeWorker({ guard, mastra: new Mastra({ logger: false }) })).toThrow("needs { mastra }");
  expect(() => resumeWorker({ agents: [agent] } as never)).toThrow("needs { guard }");
  expect(() => resumeWorker({ guard, agent } as never)).toThrow("no option agent");
  expect(() => resumeWorker({ guard, agents: [agent], concurrency: 0 })).toThrow();
});
