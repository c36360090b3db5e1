/** Workflows of `@guard/mastra`: `approvalStep`, a step beside the others for each call; `guardTool` as a step. */
import type { Guard, Json } from "@guard/core";
import { approvalStep, guardTool, resumeWorker } from "@guard/mastra";
import { Mastra } from "@mastra/core/mastra";
import { InMemoryStore } from "@mastra/core/storage";
import { createTool } from "@mastra/core/tools";
import { type AnyWorkflow, createStep, createWorkflow } from "@mastra/core/workflows";
import * as z from "zod";
import type { Call, Misuse, Result, Setup, Subject, Traits, WorkerOptions } from "../subject.ts";
import { descriptions, schemas, type ToolName } from "../toolbox.ts";

type Make = (guard: Guard, calls: readonly Call[], tools: Setup["tools"]) => AnyWorkflow;

const anything = z.record(z.string(), z.json());
const ended = z.object({ kind: z.enum(["result", "error"]), text: z.string() });

/** One step for each call, all at once. */
const steps: Make = (guard, calls, tools) => {
  const made = calls.map(({ id, tool, args }) =>
    approvalStep({
      guard,
      id,
      inputSchema: anything,
      outputSchema: ended,
      argsSchema: schemas[tool as ToolName],
      action: () => ({ tool, args }),
      execute: async (execution) => ({
        kind: "result" as const,
        text: String(await tools.run(tool as ToolName, execution.args)),
      }),
      denied: (error) => ({ kind: "error" as const, text: error.message }),
    }),
  );
  const workflow = createWorkflow({ id: "work", inputSchema: anything, outputSchema: z.any() });
  return workflow.parallel(made as never).commit() as unknown as AnyWorkflow;
};

/** The one call, its arguments the workflow's input. */
const toolStep: Make = (guard, [call], tools) => {
  const { id, tool } = call as Call;
  const name = tool as ToolName;
  const raw = createTool({
    id: name,
    description: descriptions[name],
    inputSchema: schemas[name] as z.ZodType<Json>,
    outputSchema: ended,
    execute: async (input) => ({ kind: "result" as const, text: String(await tools.run(name, input)) }),
  });
  const step = createStep(guardTool(raw, { guard }) as typeof raw);
  const workflow = createWorkflow({ id: "work", inputSchema: anything, outputSchema: z.any() });
  return workflow.then({ ...step, id } as never).commit() as unknown as AnyWorkflow;
};

function open(make: Make, { script, tools, session }: Setup) {
  const storage = new InMemoryStore();
  const calls = script.flatMap((turn) => (typeof turn === "string" ? [] : turn));
  const processOf = (guard: Guard) => {
    const work = make(guard, calls, tools);
    const mastra = new Mastra({ workflows: { work }, storage, logger: false });
    const state = async () => (await work.getWorkflowRunById(session))?.steps ?? {};
    return { work, mastra, state };
  };
  let last: ReturnType<typeof processOf> | null = null;
  return {
    prompts: [],
    process(guard: Guard | null) {
      const own = processOf(guard as Guard);
      last = own;
      const { work, mastra, state } = own;
      return {
        async start() {
          const run = await work.createRun({ runId: session });
          await run.start({ inputData: (calls[0] as Call).args as never });
        },
        async resume(resumeData: unknown) {
          for (const [step, at] of Object.entries(await state())) {
            if ((at as { status?: unknown }).status !== "suspended") continue;
            const run = await work.createRun({ runId: session });
            await run.resume({ step, resumeData });
          }
        },
        worker: (options: WorkerOptions) => resumeWorker({ ...options, mastra }),
      };
    },
    async stored() {
      const found = Object.entries((await last?.state()) ?? {});
      const results = found.flatMap(([id, step]): Result[] => {
        const { status, output, error } = step as {
          status: string;
          output?: Omit<Result, "id">;
          error?: Error;
        };
        if (status === "success" && output && calls.some((call) => call.id === id))
          return [{ id, ...output }];
        return status === "failed" ? [{ id, kind: "error", text: String(error?.message ?? error) }] : [];
      });
      return { calls, results, text: null };
    },
  } satisfies ReturnType<Subject["open"]>;
}

const step = (more: object) =>
  approvalStep({
    id: "pay",
    inputSchema: anything,
    outputSchema: anything,
    action: () => ({ tool: "pay", args: {} }),
    execute: () => ({}),
    ...more,
  } as unknown as Parameters<typeof approvalStep>[0]);

const pay = (more: object = {}) =>
  createTool({ id: "pay", description: "Pays", inputSchema: anything, execute: async () => ({}), ...more });

const stepMisuse: readonly Misuse[] = [
  {
    title: "an option that there is not",
    make: (guard) => step({ guard, onDenied: () => ({}) }),
    says: /no option onDenied.*It knows: guard/,
  },
  { title: "no guard", make: () => step({}), says: /needs \{ guard \}/ },
  {
    title: "no action",
    make: (guard) => step({ guard, action: undefined }),
    says: /action has to be a function/,
  },
  {
    title: "a worker over nothing",
    make: (guard) => resumeWorker({ guard }),
    says: /needs \{ mastra \}, or \{ agents \} or \{ workflows \}/,
  },
];

const toolMisuse: readonly Misuse[] = [
  {
    title: "an option that there is not",
    make: (guard) => guardTool(pay(), { guard, fact: () => ({}) } as never),
    says: /no option fact\. It knows: guard/,
  },
  { title: "no guard", make: () => guardTool(pay(), {} as never), says: /needs \{ guard \}/ },
  {
    title: "a tool that is guarded already",
    make: (guard) => guardTool(guardTool(pay(), { guard }), { guard }),
    says: /pay is guarded already. Wrap it once/,
  },
  {
    title: "a tool that suspends itself",
    make: (guard) => guardTool(pay({ suspendSchema: anything }), { guard }),
    says: /suspends itself.*more than once for one approval/,
  },
];

const traits: Traits = {
  calls: "many",
  model: false,
  historyShowsEdits: false,
  edits: true,
  runsBeforeSiblings: true,
  repeatedIds: "asked",
  racesKeepResults: false,
  subAgents: "none",
  argsByReference: false,
};

export const workflowSubjects: readonly Subject[] = [
  {
    name: "mastra: approvalStep",
    mode: "suspend",
    variant: false,
    traits,
    misuse: stepMisuse,
    open: (setup) => open(steps, setup),
  },
  {
    name: "mastra: guardTool as a workflow's step",
    mode: "suspend",
    variant: false,
    traits: { ...traits, calls: "one" },
    misuse: toolMisuse,
    open: (setup) => open(toolStep, setup),
  },
];
