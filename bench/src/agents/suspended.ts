/** Runs that wait for people, in each framework, and what wakes them: for the figures of resuming. */
import type { Guard } from "@guard/core";
import type { ResumeWorker } from "@guard/core/plugin";
import { guardToolNode, resumeWorker as resumeGraphs } from "@guard/langgraph";
import { guardTools, resumeWorker as resumeMastra } from "@guard/mastra";
import { resumeWorker as resumeChats, resumeMessages, suspendTools } from "@guard/vercel-ai";
import type { RunnableConfig } from "@langchain/core/runnables";
import { tool as langChainTool } from "@langchain/core/tools";
import { END, MemorySaver, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { toolsCondition } from "@langchain/langgraph/prebuilt";
import { Agent } from "@mastra/core/agent";
import { Mastra } from "@mastra/core/mastra";
import { InMemoryStore } from "@mastra/core/storage";
import { createTool } from "@mastra/core/tools";
import { generateText, isStepCount, type ModelMessage, tool } from "ai";
import * as z from "zod";
import { languageModel, modelNode } from "./model.ts";

export interface Suspended {
  readonly name: string;
  /** Starts a run that calls the tool and is suspended. */
  start(session: string): Promise<void>;
  worker(): ResumeWorker;
  /** The sessions whose stored runs were read or written since this was asked last; null where that cannot be seen. */
  touched(): string[] | null;
}

/** The tool says when it runs, for which session. */
export type Ran = (order: string) => void;

const description = "Looks an order up";
const inputSchema = z.object({ order: z.string() });

class WatchedSaver extends MemorySaver {
  readonly touched = new Set<string>();

  #touch({ configurable }: RunnableConfig) {
    this.touched.add(String(configurable?.thread_id));
  }
  override async getTuple(config: RunnableConfig) {
    this.#touch(config);
    return super.getTuple(config);
  }
  override async *list(...[config, options]: Parameters<MemorySaver["list"]>) {
    this.#touch(config);
    yield* super.list(config, options);
  }
  override async put(...given: Parameters<MemorySaver["put"]>) {
    this.#touch(given[0]);
    return super.put(...given);
  }
  override async putWrites(...given: Parameters<MemorySaver["putWrites"]>) {
    this.#touch(given[0]);
    return super.putWrites(...given);
  }
}

const taken = (touched: Set<string>) => {
  const all = [...touched];
  touched.clear();
  return all;
};

export function langGraph(guard: Guard, ran: Ran): Suspended {
  const saver = new WatchedSaver();
  const lookup = langChainTool(
    async ({ order }: { order: string }) => {
      ran(order);
      return "900";
    },
    { name: "lookup", description, schema: inputSchema },
  );
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("agent", modelNode())
    .addNode("tools", guardToolNode({ guard, tools: [lookup] }))
    .addEdge(START, "agent")
    .addConditionalEdges("agent", toolsCondition, ["tools", END])
    .addEdge("tools", "agent")
    .compile({ checkpointer: saver });
  return {
    name: "LangGraph",
    async start(session) {
      const messages = [{ role: "user", content: session }];
      await graph.invoke({ messages }, { configurable: { thread_id: session } });
    },
    worker: () => resumeGraphs({ guard, graph }),
    touched: () => taken(saver.touched),
  };
}

export function aiSdk(guard: Guard, ran: Ran): Suspended {
  const chats = new Map<string, ModelMessage[]>();
  const touched = new Set<string>();
  const model = languageModel();
  const lookup = tool({
    description,
    inputSchema,
    execute: async ({ order }) => {
      ran(order);
      return "900";
    },
  });
  async function goOn(session: string, messages: ModelMessage[]) {
    const suspended = suspendTools({ lookup }, { guard, session });
    const going = await resumeMessages(messages, suspended);
    if (going === null) return;
    const { responseMessages } = await generateText({
      model,
      messages: going,
      stopWhen: isStepCount(3),
      ...suspended,
    });
    chats.set(session, [...going, ...responseMessages]);
  }
  return {
    name: "AI SDK",
    start: (session) => goOn(session, [{ role: "user", content: session }]),
    worker: () =>
      resumeChats<ModelMessage>({
        guard,
        load(session) {
          touched.add(session);
          return chats.get(session) ?? null;
        },
        resume: ({ session, messages }) => goOn(session, [...messages]),
      }),
    touched: () => taken(touched),
  };
}

export function mastra(guard: Guard, ran: Ran): Suspended {
  const lookup = createTool({
    id: "lookup",
    description,
    inputSchema,
    execute: async ({ order }) => {
      ran(order);
      return "900";
    },
  });
  const agent = new Agent({
    id: "support",
    name: "support",
    instructions: "",
    model: languageModel() as never,
    tools: guardTools({ lookup }, { guard, session: ({ thread }) => thread ?? "" }),
  });
  const made = new Mastra({ agents: { support: agent }, storage: new InMemoryStore(), logger: false });
  return {
    name: "Mastra",
    async start(session) {
      await agent.generate(session, { memory: { thread: session, resource: "bench" } });
    },
    worker: () => resumeMastra({ guard, mastra: made }),
    touched: () => null,
  };
}
