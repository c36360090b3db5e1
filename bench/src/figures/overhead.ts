/**
 * What each plugin adds to a call that policy allows: a run of an agent whose scripted model calls one tool and
 * ends, p50, beside the same run without Guard. Evidence in memory, as in the figure of the gate.
 */
import type { Guard } from "@guard/core";
import { guardTools as guardLangChainTools, guardMiddleware, guardToolNode } from "@guard/langgraph";
import { guardHooks, guardTools as guardMastraTools } from "@guard/mastra";
import { testGuard } from "@guard/testing";
import { guardTools, suspendTools } from "@guard/vercel-ai";
import { tool as langChainTool } from "@langchain/core/tools";
import { END, MemorySaver, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { ToolNode, toolsCondition } from "@langchain/langgraph/prebuilt";
import { Agent } from "@mastra/core/agent";
import { createTool } from "@mastra/core/tools";
import { generateText, isStepCount, tool } from "ai";
import { AIMessage, createAgent, fakeModel } from "langchain";
import * as z from "zod";
import { languageModel, modelNode, turnOf } from "../agents/model.ts";
import { median, print } from "../figure.ts";

const runs = 5;
const samples = 150;

type Run = () => Promise<unknown>;
const description = "Looks an order up";
const inputSchema = z.object({ order: z.string() });
const lookup = async ({ order }: { order: string }) => ({ order, total: 900 });
const session = "ticket-7";

const sdk = { lookup: tool({ description, inputSchema, execute: lookup }) };
const generate = (more: object): Run => {
  const model = languageModel();
  return () => generateText({ model, prompt: "go", stopWhen: isStepCount(3), ...more } as never);
};

const chain = langChainTool(async (input: { order: string }) => JSON.stringify(await lookup(input)), {
  name: "lookup",
  description,
  schema: inputSchema,
});
let threads = 0;
function graph(node: ToolNode): Run {
  const compiled = new StateGraph(MessagesAnnotation)
    .addNode("agent", modelNode())
    .addNode("tools", node)
    .addEdge(START, "agent")
    .addConditionalEdges("agent", toolsCondition, ["tools", END])
    .addEdge("tools", "agent")
    .compile({ checkpointer: new MemorySaver() });
  const messages = [{ role: "user", content: "go" }];
  return () => compiled.invoke({ messages }, { configurable: { thread_id: `thread-${threads++}` } });
}

function langChainAgent(more: object): Run {
  const model = fakeModel();
  for (let n = 0; n < samples; n++) {
    const { id, tool: name, args } = turnOf(n);
    model.respondWithTools([{ id, name, args }]).respond(new AIMessage("done"));
  }
  const made = createAgent({ model, tools: [chain], checkpointer: new MemorySaver(), ...more });
  const messages = [{ role: "user", content: "go" }];
  return () => made.invoke({ messages }, { configurable: { thread_id: `thread-${threads++}` } });
}

const mastra = { lookup: createTool({ id: "lookup", description, inputSchema, execute: lookup }) };
function agent(more: object): Run {
  const made = new Agent({
    id: "support",
    name: "support",
    instructions: "",
    model: languageModel(),
    tools: mastra,
    ...more,
  } as never);
  return () => made.generate("go");
}

const subjects: Record<string, [bare: () => Run, guarded: (guard: Guard) => Run]> = {
  "AI SDK, guardTools": [
    () => generate({ tools: sdk }),
    (guard) => generate({ tools: guardTools(sdk, { guard, session }) }),
  ],
  "AI SDK, suspendTools": [
    () => generate({ tools: sdk }),
    (guard) => generate(suspendTools(sdk, { guard, session })),
  ],
  "LangGraph, guardTools": [
    () => graph(new ToolNode([chain])),
    (guard) => graph(new ToolNode(guardLangChainTools([chain], { guard }))),
  ],
  "LangGraph, guardToolNode": [
    () => graph(new ToolNode([chain])),
    (guard) => graph(guardToolNode({ guard, tools: [chain] })),
  ],
  "LangChain, guardMiddleware": [
    () => langChainAgent({}),
    (guard) => langChainAgent({ middleware: [guardMiddleware({ guard })] }),
  ],
  "Mastra, guardHooks": [
    () => agent({}),
    (guard) => agent({ hooks: guardHooks({ guard, session, mode: "wait" }) }),
  ],
  "Mastra, guardTools": [
    () => agent({}),
    (guard) => agent({ tools: guardMastraTools(mastra, { guard, session, mode: "wait" }) }),
  ],
};

for (const [name, [bare, guarded]] of Object.entries(subjects)) {
  const without: number[] = [];
  const over: number[] = [];
  for (let run = -1; run < runs; run++) {
    const { guard, close } = await testGuard({ policy: [{ tool: "lookup", then: "allow" }] });
    const [one, other] = [bare(), guarded(guard)];
    const times: [number[], number[]] = [[], []];
    for (let i = 0; i < samples; i++) {
      // Side by side, so that both see the same machine.
      for (const [at, work] of [one, other].entries()) {
        const start = performance.now();
        await work();
        times[at as 0 | 1].push(performance.now() - start);
      }
    }
    await close();
    if (run < 0) continue;
    without.push(median(times[0]));
    over.push(median(times[1]) - median(times[0]));
  }
  print({
    name: `${name}: an allowed call, over the same run without Guard`,
    value: 1000 * median(over),
    unit: "µs",
    goal: null,
    better: "lower",
    against: { name: "the run without Guard", value: 1000 * median(without), unit: "µs" },
  });
}
