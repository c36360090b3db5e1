/**
 * The support agent as a LangGraph graph, with `guardToolNode` where LangGraph's own `ToolNode` would stand.
 *
 * Suspending, the node interrupts while people decide, the checkpointer keeps the thread, and `resumeWorker` goes
 * on with it. A thread is a ticket.
 */
import { join } from "node:path";
import { guardToolNode, resumeWorker } from "@guard/langgraph";
import { SystemMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { toolsCondition } from "@langchain/langgraph/prebuilt";
import { SqliteSaver } from "@langchain/langgraph-checkpoint-sqlite";
import { ScriptedModel } from "../models/langchain.ts";
import { instructions, type SupportAgent, type SupportAgentOptions } from "./support-agent.ts";

type State = typeof MessagesAnnotation.State;

export function supportAgent({
  guard,
  suspend,
  directory,
  reply,
  ...options
}: SupportAgentOptions): SupportAgent {
  const tools = Object.entries(options.tools).map(([name, { description, inputSchema, run }]) =>
    tool((args, config) => run(args as Record<string, unknown>, config.toolCall.id), {
      name,
      description,
      schema: inputSchema,
    }),
  );
  const model = new ScriptedModel().bindTools();

  const graph = new StateGraph(MessagesAnnotation)
    .addNode("model", async ({ messages }: State) => ({
      messages: [await model.invoke([new SystemMessage(instructions), ...messages])],
    }))
    .addNode("tools", guardToolNode({ guard, tools, mode: suspend ? "suspend" : "wait" }))
    .addNode("reply", ({ messages }: State, { configurable }) => {
      reply(String(configurable?.thread_id), messages.at(-1)?.text ?? "");
      return {};
    })
    .addEdge(START, "model")
    .addConditionalEdges("model", toolsCondition, { tools: "tools", [END]: "reply" })
    .addEdge("tools", "model")
    .addEdge("reply", END)
    .compile({ checkpointer: SqliteSaver.fromConnString(join(directory, "checkpoints.db")) });

  return {
    async work({ id, text }) {
      await graph.invoke(
        { messages: [{ role: "user", content: text }] },
        { configurable: { thread_id: id } },
      );
    },

    async resume() {
      const worker = resumeWorker({
        guard,
        graph,
        concurrency: 1, // One after another, for whoever watches.
      });
      await worker.idle(); // A server would let it run on.
      await worker.close();
    },
  };
}
