/** A graph as applications write it, with a model whose answers are scripted by turn. */
import type { Rule } from "@guard/core";
import { testGuard } from "@guard/testing";
import { AIMessage, type BaseMessage, isAIMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import {
  type BaseCheckpointSaver,
  END,
  INTERRUPT,
  type Interrupt,
  MemorySaver,
  MessagesAnnotation,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { type ToolNode, toolsCondition } from "@langchain/langgraph/prebuilt";
import * as z from "zod";
import { type GuardToolNodeOptions, guardToolNode } from "./tool-node.ts";

export type Scripted = [tool: string, args: Record<string, unknown>, id?: string];

/** What the model says in one turn: calls, or a text. */
export type Turn = readonly Scripted[] | string;

/** One turn of the model. */
export function says(turn: Turn): AIMessage {
  if (typeof turn === "string") return new AIMessage(turn);
  return new AIMessage({
    content: "",
    tool_calls: turn.map(([name, args, id]) => ({
      name,
      args,
      type: "tool_call" as const,
      ...(id ? { id } : {}),
    })),
  });
}

/** A model node. Which turn it is, is counted in the history: so it survives a restart. */
export const model = (script: readonly Turn[]) => async (state: { messages: BaseMessage[] }) => {
  const turn = script[state.messages.filter((message) => isAIMessage(message)).length];
  if (turn === undefined) throw new Error("The script of the model has no more turns.");
  return { messages: [says(turn)] };
};

/** model → tools → model, as everybody builds it. */
export const agentGraph = (script: readonly Turn[], tools: ToolNode) =>
  new StateGraph(MessagesAnnotation)
    .addNode("agent", model(script))
    .addNode("tools", tools)
    .addEdge(START, "agent")
    .addConditionalEdges("agent", toolsCondition, ["tools", END])
    .addEdge("tools", "agent");

const policy: Rule[] = [{ tool: "lookup*", then: "allow" }];

/** A guard with a scripted approver, tools that note what they ran, and graphs over them. */
export async function kit(options: Parameters<typeof testGuard>[0] = {}) {
  const made = await testGuard({ policy, ...options });
  const ran: unknown[] = [];
  const refund = tool(
    async ({ order, amount }) => {
      ran.push(["refund", order, amount]);
      return `refunded ${amount}`;
    },
    {
      name: "refund",
      description: "Refunds an order",
      schema: z.object({ order: z.string(), amount: z.number() }),
    },
  );
  const lookup = tool(
    async ({ order }) => {
      ran.push(["lookup", order]);
      return { order, total: 900 };
    },
    { name: "lookup", description: "Looks an order up", schema: z.object({ order: z.string() }) },
  );
  const tools = [refund, lookup];
  const compile = (
    script: readonly Turn[],
    more: Partial<GuardToolNodeOptions> & { checkpointer?: BaseCheckpointSaver } = {},
  ) => {
    const { checkpointer = new MemorySaver(), ...node } = more;
    return agentGraph(script, guardToolNode({ guard: made.guard, tools, ...node })).compile({ checkpointer });
  };
  return { ...made, ran, tools, refund, lookup, compile };
}

export const thread = (id: string, more: object = {}) => ({ configurable: { thread_id: id, ...more } });

export const interruptsOf = (result: unknown) =>
  (result as { [INTERRUPT]?: Interrupt<{ guard: { requests: { request: string; callId: string }[] } }>[] })[
    INTERRUPT
  ] ?? [];

/** What the model read of its calls: id, status, content. */
export const results = (state: unknown) =>
  (state as { messages: BaseMessage[] }).messages
    .filter((message) => ToolMessage.isInstance(message))
    .map((message) => [message.tool_call_id, message.status, message.text]);

/** Waits for something that another party does. */
export async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 5));
}

export const go = { messages: [{ role: "user", content: "go" }] };
