// An application as a process of its own: it starts runs that suspend, or resumes what waits, and says what happens
// on its standard output. Some runs hang at an awkward point, so that the process can be killed there.
import { appendFileSync } from "node:fs";
import { createGuard } from "@guard/core";
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import type { RunnableConfig } from "@langchain/core/runnables";
import { tool } from "@langchain/core/tools";
import {
  type BaseCheckpointSaver,
  END,
  INTERRUPT,
  type Interrupt,
  MessagesAnnotation,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { toolsCondition } from "@langchain/langgraph/prebuilt";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { SqliteSaver } from "@langchain/langgraph-checkpoint-sqlite";
import { createAgent, fakeModel } from "langchain";
import * as z from "zod";
import { approvalNode, guardMiddleware, guardToolNode, type ResumableGraph, resumeWorker } from "../index.ts";

export interface Orders {
  readonly role: "start" | "resume";
  readonly shape: "guardMiddleware" | "guardToolNode" | "approvalNode";
  /** A file of SQLite, or a URL of PostgreSQL. */
  readonly saver: string;
  /** Where this host keeps evidence and roster. */
  readonly directory: string;
  /** What the tool did, a line each time. */
  readonly effects: string;
  /** Threads to start. Each refunds the amount that is its name. */
  readonly threads?: readonly string[];
  /** The threads that hang while their tool runs, and those that hang before its result is stored. */
  readonly hang?: { readonly inTool?: string; readonly storing?: string };
}

const orders = JSON.parse(process.argv[2] ?? "{}") as Orders;
const say = (event: string, more: object = {}) =>
  process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);

/** Nothing ends this but a signal. */
const forever = () =>
  new Promise<never>(() => {
    setInterval(() => {}, 60_000);
  });

const ran = new Set<string>();
const amountOf = (thread: string) => ({ order: "A-1", amount: Number(thread) });

async function refund({ amount }: { amount: number }): Promise<string> {
  const thread = String(amount);
  appendFileSync(orders.effects, `${thread}\n`);
  ran.add(thread);
  if (orders.hang?.inTool === thread) {
    say("in the tool", { thread });
    await forever();
  }
  return `refunded ${amount}`;
}

async function openSaver(): Promise<BaseCheckpointSaver> {
  if (!orders.saver.startsWith("postgres")) return SqliteSaver.fromConnString(orders.saver);
  const saver = PostgresSaver.fromConnString(orders.saver);
  await saver.setup();
  return saver;
}

const saver = await openSaver();
const storing = new Set<string>();
for (const name of ["put", "putWrites"] as const) {
  type Store = (config: RunnableConfig, ...rest: unknown[]) => Promise<never>;
  const original = saver[name].bind(saver) as Store;
  const held: Store = async (config, ...rest) => {
    const thread = String(config.configurable?.thread_id);
    if (orders.hang?.storing === thread && ran.has(thread)) {
      if (!storing.has(thread)) say("before storing", { thread });
      storing.add(thread);
      await forever();
    }
    return original(config, ...rest);
  };
  saver[name] = held as never;
}

const guard = createGuard({
  approvers: ["alice@example.com"],
  directory: orders.directory,
  executionTimeout: 1000,
});
const tools = [
  tool(refund, {
    name: "refund",
    description: "Refunds an order",
    schema: z.object({ order: z.string(), amount: z.number() }),
  }),
];

const threads = orders.threads ?? [];
/** What the model says, thread after thread: the first turn is in the checkpoint when the run is resumed. */
function scripted() {
  const model = fakeModel();
  for (const thread of threads)
    model.respondWithTools([{ name: "refund", args: amountOf(thread), id: "c1" }]);
  for (let turn = 0; turn < 9; turn++) model.respond(new AIMessage("done"));
  return model;
}
type State = typeof MessagesAnnotation.State;
/** The thread that a state belongs to, which its first message says. */
const threadIn = ({ messages }: State) => messages[0]?.text ?? "";

const shapes = {
  guardMiddleware: () =>
    createAgent({
      model: scripted(),
      tools,
      checkpointer: saver,
      middleware: [guardMiddleware({ guard })],
    }),
  guardToolNode: () => {
    const model = scripted();
    return new StateGraph(MessagesAnnotation)
      .addNode("agent", async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
      .addNode("tools", guardToolNode({ guard, tools }))
      .addEdge(START, "agent")
      .addConditionalEdges("agent", toolsCondition, ["tools", END])
      .addEdge("tools", "agent")
      .compile({ checkpointer: saver });
  },
  approvalNode: () =>
    new StateGraph(MessagesAnnotation)
      .addNode(
        "refund",
        approvalNode({
          guard,
          action: (state: State) => ({ tool: "refund", args: amountOf(threadIn(state)) }),
          execute: async ({ args }) => ({
            messages: [new AIMessage(await refund(args as { amount: number }))],
          }),
          denied: ({ message }) => ({ messages: [new AIMessage(message)] }),
        }),
      )
      .addEdge(START, "refund")
      .addEdge("refund", END)
      .compile({ checkpointer: saver }),
} satisfies Record<Orders["shape"], () => ResumableGraph>;

const graph: ResumableGraph = shapes[orders.shape]();
const configOf = (thread: string) => ({ configurable: { thread_id: thread } });

for (const thread of threads) {
  const input = { messages: [new HumanMessage(thread)] };
  const result = (await graph.invoke(input as never, configOf(thread))) as {
    [INTERRUPT]?: Interrupt<{ guard: { requests: { request: string }[] } }>[];
  };
  const requests = (result[INTERRUPT] ?? []).flatMap(({ value }) => value?.guard.requests ?? []);
  say("suspended", { thread, requests: requests.map(({ request }) => request) });
}
if (orders.role === "start") await forever();

// Tells when a thread has come to its end, which may be after more than one resume.
const watched: ResumableGraph = {
  checkpointer: saver,
  getState: (config) => graph.getState(config),
  async invoke(input, config) {
    const result = await graph.invoke(input, config);
    const { next, values } = await graph.getState(config);
    const texts = (values as State).messages.map(({ text }) => text);
    if (next.length === 0) say("ended", { thread: config.configurable?.thread_id, texts });
    return result;
  },
};
resumeWorker({ guard, graph: watched, storedWithin: 300 });
await forever();
