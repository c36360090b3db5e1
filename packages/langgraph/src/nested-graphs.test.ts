// Graphs in graphs: nodes, what nodes and tools invoke, and several calls that wait in each.
import { AIMessage, type BaseMessage } from "@langchain/core/messages";
import type { RunnableConfig } from "@langchain/core/runnables";
import { fakeModel } from "@langchain/core/testing";
import { tool } from "@langchain/core/tools";
import { MemorySaver, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { createReactAgent } from "@langchain/langgraph/prebuilt";
import { SqliteSaver } from "@langchain/langgraph-checkpoint-sqlite";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { agentGraph, go, results, thread, until } from "./graph.fixture.ts";
import { guardToolNode } from "./tool-node.ts";
import { type Call, kit, refund, said } from "./worker.fixture.ts";
import type { ResumableGraph } from "./worker.ts";

describe("subagent-bypass: graphs in graphs", () => {
  const twoCalls = [
    [refund("A", 1, "c1"), ["lookup", { order: "A" }, "c2"] as Call, refund("B", 2, "c3")],
    "the sub-agent is done",
  ] as const;
  type Kit = Awaited<ReturnType<typeof kit>>;

  /** A sub-agent with two calls that wait, in the given place; people answer the second first. */
  async function answers(
    { approver, work, ran }: Kit,
    graph: ResumableGraph,
    end: string,
    config: RunnableConfig & { durability?: string } = {},
  ) {
    const first = approver.expect("refund", { order: "A", amount: 1 }).hold();
    const second = approver.expect("refund", { order: "B", amount: 2 }).hold();
    await graph.invoke(go as never, { ...config, ...thread("t") });
    await Promise.all([first.arrived, second.arrived]);
    expect(ran).toEqual([["lookup", "A"]]);
    work(graph, { config });
    await second.approve();
    await until(async () => ran.length === 2);
    await first.reject("no");
    await until(() => said(graph, "t", end));
    expect(ran).toEqual([
      ["lookup", "A"],
      ["refund", "B", 2],
    ]);
    approver.done();
  }

  const inner = ({ guard, tools }: Kit) => agentGraph(twoCalls, guardToolNode({ guard, tools }));
  const prebuilt = ({ guard, tools }: Kit) =>
    createReactAgent({
      llm: fakeModel()
        .respondWithTools(twoCalls[0].map(([name, args, id]) => ({ name, args, id })))
        .respond(new AIMessage("the sub-agent is done")),
      tools: guardToolNode({ guard, tools }),
      version: "v2",
    });

  test("a graph as a node", async () => {
    const made = await kit();
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("sub", inner(made).compile())
      .addNode("end", () => ({ messages: [new AIMessage("end")] }))
      .addEdge(START, "sub")
      .addEdge("sub", "end")
      .compile({ checkpointer: new MemorySaver() });
    await answers(made, graph, "end");
  });

  test("a graph as a node, whose calls are tasks of their own", async () => {
    const made = await kit();
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("sub", prebuilt(made) as never)
      .addNode("end", () => ({ messages: [new AIMessage("end")] }))
      .addEdge(START, "sub" as never)
      .addEdge("sub" as never, "end")
      .compile({ checkpointer: new MemorySaver() });
    await answers(made, graph, "end");
  });

  for (const [name, build] of [
    ["a graph that a node invokes", (made: Kit) => inner(made).compile()],
    ["a graph that a node invokes, whose calls are tasks of their own", prebuilt],
  ] as const) {
    test(name, async () => {
      const made = await kit();
      const sub = build(made);
      const graph = new StateGraph(MessagesAnnotation)
        .addNode("work", async () => {
          await (sub as ResumableGraph).invoke(go as never, {});
          return { messages: [new AIMessage("end")] };
        })
        .addEdge(START, "work")
        .compile({ checkpointer: new MemorySaver() });
      await answers(made, graph, "end");
    });
  }

  test("a graph in a graph in a graph", async () => {
    const made = await kit();
    const middle = new StateGraph(MessagesAnnotation)
      .addNode("work", async () => {
        await inner(made).compile().invoke(go);
        return {};
      })
      .addEdge(START, "work")
      .compile();
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("middle", middle)
      .addNode("end", () => ({ messages: [new AIMessage("end")] }))
      .addEdge(START, "middle")
      .addEdge("middle", "end")
      .compile({ checkpointer: new MemorySaver() });
    await answers(made, graph, "end");
  });

  for (const [name, build] of [
    ["in a tool", (made: Kit) => inner(made).compile()],
    ["in a tool, whose calls are tasks of their own", prebuilt],
  ] as const) {
    test(`a graph ${name}, beside another call that waits`, async () => {
      const made = await kit();
      const { approver, work, ran, tools, compile } = made;
      const sub = build(made);
      const delegate = tool(
        async () => {
          const { messages } = (await (sub as ResumableGraph).invoke(go as never, {})) as {
            messages: BaseMessage[];
          };
          return messages.at(-1)?.text;
        },
        { name: "lookup_delegate", schema: z.object({}) },
      );
      const graph = compile([[refund("C", 3, "c1"), ["lookup_delegate", {}, "c2"]], "end"], {
        tools: [...tools, delegate],
      });
      const outer = approver.expect("refund", { order: "C", amount: 3 }).hold();
      const first = approver.expect("refund", { order: "A", amount: 1 }).hold();
      const second = approver.expect("refund", { order: "B", amount: 2 }).hold();
      await graph.invoke(go, thread("t"));
      const [stored, ...more] = (await graph.getState(thread("t"))).tasks.flatMap(
        ({ interrupts }) => interrupts,
      );
      expect([stored?.value?.guard.requests.length, more]).toEqual([3, []]);
      work(graph);
      await first.approve();
      await until(async () => ran.length === 2);
      await outer.approve();
      await until(async () => ran.length === 3);
      await second.reject("no");
      await until(() => said(graph, "t", "end"));
      expect(ran).toEqual([
        ["lookup", "A"],
        ["refund", "A", 1],
        ["refund", "C", 3],
      ]);
      expect(results((await graph.getState(thread("t"))).values)).toEqual([
        ["c1", "success", "refunded 3"],
        ["c2", "success", "the sub-agent is done"],
      ]);
      approver.done();
    });
  }

  for (const durability of ["sync", "async", "exit"] as const) {
    test(`over SQLite, with durability ${durability}`, async () => {
      const made = await kit();
      const graph = new StateGraph(MessagesAnnotation)
        .addNode("sub", inner(made).compile())
        .addNode("end", () => ({ messages: [new AIMessage("end")] }))
        .addEdge(START, "sub")
        .addEdge("sub", "end")
        .compile({ checkpointer: SqliteSaver.fromConnString(":memory:") });
      await answers(made, graph, "end", { durability });
    });
  }
});
