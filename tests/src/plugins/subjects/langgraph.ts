/** `@guard/langgraph`: its tool node, its tools and its middleware, waiting and suspended. */
import type { Guard } from "@guard/core";
import { guardMiddleware, guardToolNode, guardTools, resumeWorker } from "@guard/langgraph";
import { tool } from "@langchain/core/tools";
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { createAgent } from "langchain";
import * as z from "zod";
import type { Misuse, Subject, Traits } from "../subject.ts";
import { type App, type Build, graphOf, openAgent } from "./langgraph-agents.ts";

type Mode = Subject["mode"];

const nodes =
  (make: (guard: Guard, tools: Parameters<Build>[0]["tools"]) => ToolNode): Build =>
  ({ guard, model, tools, checkpointer }) =>
    graphOf(model, guard ? make(guard, tools) : new ToolNode(tools), checkpointer);

const middleware =
  (mode: Mode): Build =>
  ({ guard, model, tools, checkpointer }) =>
    createAgent({
      model,
      tools,
      ...(checkpointer ? { checkpointer } : {}),
      middleware: guard ? [guardMiddleware({ guard, mode })] : [],
    }) as unknown as App;

const pay = tool(async () => "done", {
  name: "pay",
  description: "Pays",
  schema: z.object({ to: z.string() }),
});

const misuses = (make: (options: object) => unknown): readonly Misuse[] => [
  {
    title: "an option that there is not",
    make: (guard) => make({ guard, tools: [pay], ungatd: [] }),
    says: /no option ungatd.*It knows: guard/,
  },
  { title: "no guard", make: () => make({ tools: [pay] }), says: /needs \{ guard \}/ },
  {
    title: "a tool that is guarded already",
    make: (guard) => make({ guard, tools: guardTools([pay], { guard }) }),
    says: /pay is guarded already. Wrap it once/,
  },
  {
    title: "a tool of the provider",
    make: (guard) => make({ guard, tools: [{ type: "web_search" }] }),
    says: /no tool that runs here.*list it in ungated/,
  },
];

const modes = (make: (options: object) => unknown): readonly Misuse[] => [
  {
    title: "a mode that there is not",
    make: (guard) => make({ guard, tools: [pay], mode: "block" }),
    says: /mode is "suspend" or "wait"/,
  },
  {
    title: "a worker over a graph that stores nothing",
    make: (guard) =>
      resumeWorker({
        guard,
        graph: new StateGraph(MessagesAnnotation)
          .addNode("a", () => ({}))
          .addEdge(START, "a")
          .compile(),
      }),
    says: /no checkpointer, so there is nothing to resume/,
  },
];

const traits: Traits = {
  calls: "many",
  model: true,
  historyShowsEdits: true,
  edits: true,
  runsBeforeSiblings: true,
  repeatedIds: "asked",
  racesKeepResults: true,
  subAgents: "wait",
  argsByReference: true,
};

const subject = (
  name: string,
  mode: Mode,
  build: Build,
  misuse: readonly Misuse[],
  more: Partial<Traits> = {},
): Subject => ({
  name: `langgraph: ${name}`,
  mode,
  variant: false,
  traits: { ...traits, subAgents: mode, ...more },
  misuse,
  open: (setup) => openAgent(build, setup),
});

const makeNode = (options: object) => guardToolNode(options as Parameters<typeof guardToolNode>[0]);
const makeTools = ({ tools, ...options }: { tools?: unknown }) =>
  guardTools(tools as never[], options as Parameters<typeof guardTools>[1]);
const makeMiddleware = (options: object) => guardMiddleware(options as Parameters<typeof guardMiddleware>[0]);

export const agentSubjects: readonly Subject[] = [
  subject(
    "guardTools in a ToolNode",
    "wait",
    nodes((guard, tools) => new ToolNode(guardTools(tools, { guard }))),
    misuses(makeTools),
    { historyShowsEdits: false, repeatedIds: "skipped" },
  ),
  ...(["wait", "suspend"] as const).flatMap((mode) => [
    subject(
      "guardToolNode",
      mode,
      nodes((guard, tools) => guardToolNode({ guard, tools, mode })),
      [...misuses(makeNode), ...modes(makeNode)],
      { historyShowsEdits: mode === "suspend", repeatedIds: "skipped" },
    ),
    subject(
      "guardMiddleware of createAgent",
      mode,
      middleware(mode),
      [...misuses(makeMiddleware), ...modes(makeMiddleware)],
      { unlike: { "a-tool-that-there-is-not": "Error: pya is not a valid tool." } },
    ),
  ]),
];
