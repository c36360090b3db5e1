import { AIMessage } from "@langchain/core/messages";
import type { RunnableConfig } from "@langchain/core/runnables";
import { fakeModel } from "@langchain/core/testing";
import { tool } from "@langchain/core/tools";
import {
  Annotation,
  Command,
  END,
  type Interrupt,
  interrupt,
  MemorySaver,
  MessagesAnnotation,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { createReactAgent } from "@langchain/langgraph/prebuilt";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { approvalNode } from "./approval-node.ts";
import { agentGraph, go, model, results, thread, until } from "./graph.fixture.ts";
import { guardToolNode } from "./tool-node.ts";
import { kit, refund, said } from "./worker.fixture.ts";
import { type ResumableGraph, resumeWorker } from "./worker.ts";

describe("a resume worker", () => {
  test("wakes the thread that waits, and loads no other", async () => {
    const { compile, approver, work, ran } = await kit();
    const loaded: unknown[] = [];
    class Watched extends MemorySaver {
      override getTuple(config: RunnableConfig) {
        loaded.push(config.configurable?.thread_id);
        return super.getTuple(config);
      }
    }
    const graph = compile([[refund("A", 1, "c1")], "done"], { checkpointer: new Watched() });
    const held = [];
    for (const id of ["a", "b", "c"]) {
      held.push(approver.expect("refund").hold());
      await graph.invoke(go, thread(id));
      await held.at(-1)?.arrived;
    }
    const worker = work(graph);
    await worker.idle();
    loaded.splice(0);
    await held[1]?.approve();
    await until(async () => ran.length === 1);
    await worker.idle();
    expect(new Set(loaded)).toEqual(new Set(["b"]));
    expect(await said(graph, "b", "done")).toBe(true);
  });

  test("answers Guard's interrupt, and no other of the same thread", async () => {
    const { guard, approver, work } = await kit();
    const State = Annotation.Root({
      log: Annotation<string[]>({ reducer: (all, more) => all.concat(more), default: () => [] }),
    });
    const graph = new StateGraph(State)
      .addNode("ask", () => ({ log: [`the user says ${JSON.stringify(interrupt("delete it all?"))}`] }))
      .addNode(
        "pay",
        approvalNode({
          guard,
          action: () => ({ tool: "pay", args: {} }),
          execute: () => ({ log: ["paid"] }),
        }),
      )
      .addEdge(START, "ask")
      .addEdge(START, "pay")
      .compile({ checkpointer: new MemorySaver() });
    const held = approver.expect("pay").hold();
    await graph.invoke({ log: [] }, thread("t"));
    work(graph);
    await held.approve();
    await until(async () => (await graph.getState(thread("t"))).next.length === 1);
    expect((await graph.getState(thread("t"))).next).toEqual(["ask"]);
    const state = await graph.invoke(new Command({ resume: "no" }), thread("t"));
    expect(state.log.toSorted()).toEqual(["paid", 'the user says "no"']);
  });

  test("a run that is stored as waiting only after the answer is found", async () => {
    const { compile, approver, work, ran } = await kit();
    const answered = Promise.withResolvers<void>();
    class Slow extends MemorySaver {
      override async putWrites(...given: Parameters<MemorySaver["putWrites"]>) {
        if (given[1].some(([channel]) => channel === "__interrupt__")) await answered.promise;
        return super.putWrites(...given);
      }
    }
    const graph = compile([[refund("A", 1, "c1")], "done"], { checkpointer: new Slow() });
    const worker = work(graph);
    await worker.idle();
    const held = approver.expect("refund").hold();
    const paused = graph.invoke(go, thread("t"));
    await held.approve();
    await worker.idle();
    answered.resolve();
    await paused;
    await until(() => said(graph, "t", "done"));
    expect(ran).toHaveLength(1);
  });

  test("double-execution: two workers, and a call that runs beside; every tool runs once", async () => {
    const { guard, tools, approver, another, work, ran } = await kit();
    const finish = Promise.withResolvers<void>();
    let slow = 0;
    const lookups = tool(
      async () => {
        slow++;
        await finish.promise;
        return "slow";
      },
      { name: "lookup_slow", schema: z.object({}) },
    );
    const llm = fakeModel()
      .respondWithTools([
        { name: "refund", args: { order: "A", amount: 1 }, id: "c1" },
        { name: "lookup_slow", args: {}, id: "c2" },
      ])
      .respond(new AIMessage("done"));
    // Each call is a task of its own here: the first is stored as waiting while the second runs.
    const graph = createReactAgent({
      llm,
      tools: guardToolNode({ guard, tools: [...tools, lookups] }),
      checkpointer: new MemorySaver(),
      version: "v2",
    });
    const held = approver.expect("refund").hold();
    const running = graph.invoke(go, thread("t"));
    await held.arrived;
    await until(async () =>
      (await graph.getState(thread("t"))).tasks.some(({ interrupts }) => interrupts.length > 0),
    );
    const workers = [work(graph), work(graph, { guard: another() })];
    await Promise.all(workers.map((worker) => worker.idle()));
    await held.approve();
    await Promise.all(workers.map((worker) => worker.idle()));
    expect([slow, ran.length]).toEqual([1, 0]);
    finish.resolve();
    await running;
    await until(() => said(graph, "t", "done"));
    expect([slow, ran.length]).toEqual([1, 1]);
  });

  test("a run that fails in a later step goes on from there", async () => {
    const { guard, tools, approver, work, ran, errors } = await kit();
    let tries = 0;
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("agent", async (state) => {
        if (state.messages.length > 1 && ++tries < 3) throw new Error("the model is overloaded");
        return model([[refund("A", 1, "c1")], "done"])(state);
      })
      .addNode("tools", guardToolNode({ guard, tools }))
      .addEdge(START, "agent")
      .addConditionalEdges("agent", ({ messages }) => (messages.length > 3 ? END : "tools"), ["tools", END])
      .addEdge("tools", "agent")
      .compile({ checkpointer: new MemorySaver() });
    const held = approver.expect("refund").hold();
    await graph.invoke(go, thread("t"));
    work(graph, { storedWithin: 50 });
    await held.approve();
    await until(() => said(graph, "t", "done"));
    expect([tries, ran.length, errors]).toEqual([3, 1, []]);
  });

  test("a resumed run gets the config that the application gives, and its own thread", async () => {
    const { approver, work, guard } = await kit();
    const seen: unknown[] = [];
    const State = Annotation.Root({ paid: Annotation<boolean> });
    const build = () =>
      new StateGraph(State)
        .addNode(
          "pay",
          approvalNode({
            guard,
            action: () => ({ tool: "pay", args: {} }),
            execute: (_execution, _state, config) => {
              seen.push([config.configurable?.tenant, config.configurable?.thread_id, config.tags]);
              return { paid: true };
            },
          }),
        )
        .addEdge(START, "pay")
        .compile({ checkpointer: new MemorySaver() });
    for (const config of [
      { configurable: { tenant: "acme", thread_id: "evil" }, tags: ["resumed"] },
      async () => ({ configurable: { tenant: "acme", thread_id: "evil" }, tags: ["resumed"] }),
    ]) {
      const graph = build();
      const held = approver.expect("pay").hold();
      const id = `t${seen.length}`;
      await graph.invoke({}, thread(id));
      const worker = work(graph, { config });
      await held.approve();
      await until(
        async () => seen.at(-1) !== undefined && (await graph.getState(thread(id))).values.paid === true,
      );
      await worker.close();
    }
    expect(seen).toEqual([
      ["acme", "t0", ["resumed"]],
      ["acme", "t1", ["resumed"]],
    ]);
  });

  test("decline-falls-through: a rejection, an expiry and a withdrawal wake the run, and run nothing", async () => {
    const { compile, approver, work, ran, guard } = await kit();
    const graph = compile([[refund("A", 1, "c1"), refund("B", 2, "c2")], "done"]);
    const first = approver.expect("refund", { order: "A", amount: 1 }).hold();
    const second = approver.expect("refund", { order: "B", amount: 2 }).ignore();
    await graph.invoke(go, thread("t"));
    work(graph);
    await first.reject("no");
    await guard.cancel((await second.arrived).request);
    await until(() => said(graph, "t", "done"));
    expect(results((await graph.getState(thread("t"))).values).map(([id, status]) => [id, status])).toEqual([
      ["c1", "error"],
      ["c2", "error"],
    ]);
    expect(ran).toEqual([]);
  });

  test("leaves alone what no thread waits for", async () => {
    const { compile, approver, work, guard, errors } = await kit();
    const graph = compile(["done"]);
    const worker = work(graph);
    for (const session of ["t", "another thread", null]) {
      approver.expect("pay").reject("no");
      await expect(guard.run({ tool: "pay", args: {}, session }, () => 1)).rejects.toThrow("no");
    }
    await worker.idle();
    expect([(await graph.getState(thread("t"))).values, errors]).toEqual([{}, []]);
  });
});

describe("ids of interrupts", () => {
  const script = [[refund("A", 1, "c1"), refund("B", 2, "c2")], "done"] as const;
  async function answered({ approver, work }: Awaited<ReturnType<typeof kit>>, graph: ResumableGraph) {
    const first = approver.expect("refund", { order: "A", amount: 1 }).hold();
    const second = approver.expect("refund", { order: "B", amount: 2 }).hold();
    await graph.invoke(go as never, thread("t"));
    work(graph);
    await first.reject("no");
    await until(
      async () =>
        (await graph.getState(thread("t"))).tasks[0]?.interrupts[0]?.value.guard.requests.length === 1,
    );
    await second.approve();
    await until(() => said(graph, "t", "done"));
  }

  test("of 1.4: one for all interrupts of a task", async () => {
    const made = await kit();
    await answered(made, made.compile(script));
    expect(made.ran).toEqual([["refund", "B", 2]]);
  });

  /**
   * LangGraph 1.7, which cannot be installed here, gives each interrupt of a task an id of its own and knows no other.
   * This stands between worker and graph: it renames the ids on the way out as often as a run has been resumed,
   * and takes none but the last ones back.
   */
  function asIn17(
    graph: ResumableGraph & { invoke(input: never, config: RunnableConfig): Promise<unknown> },
  ) {
    let resumed = 0;
    const taken: string[] = [];
    const renamed = (id: string) => `${resumed.toString(16).padStart(4, "0")}${id.slice(4)}`;
    let known = new Map<string, string>();
    const out = (id: string) => {
      known.set(renamed(id), id);
      return renamed(id);
    };
    const named = (interrupts: readonly Interrupt[]) =>
      interrupts.map(({ id, value }) => ({
        id: out(id as string),
        value: {
          ...value,
          guard: {
            requests: value.guard.requests.map((each: { interrupt?: string }) => ({
              ...each,
              ...(each.interrupt ? { interrupt: out(each.interrupt) } : {}),
            })),
          },
        },
      }));
    const wrapped: ResumableGraph = {
      checkpointer: graph.checkpointer,
      async getState(config) {
        known = new Map();
        const state = await graph.getState(config);
        return {
          ...state,
          tasks: state.tasks.map((task) => ({ ...task, interrupts: named(task.interrupts) })),
        };
      },
      async invoke(input: unknown, config) {
        if (!(input instanceof Command)) return graph.invoke(input as never, config);
        const resume = Object.entries(input.resume as object).map(([id, value]) => {
          const own = known.get(id);
          if (own === undefined) throw new Error(`There is no interrupt ${id}.`);
          taken.push(id);
          return [own, value];
        });
        resumed++;
        return graph.invoke(new Command({ resume: Object.fromEntries(resume) }) as never, config);
      },
    };
    return { wrapped, taken };
  }

  test("of 1.7: another one for each interrupt", async () => {
    const made = await kit();
    const { wrapped, taken } = asIn17(made.compile(script));
    await answered(made, wrapped);
    expect(made.ran).toEqual([["refund", "B", 2]]);
    expect(new Set(taken).size).toBe(2);
    expect(made.errors).toEqual([]);
  });
});

describe("config-fail-open: misuse is refused with what to do", () => {
  test("options", async () => {
    const { guard, compile, tools } = await kit();
    const graph = compile(["done"]);
    const without = agentGraph(["done"], guardToolNode({ guard, tools })).compile();
    const refused: [object, string][] = [
      [{ graph }, "needs { guard }"],
      [{ guard }, "needs { graph }"],
      [{ guard, graph: without }, "the graph has no checkpointer"],
      [{ guard, graph, concurency: 2 }, "has no option concurency"],
      [{ guard, graph, concurrency: 0 }, "concurrency has to be"],
    ];
    for (const [options, message] of refused) {
      expect(() => resumeWorker(options as never)).toThrow(message);
    }
  });
});
