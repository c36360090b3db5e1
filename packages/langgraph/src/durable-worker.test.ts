// Suspended agents and their worker in one process, over a checkpointer in memory that counts who reads what.
import type { Guard } from "@guard/core";
import type { RunnableConfig } from "@langchain/core/runnables";
import { tool } from "@langchain/core/tools";
import {
  type BaseCheckpointSaver,
  type CheckpointTuple,
  Command,
  END,
  MemorySaver,
  MessagesAnnotation,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { AIMessage, createAgent, fakeModel, HumanMessage } from "langchain";
import { afterEach, expect, test } from "vitest";
import * as z from "zod";
import {
  go,
  invoke,
  type Result,
  refund,
  requestsIn,
  resume,
  shop,
  shopTools,
  thread,
  toolMessages,
} from "./agent.fixture.ts";
import { until } from "./graph.fixture.ts";
import { guardMiddleware } from "./middleware.ts";
import { resumeWorker } from "./worker.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

/** Remembers which threads were read and written. */
class Counting extends MemorySaver {
  readonly touched = new Set<string>();
  #note(config: RunnableConfig): void {
    this.touched.add(String(config.configurable?.thread_id));
  }
  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    this.#note(config);
    return super.getTuple(config);
  }
  override list(...args: Parameters<MemorySaver["list"]>): AsyncGenerator<CheckpointTuple> {
    this.#note(args[0]);
    return super.list(...args);
  }
  override async put(...args: Parameters<MemorySaver["put"]>): Promise<RunnableConfig> {
    this.#note(args[0]);
    return super.put(...args);
  }
  override async putWrites(...args: Parameters<MemorySaver["putWrites"]>): Promise<void> {
    this.#note(args[0]);
    return super.putWrites(...args);
  }
}

/** An agent that refunds the amount that a thread begins with, and the end of each thread. */
function agentOf(
  guard: Guard,
  ran: unknown[],
  checkpointer: BaseCheckpointSaver,
  amounts: readonly number[],
) {
  const model = fakeModel();
  for (const amount of amounts) model.respondWithTools([refund("c1", amount)]);
  for (const _ of amounts) model.respond(new AIMessage("done"));
  const agent = createAgent({
    model,
    tools: shopTools(ran),
    checkpointer,
    middleware: [guardMiddleware({ guard })],
  });
  const ends = new Map<string, PromiseWithResolvers<Result>>();
  const endOf = (id: string) => {
    const end = ends.get(id) ?? Promise.withResolvers<Result>();
    ends.set(id, end);
    return end;
  };
  return {
    agent,
    start: async (id: string) =>
      requestsIn(
        (await agent.invoke({ messages: [new HumanMessage("go")] }, thread(id))) as unknown as Result,
      ),
    ended: (id: string) => endOf(id).promise,
    /** For the worker: tells the ends. */
    graph: {
      checkpointer,
      getState: (config: RunnableConfig) => agent.getState(config as never) as never,
      async invoke(input: never, config: RunnableConfig) {
        const result = (await agent.invoke(input, config as never)) as unknown as Result;
        if (requestsIn(result).length === 0) endOf(String(config.configurable?.thread_id)).resolve(result);
        return result;
      },
    },
  };
}

test("fifty suspended threads are not read while nothing happens, and one that is resumed reads itself alone", {
  timeout: 60_000,
}, async () => {
  const { guard, approver } = await shop();
  const ran: unknown[] = [];
  const saver = new Counting();
  const amounts = Array.from({ length: 50 }, (_, at) => at + 1);
  const held = new Map(
    amounts.map((amount) => [amount, approver.expect("refund", { order: "A", amount }).hold()] as const),
  );
  const { start, ended, graph } = agentOf(guard, ran, saver, amounts);
  for (const amount of amounts) expect(await start(`t${amount}`)).toHaveLength(1);
  await Promise.all([...held.values()].map(({ arrived }) => arrived));

  saver.touched.clear();
  const worker = resumeWorker({ guard, graph });
  open.push(worker);
  await worker.idle();
  expect([...saver.touched]).toEqual([]);

  await held.get(17)?.approve();
  expect(toolMessages(await ended("t17"))).toEqual([["c1", "success", "refunded 17"]]);
  await held.get(4)?.reject("no");
  expect(toolMessages(await ended("t4"))).toEqual([["c1", "error", "alice@example.com rejected refund: no"]]);
  await worker.idle();
  expect([...saver.touched]).toEqual(["t17", "t4"]);
  expect(ran).toEqual([["refund", { order: "A", amount: 17 }]]);
});

test("double-execution: two workers, of two processes, run a tool once and both threads end", async () => {
  const { guard, another, approver } = await shop();
  const ran: unknown[] = [];
  const saver = new MemorySaver();
  const held = [1, 2].map((amount) => approver.expect("refund", { order: "A", amount }).hold());
  const { start, ended, graph } = agentOf(guard, ran, saver, [1, 2]);
  const twin = agentOf(another(), ran, saver, [9, 9]);
  await start("t1");
  await start("t2");
  for (const each of held) await each.arrived;
  const workers = [graph, twin.graph].map((of, at) =>
    resumeWorker({ guard: at === 0 ? guard : another(), graph: of, storedWithin: 200, onError: () => {} }),
  );
  open.push(...workers);
  for (const worker of workers) await worker.idle();
  for (const each of held) await each.approve();
  await Promise.all(["t1", "t2"].map((id) => Promise.race([ended(id), twin.ended(id)])));
  for (const worker of workers) await worker.idle();
  expect(ran).toHaveLength(2);
  expect(ran).toEqual(expect.arrayContaining([1, 2].map((amount) => ["refund", { order: "A", amount }])));
});

test("forged-history: a run that somebody woke in vain is found again when it is answered, and what has ended is not", {
  timeout: 60_000,
}, async () => {
  const { guard, another, approver } = await shop();
  const ran: unknown[] = [];
  const saver = new MemorySaver();
  const held = [1, 2].map((amount) => approver.expect("refund", { order: "A", amount }).hold());
  const model = fakeModel()
    .respondWithTools([refund("c1", 1), refund("c2", 2)])
    .respond(new AIMessage("done"));
  const agent = createAgent({
    model,
    tools: shopTools(ran),
    checkpointer: saver,
    middleware: [guardMiddleware({ guard })],
  });
  const state = await invoke(agent, go);
  for (const { arrived } of held) await arrived;
  await invoke(agent, new Command({ resume: "approved" }));
  await invoke(agent, resume(state, true));
  let resumed = 0;
  const graph = {
    checkpointer: saver,
    getState: (config: RunnableConfig) => agent.getState(config as never) as never,
    invoke: (input: never, config: RunnableConfig) => {
      resumed++;
      return agent.invoke(input, config as never);
    },
  };
  for (const [at, each] of held.entries()) {
    await each.approve();
    // Each time a worker that has heard nothing yet: it is told of both again.
    const own = another();
    await until(async () => (await own.read((await each.arrived).request)).state === "approved");
    await using worker = resumeWorker({ guard: own, graph, storedWithin: 50 });
    await worker.idle();
    expect([ran.length, resumed]).toEqual([at + 1, at + 1]);
  }
  const { values } = (await graph.getState(thread())) as { values: Result };
  expect(toolMessages(values)).toHaveLength(2);
  approver.done();
});

test("sibling-loss: where each of two processes ended one call of a turn, and neither saw the other's, a worker goes on", async () => {
  const { guard, approver } = await shop();
  const saver = new MemorySaver();
  const held = [1, 2].map((amount) => approver.expect("refund", { order: "A", amount }).hold());
  const gates = [1, 2].map(() => ({
    entered: Promise.withResolvers<void>(),
    leave: Promise.withResolvers<void>(),
  }));
  const slow = tool(
    async ({ amount }) => {
      gates[amount - 1]?.entered.resolve();
      await gates[amount - 1]?.leave.promise;
      return `refunded ${amount}`;
    },
    { name: "refund", description: "Refunds", schema: z.object({ order: z.string(), amount: z.number() }) },
  );
  const model = fakeModel()
    .respondWithTools([refund("c1", 1), refund("c2", 2)])
    .respond(new AIMessage("done"));
  const agent = createAgent({
    model,
    tools: [slow],
    checkpointer: saver,
    middleware: [guardMiddleware({ guard })],
  });
  const paused = await invoke(agent, go);
  const processes: Promise<unknown>[] = [];
  for (const [at, each] of held.entries()) {
    await each.arrived;
    await each.approve();
    processes.push(invoke(agent, resume(paused, "look")));
    await gates[at]?.entered.promise;
  }
  for (const { leave } of gates) leave.resolve();
  await Promise.all(processes);
  expect(model.callCount).toBe(1);
  await using worker = resumeWorker({ guard, graph: agent as never, storedWithin: 50 });
  await worker.idle();
  const { values, next } = (await agent.getState(thread() as never)) as { values: Result; next: string[] };
  expect([values.messages.at(-1)?.text, next]).toEqual(["done", []]);
  expect(toolMessages(values)).toEqual([
    ["c1", "success", "refunded 1"],
    ["c2", "success", "refunded 2"],
  ]);
});

test("fail-open-outage: an approval outlives an outage of the relay while its run is resumed, however often it fails", {
  timeout: 60_000,
}, async () => {
  const { another, approver, bench } = await shop();
  const ran: unknown[] = [];
  let away = false;
  let failures = 0;
  const failed = Promise.withResolvers<void>();
  const errors: unknown[] = [];
  const guard = another({
    retries: 0,
    fetch: async (input, init) => {
      if (away && new Request(input, init).method === "POST") {
        // More often than a worker tries again what does not pass by itself.
        if (++failures === 6) failed.resolve();
        throw new TypeError("connection refused");
      }
      return bench.fetch(input, init);
    },
  });
  const held = approver.expect("refund").hold();
  const { start, ended, graph } = agentOf(guard, ran, new MemorySaver(), [1]);
  await start("t1");
  await held.arrived;
  const worker = resumeWorker({ guard, graph, onError: (error) => errors.push(error) });
  open.push(worker);
  await worker.idle();
  away = true;
  await held.approve();
  await failed.promise;
  expect(ran).toEqual([]);
  away = false;
  expect(toolMessages(await ended("t1"))).toEqual([["c1", "success", "refunded 1"]]);
  expect(ran).toHaveLength(1);
  expect(errors).toEqual([]);
});

test("subagent-bypass: an agent in a tool, and one that is a node of another graph, are found and resumed", async () => {
  const { guard, approver } = await shop();
  const ran: unknown[] = [];
  const held = [1, 2, 3].map((amount) => approver.expect("refund", { order: "A", amount }).hold());
  const said = fakeModel()
    .respondWithTools([refund("c1", 1), { id: "c2", name: "lookup", args: { order: "A" } }, refund("c3", 2)])
    .respondWithTools([refund("c1", 3)])
    .respond(new AIMessage("all refunded"));
  const inner = createAgent({
    model: said,
    tools: shopTools(ran),
    middleware: [guardMiddleware({ guard })],
  });
  const delegate = tool(async (_input, config) => (await inner.invoke(go, config)).messages.at(-1)?.text, {
    name: "delegate",
    description: "Delegates",
    schema: z.object({}),
  });
  const outer = createAgent({
    model: fakeModel()
      .respondWithTools([{ id: "c1", name: "delegate", args: {} }])
      .respond(new AIMessage("done")),
    tools: [delegate],
    middleware: [guardMiddleware({ guard, ungated: ["delegate"] })],
  });
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("agent", outer.graph)
    .addEdge(START, "agent")
    .addEdge("agent", END)
    .compile({ checkpointer: new MemorySaver() });
  const paused = (await graph.invoke(go, thread("t"))) as Result;
  expect(requestsIn(paused)).toHaveLength(2);
  const worker = resumeWorker({ guard, graph });
  open.push(worker);
  await worker.idle();
  await held[1]?.approve();
  await held[0]?.reject("no");
  await held[2]?.arrived;
  await held[2]?.approve();
  const ended = async () => {
    const { next, values } = await graph.getState(thread("t"));
    return next.length === 0 ? (values as Result) : null;
  };
  await until(async () => (await ended()) !== null);
  expect((await ended())?.messages.map(({ text }) => text)).toEqual(["go", "go", "all refunded", "done"]);
  // What had ended when another call was resumed is neither started again nor lost.
  expect(ran).toEqual([
    ["lookup", "A"],
    ["refund", { order: "A", amount: 2 }],
    ["refund", { order: "A", amount: 3 }],
  ]);
  expect(toolMessages({ messages: said.calls.at(-1)?.messages ?? [] })).toEqual([
    ["c1", "error", "alice@example.com rejected refund: no"],
    ["c2", "success", "A is worth 900"],
    ["c3", "success", "refunded 2"],
    ["c1", "success", "refunded 3"],
  ]);
  approver.done();
});
