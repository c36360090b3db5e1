// A first program of a user of LangGraph and LangChain: one run that is suspended and resumed, for each of them.
import type { Guard } from "@guard/core";
import { guardMiddleware, guardToolNode, resumeWorker } from "@guard/langgraph";
import { testGuard } from "@guard/testing";
import { AIMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { END, isInterrupted, MemorySaver, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { toolsCondition } from "@langchain/langgraph/prebuilt";
import { createAgent, fakeModel } from "langchain";
import { z } from "zod";

const { guard, approver, close } = await testGuard();
const typed: Guard = guard;
const refunds: number[] = [];
const refund = tool(
  async ({ amount }) => {
    refunds.push(amount);
    return `refunded ${amount}`;
  },
  {
    name: "refund",
    description: "Refunds an order",
    schema: z.object({ order: z.string(), amount: z.number() }),
  },
);
const tool_calls = [
  { id: "c1", name: "refund", args: { order: "A-1", amount: 900 }, type: "tool_call" as const },
];
const messages = [{ role: "user", content: "refund" }];

const graph = new StateGraph(MessagesAnnotation)
  .addNode("agent", async (state) => ({
    messages: [
      state.messages.length > 1 ? new AIMessage("done") : new AIMessage({ content: "", tool_calls }),
    ],
  }))
  .addNode("tools", guardToolNode({ guard: typed, tools: [refund] }))
  .addEdge(START, "agent")
  .addConditionalEdges("agent", toolsCondition, ["tools", END])
  .addEdge("tools", "agent")
  .compile({ checkpointer: new MemorySaver() });
const agent = createAgent({
  model: fakeModel().respondWithTools(tool_calls).respond(new AIMessage("done")),
  tools: [refund],
  checkpointer: new MemorySaver(),
  middleware: [guardMiddleware({ guard: typed })],
});

async function suspendAndResume(
  thread: string,
  run: (config: { configurable: { thread_id: string } }) => Promise<unknown>,
  graph: Parameters<typeof resumeWorker>[0]["graph"],
) {
  const held = approver.expect("refund", { order: "A-1", amount: 900 }).hold();
  const result = await run({ configurable: { thread_id: thread } });
  if (!isInterrupted(result)) throw new Error("the run was not suspended");
  await held.edit({ order: "A-1", amount: 90 });
  await using worker = resumeWorker({ guard: typed, graph });
  await worker.idle();
}
await suspendAndResume("graph", (config) => graph.invoke({ messages }, config), graph);
await suspendAndResume("agent", (config) => agent.invoke({ messages }, config), agent);
approver.done();
await close();
if (JSON.stringify(refunds) !== "[90,90]") throw new Error(`it does not work: ${JSON.stringify(refunds)}`);
console.log("packed packages work");
