/** Agents of LangGraph and LangChain over a checkpointer: what all of `@guard/langgraph`'s subjects but one are. */
import type { Guard } from "@guard/core";
import { resumeWorker } from "@guard/langgraph";
import type { BaseMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import {
  Command,
  END,
  type Interrupt,
  MemorySaver,
  MessagesAnnotation,
  START,
  StateGraph,
  type StateSnapshot,
} from "@langchain/langgraph";
import { ToolNode, toolsCondition } from "@langchain/langgraph/prebuilt";
import * as z from "zod";
import { firstMessages, ScriptedChatModel, transcriptOf } from "../models/langchain.ts";
import type { Conversation, Process, Setup, Transcript } from "../subject.ts";
import { descriptions, schemas, type Toolbox, toolNames } from "../toolbox.ts";

export type Tools = ReturnType<typeof toolsOver>;

/** A compiled graph, or an agent. */
export interface App {
  readonly checkpointer?: unknown;
  getState(config: object): Promise<StateSnapshot>;
  invoke(input: never, config?: object): Promise<{ messages: BaseMessage[] }>;
}

/** Makes the agent; `checkpointer` is undefined where it runs inside of another one. */
export type Build = (parts: {
  readonly guard: Guard | null;
  readonly model: ScriptedChatModel;
  readonly tools: Tools;
  readonly checkpointer: MemorySaver | undefined;
}) => App;

export function toolsOver(box: Toolbox) {
  return toolNames.map((name) =>
    tool(async (input: unknown) => box.run(name, input), {
      name,
      description: descriptions[name],
      schema: schemas[name] as z.ZodObject,
    }),
  );
}

/** model → tools → model, as everybody builds it. */
export const graphOf = (model: ScriptedChatModel, tools: ToolNode, checkpointer: MemorySaver | undefined) =>
  new StateGraph(MessagesAnnotation)
    .addNode("agent", async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
    .addNode("tools", tools)
    .addEdge(START, "agent")
    .addConditionalEdges("agent", toolsCondition, ["tools", END])
    .addEdge("tools", "agent")
    .compile(checkpointer ? { checkpointer } : {}) as App;

export function openAgent(
  build: Build,
  { script, inner, tools: box, session, claims, onArgs }: Setup,
): Conversation {
  const checkpointer = new MemorySaver();
  const prompts: Transcript[] = [];
  const tools = toolsOver(box);
  const appOf = (guard: Guard | null): App => {
    const seen = onArgs ? { onArgs } : {};
    if (inner === undefined) {
      const model = new ScriptedChatModel({ script, prompts, ...seen });
      return build({ guard, model, tools, checkpointer });
    }
    const model = new ScriptedChatModel({ script: inner, prompts, ...seen });
    const sub = build({ guard, model, tools, checkpointer: undefined });
    const delegate = tool(
      async ({ task }, config) => {
        const { messages } = await sub.invoke({ messages: [["user", task]] } as never, config);
        return messages.at(-1)?.text;
      },
      { name: "delegate", description: "Has another agent do it", schema: z.object({ task: z.string() }) },
    );
    const outer = new ScriptedChatModel({ script, prompts: [] });
    return graphOf(outer, new ToolNode([delegate]), checkpointer);
  };
  return {
    prompts,
    process: (guard) => processOf(appOf(guard), session, { messages: firstMessages(claims) }),
    async stored() {
      const { values } = await appOf(null).getState({ configurable: { thread_id: session } });
      return transcriptOf((values as { messages?: BaseMessage[] }).messages ?? []);
    },
  };
}

export function processOf(app: App, session: string, first: object): Process {
  const config = { configurable: { thread_id: session } };
  return {
    async start({ signal } = {}) {
      // What a process left behind that ended in the middle is gone on with.
      const { next } = await app.getState(config);
      await app.invoke((next.length > 0 ? null : first) as never, {
        ...config,
        ...(signal ? { signal } : {}),
      });
    },
    async resume(value) {
      await app.invoke(new Command({ resume: value }) as never, config);
      const { tasks } = await app.getState(config);
      const open: readonly Interrupt[] = tasks.flatMap(({ interrupts }) => interrupts);
      if (open.length === 0) return;
      const resume = Object.fromEntries(open.map(({ id = "" }) => [id, value]));
      await app.invoke(new Command({ resume }) as never, config);
    },
    worker: (options) => resumeWorker({ ...options, graph: app }),
  };
}
