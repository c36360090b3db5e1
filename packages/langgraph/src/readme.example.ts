// The README's graph, as it stands there.
// README
import { guardToolNode, resumeWorker } from "@guard/langgraph";
import { tool } from "@langchain/core/tools";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { toolsCondition } from "@langchain/langgraph/prebuilt";
import * as z from "zod";
// …
import type { Given } from "./readme.given.ts";

export function example({ guard, model, checkpointer, lookupOrder, shop, ticketId }: Given) {
  // README
  const refund = tool(({ order, amount }) => shop.refund(order, amount), {
    name: "refund",
    description: "Refunds an order",
    schema: z.object({ order: z.string(), amount: z.number() }),
  });
  const tools = [lookupOrder, refund];
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("agent", async ({ messages }) => ({ messages: await model.bindTools?.(tools).invoke(messages) }))
    .addNode("tools", guardToolNode({ guard, tools })) // Instead of new ToolNode(tools).
    .addEdge(START, "agent")
    .addConditionalEdges("agent", toolsCondition, ["tools", END])
    .addEdge("tools", "agent")
    .compile({ checkpointer });

  /** Ends with an interrupt where people have to be asked. */
  const begin = () =>
    graph.invoke(
      { messages: [{ role: "user", content: "Refund order A" }] },
      { configurable: { thread_id: ticketId } },
    );

  // In this process or in another one: resumes each run whose calls have been answered.
  const worker = resumeWorker({ guard, graph });
  // …
  return { graph, begin, worker };
}
