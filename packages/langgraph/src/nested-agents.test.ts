// Agents of langchain's `createAgent` inside of others: what LangGraph itself does not keep there is kept.
import { AIMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { MemorySaver } from "@langchain/langgraph";
import { createAgent, fakeModel } from "langchain";
import { afterEach, expect, test } from "vitest";
import * as z from "zod";
import { go, kit as make, results, thread, until } from "./graph.fixture.ts";
import { guardMiddleware } from "./middleware.ts";
import { resumeWorker } from "./worker.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

for (const ungated of [[], ["delegate"]]) {
  const how = ungated.length === 0 ? "allowed by policy" : "ungated";
  test(`subagent-bypass, sibling-loss: calls of a turn in a sub-agent, whose tool is ${how}, wait side by side`, async () => {
    const made = await make({
      policy: [
        { tool: "lookup", then: "allow" },
        { tool: "delegate", then: "allow" },
      ],
    });
    open.push(made);
    const { guard, approver, ran, tools } = made;
    const inner = createAgent({
      model: fakeModel()
        .respondWithTools([
          { name: "refund", args: { order: "A", amount: 1 }, id: "c1" },
          { name: "lookup", args: { order: "A" }, id: "c2" },
          { name: "refund", args: { order: "B", amount: 2 }, id: "c3" },
        ])
        .respond(new AIMessage("refunded")),
      tools,
      middleware: [guardMiddleware({ guard })],
    });
    const read: unknown[] = [];
    const delegate = tool(
      async () => {
        const end = await inner.invoke(go as never);
        read.push(...results(end));
        return end.messages.at(-1)?.text;
      },
      { name: "delegate", description: "Delegates", schema: z.object({}) },
    );
    const agent = createAgent({
      model: fakeModel()
        .respondWithTools([{ name: "delegate", args: {}, id: "d1" }])
        .respond(new AIMessage("done")),
      tools: [delegate],
      checkpointer: new MemorySaver(),
      middleware: [guardMiddleware({ guard, ungated })],
    });
    const first = approver.expect("refund", { order: "A", amount: 1 }).hold();
    const second = approver.expect("refund", { order: "B", amount: 2 }).hold();
    await agent.invoke(go as never, thread("t"));
    open.push(resumeWorker({ guard, graph: agent as never }));
    await first.approve();
    await until(async () => ran.length === 2);
    await second.reject("no");
    const last = async () =>
      (await agent.getState(thread("t"))) as { values: { messages: { text: string }[] } };
    await until(async () => (await last()).values.messages.at(-1)?.text === "done");
    expect(ran).toEqual([
      ["lookup", "A"],
      ["refund", "A", 1],
    ]);
    expect(read).toEqual([
      ["c1", "success", "refunded 1"],
      ["c2", "success", '{"order":"A","total":900}'],
      ["c3", "error", expect.stringContaining("no")],
    ]);
    approver.done();
  });
}
