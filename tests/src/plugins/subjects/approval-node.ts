/** `approvalNode` of `@guard/langgraph`: each call of the script is a node of its own, beside the others. */
import type { Guard } from "@guard/core";
import { approvalNode } from "@guard/langgraph";
import { Annotation, END, MemorySaver, START, StateGraph } from "@langchain/langgraph";
import type { Misuse, Result, Setup, Subject } from "../subject.ts";
import { schemas, type ToolName } from "../toolbox.ts";
import { type App, processOf } from "./langgraph-agents.ts";

const State = Annotation.Root({
  results: Annotation<Result[]>({ reducer: (all, more) => [...all, ...more], default: () => [] }),
});

const node = (more: object) =>
  approvalNode({
    action: () => ({ tool: "pay", args: {} }),
    execute: () => ({}),
    ...more,
  } as unknown as Parameters<typeof approvalNode>[0]);

const misuse: readonly Misuse[] = [
  {
    title: "an option that there is not",
    make: (guard) => node({ guard, onDenied: () => ({}) }),
    says: /no option onDenied.*It knows: guard/,
  },
  { title: "no guard", make: () => node({}), says: /needs \{ guard \}/ },
  {
    title: "no action",
    make: (guard) => node({ guard, action: undefined }),
    says: /action has to be a function/,
  },
];

export const approvalNodeSubject: Subject = {
  name: "langgraph: approvalNode",
  mode: "suspend",
  variant: false,
  traits: {
    calls: "many",
    model: false,
    historyShowsEdits: false,
    edits: true,
    runsBeforeSiblings: true,
    repeatedIds: "asked",
    racesKeepResults: true,
    subAgents: "none",
    argsByReference: false,
  },
  misuse,
  open,
};

function open({ script, tools, session }: Setup) {
  const checkpointer = new MemorySaver();
  const calls = script.flatMap((turn) => (typeof turn === "string" ? [] : turn));
  const appOf = (guard: Guard) => {
    const graph = new StateGraph(State) as unknown as {
      addNode(name: string, run: unknown): void;
      addEdge(from: string, to: string): void;
      compile(options: object): App;
    };
    for (const { id, tool, args } of calls) {
      const name = `call-${id}`;
      const ended = (kind: Result["kind"], text: unknown) => ({ results: [{ id, kind, text }] });
      const run = approvalNode<typeof State.State, object>({
        guard,
        action: () => ({
          tool,
          args,
          callId: id,
          validate: (edited) => schemas[tool as ToolName].parseAsync(edited),
        }),
        execute: async (execution) => ended("result", await tools.run(tool as ToolName, execution.args)),
        denied: (error) => ended("error", error.message),
      });
      graph.addNode(name, run);
      graph.addEdge(START, name);
      graph.addEdge(name, END);
    }
    return graph.compile({ checkpointer });
  };
  return {
    prompts: [],
    process: (guard: Guard | null) => processOf(appOf(guard as Guard), session, { results: [] }),
    async stored() {
      const found = await checkpointer.getTuple({ configurable: { thread_id: session } });
      const { results } = (found?.checkpoint.channel_values ?? {}) as Partial<typeof State.State>;
      return { calls, results: results ?? [], text: null };
    },
  } satisfies ReturnType<Subject["open"]>;
}
