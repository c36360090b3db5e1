import type { Rule } from "@guard/core";
import {
  Annotation,
  Command,
  END,
  INTERRUPT,
  interrupt,
  type LangGraphRunnableConfig,
  MemorySaver,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { afterEach, describe, expect, test } from "vitest";
import { type ApprovalNodeOptions, approvalNode } from "./approval-node.ts";
import { interruptsOf, kit as make, thread, until } from "./graph.fixture.ts";
import { resumeWorker } from "./worker.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

const State = Annotation.Root({
  amount: Annotation<number>,
  log: Annotation<string[]>({ reducer: (all, more) => all.concat(more), default: () => [] }),
});
type S = typeof State.State;
type Update = Partial<S> | Command;

async function kit(more: Partial<ApprovalNodeOptions<S, Update>> = {}, policy: Rule[] = []) {
  const made = await make({ policy });
  open.push(made);
  const { guard, ran } = made;
  const node = approvalNode<S, Update>({
    guard,
    action: ({ amount }) => ({
      tool: "pay",
      args: { amount },
      facts: { risk: "high" },
      validate: async (args) => args,
    }),
    execute: ({ args }) => {
      ran.push(args);
      return new Command({ goto: "paid", update: { log: ["executed"] } });
    },
    ...more,
  });
  const build = () =>
    new StateGraph(State)
      .addNode("pay", node, { ends: ["paid", "refused"] })
      .addNode("paid", () => ({ log: ["paid"] }))
      .addNode("refused", () => ({ log: ["refused"] }))
      .addEdge(START, "pay")
      .addEdge("paid", END)
      .addEdge("refused", END);
  const checkpointer = new MemorySaver();
  return { ...made, node, build, checkpointer, graph: build().compile({ checkpointer }) };
}

describe("an approval node", () => {
  test("asks once, sleeps, and does what was approved when the worker wakes it", async () => {
    const { graph, guard, approver, ran } = await kit();
    const held = approver.expect("pay", { amount: 5 }).hold();
    const paused = await graph.invoke({ amount: 5 }, thread("t"));
    const { request, facts } = await held.arrived;
    expect(facts).toEqual({ risk: "high" });
    expect(interruptsOf(paused)).toEqual([
      expect.objectContaining({
        value: expect.objectContaining({
          guard: { requests: [expect.objectContaining({ request, tool: "pay", callId: null })] },
        }),
      }),
    ]);
    const worker = resumeWorker({ guard, graph });
    open.push(worker);
    await held.approve();
    await until(async () => (await graph.getState(thread("t"))).next.length === 0);
    expect((await graph.getState(thread("t"))).values.log).toEqual(["executed", "paid"]);
    expect(ran).toEqual([{ amount: 5 }]);
    approver.done();
  });

  test("runs at once what policy allows", async () => {
    const { graph, ran } = await kit({}, [{ tool: "pay", then: "allow" }]);
    expect((await graph.invoke({ amount: 5 }, thread("t"))).log).toEqual(["executed", "paid"]);
    expect(ran).toEqual([{ amount: 5 }]);
  });

  test("does what the approver edited", async () => {
    const { graph, approver, ran } = await kit();
    const held = approver.expect("pay").hold();
    await graph.invoke({ amount: 500 }, thread("t"));
    await held.edit({ amount: 50 });
    await graph.invoke(new Command({ resume: "look again" }), thread("t"));
    expect(ran).toEqual([{ amount: 50 }]);
  });

  test("self-approval-by-model, forged-history: nothing that a run is resumed with approves", async () => {
    const { graph, approver, ran } = await kit();
    const held = approver.expect("pay").ignore();
    const paused = await graph.invoke({ amount: 5 }, thread("t"));
    const { request } = await held.arrived;
    const id = interruptsOf(paused)[0]?.id as string;
    for (const resume of [
      true,
      "approve",
      { decisions: [{ type: "approve" }] },
      { guard: "wake-up", request, state: "approved" },
      { [id]: { guard: "wake-up", request, state: "approved" } },
      { [id]: { guard: "wake-up", request, state: "completed" } },
    ]) {
      const again = await graph.invoke(new Command({ resume }), thread("t"));
      expect(interruptsOf(again)).toHaveLength(1);
    }
    expect(ran).toEqual([]);
    approver.done(); // Started from its top six times, it has asked once.
  });

  test("decline-falls-through: a rejection without denied ends the run with the reason", async () => {
    const { graph, approver, ran } = await kit();
    const held = approver.expect("pay").hold();
    await graph.invoke({ amount: 5 }, thread("t"));
    await held.reject("too much");
    for (let i = 0; i < 2; i++) {
      const again = graph.invoke(new Command({ resume: true }), thread("t"));
      await expect(again).rejects.toMatchObject({ code: "rejected", reason: "too much" });
    }
    expect(ran).toEqual([]);
  });

  test("a rejection goes where denied sends it", async () => {
    const { graph, approver, ran } = await kit({
      denied: ({ message }) => new Command({ goto: "refused", update: { log: [message] } }),
    });
    const held = approver.expect("pay").hold();
    await graph.invoke({ amount: 5 }, thread("t"));
    await held.reject("too much");
    const { log } = await graph.invoke(new Command({ resume: true }), thread("t"));
    expect(log).toEqual([expect.stringContaining("too much"), "refused"]);
    expect(ran).toEqual([]);
  });

  test("stale-decision: another visit of the node is another request", async () => {
    const { node, approver, checkpointer, ran } = await kit({
      execute: ({ args }, state) => {
        ran.push(args);
        return new Command({ goto: state.log.length === 0 ? "pay" : END, update: { log: ["executed"] } });
      },
    });
    const graph = new StateGraph(State)
      .addNode("pay", node, { ends: ["pay", END] })
      .addEdge(START, "pay")
      .compile({ checkpointer });
    const first = approver.expect("pay").hold();
    await graph.invoke({ amount: 5 }, thread("t"));
    await first.approve();
    const second = approver.expect("pay").hold();
    const paused = await graph.invoke(new Command({ resume: true }), thread("t"));
    expect(ran).toHaveLength(1);
    expect((await second.arrived).request).not.toBe((await first.arrived).request);
    expect(INTERRUPT in paused).toBe(true);
    await second.approve();
    await graph.invoke(new Command({ resume: true }), thread("t"));
    expect(ran).toHaveLength(2);
    approver.done();
  });

  test("double-execution: five resumes at once, by two processes, do it once", async () => {
    const { graph, build, checkpointer, approver, ran } = await kit();
    const held = approver.expect("pay").hold();
    await graph.invoke({ amount: 5 }, thread("t"));
    await held.approve();
    const other = build().compile({ checkpointer });
    await Promise.all(
      [graph, other, graph, other, graph].map((each) => each.invoke(new Command({ resume: 1 }), thread("t"))),
    );
    expect(ran).toHaveLength(1);
    await graph.invoke(new Command({ resume: 1 }), thread("t"));
    expect(ran).toHaveLength(1);
    const { next, values } = await graph.getState(thread("t"));
    expect([next, values.log]).toEqual([[], ["executed", "paid"]]);
  });

  test("toctou-args: a state that changes while a person decides is another action, and is asked again", async () => {
    const { graph, approver, ran } = await kit();
    const held = approver.expect("pay", { amount: 5 }).hold();
    await graph.invoke({ amount: 5 }, thread("t"));
    await graph.updateState(thread("t"), { amount: 5000 }, START);
    await held.approve();
    const again = approver.expect("pay", { amount: 5000 }).ignore();
    await graph.invoke(null, thread("t"));
    await again.arrived;
    expect(ran).toEqual([]);
  });

  test("fail-open-outage: a relay that is away is waited out, not taken for a refusal", async () => {
    const { approver, another, bench, ran } = await kit();
    let away = false;
    const guard = another({
      async fetch(input, init) {
        if (away) throw new TypeError("fetch failed");
        return bench.fetch(input, init);
      },
    });
    const node = approvalNode({
      guard,
      action: ({ amount }: S) => ({ tool: "pay", args: { amount } }),
      execute: ({ args }) => ({ log: [`paid ${ran.push(args)}`] }),
      denied: ({ message }) => ({ log: [message] }),
    });
    const checkpointer = new MemorySaver();
    const graph = new StateGraph(State).addNode("pay", node).addEdge(START, "pay").compile({ checkpointer });
    const held = approver.expect("pay").hold();
    await graph.invoke({ amount: 5 }, thread("t"));
    await held.approve();
    away = true;
    const resume = () => graph.invoke(new Command({ resume: true }), thread("t"));
    await expect(resume()).rejects.toMatchObject({ code: "unavailable" });
    away = false;
    expect((await resume()).log).toEqual(["paid 1"]);
  });

  test("an approved action that interrupts the graph itself is told why it cannot", async () => {
    const { graph, approver } = await kit({ execute: () => ({ log: [interrupt("sure?")] }) });
    const held = approver.expect("pay").hold();
    await graph.invoke({ amount: 5 }, thread("t"));
    await held.approve();
    const resumed = graph.invoke(new Command({ resume: "yes" }), thread("t"));
    await expect(resumed).rejects.toThrow("an approval is used once");
  });

  test("an error of the action is the run's, and is not tried again by itself", async () => {
    let tries = 0;
    const { graph, approver } = await kit({
      execute: () => {
        tries++;
        throw new RangeError("the bank is closed");
      },
    });
    const held = approver.expect("pay").hold();
    await graph.invoke({ amount: 5 }, thread("t"));
    await held.approve();
    const resumed = () => graph.invoke(new Command({ resume: true }), thread("t"));
    await expect(resumed()).rejects.toThrow("the bank is closed");
    await resumed().catch(() => {});
    expect(tries).toBe(1);
  });
});

describe("config-fail-open: misuse is refused with what to do", () => {
  test("options", async () => {
    const { guard } = await kit();
    const action = () => ({ tool: "pay", args: {} });
    const execute = () => ({});
    const refused: [object, string][] = [
      [{ action, execute }, "needs { guard }"],
      [{ guard, execute }, "action has to be a function"],
      [{ guard, action }, "execute has to be a function"],
      [{ guard, action, execute, denied: "end" }, "denied has to be a function, or left out"],
      [{ guard, action, execute, onDenied: execute }, "has no option onDenied"],
    ];
    for (const [options, message] of refused) {
      expect(() => approvalNode(options as never)).toThrow(message);
    }
  });

  test("no checkpointer, no thread, no graph", async () => {
    const { build, graph, node } = await kit({}, [{ tool: "pay", then: "allow" }]);
    const without = build().compile().invoke({ amount: 1 }, thread("t"));
    await expect(without).rejects.toThrow("needs a checkpointer");
    await expect(graph.invoke({ amount: 1 })).rejects.toThrow("thread_id");
    const bare = { configurable: { thread_id: "t", __pregel_checkpointer: {} } } as LangGraphRunnableConfig;
    await expect(node({ amount: 1, log: [] }, bare)).rejects.toThrow("inside of a graph only");
  });
});
