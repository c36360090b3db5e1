/** `@guard/mastra`: its agents, its hooks, and its tools as workflow steps. */
import { type GuardAgentOptions, guardAgent, guardHooks, guardTools, resumeWorker } from "@guard/mastra";
import { Agent, type AgentConfig } from "@mastra/core/agent";
import { createTool } from "@mastra/core/tools";
import * as z from "zod";
import type { Misuse, Subject, Traits } from "../subject.ts";
import { type Kind, openAgent } from "./mastra-agents.ts";

const pay = (more: object = {}) =>
  createTool({
    id: "pay",
    description: "Pays",
    inputSchema: z.object({ to: z.string() }),
    execute: async () => "done",
    ...more,
  });

const config = (more: object = {}) =>
  ({
    id: "a",
    name: "a",
    instructions: "help",
    model: "openai/none",
    tools: { pay: pay() },
    ...more,
  }) as AgentConfig;

const agent = (options: object, more: object = {}) =>
  guardAgent(config(more), options as GuardAgentOptions<never>);

const misuse: Readonly<Record<Kind, readonly Misuse[]>> = {
  guardAgent: [
    {
      title: "an option that there is not",
      make: (guard) => agent({ guard, sesion: "s" }),
      says: /no option sesion.*It knows: guard/,
    },
    { title: "no guard", make: () => agent({}), says: /needs \{ guard \}/ },
    {
      title: "a mode that there is not",
      make: (guard) => agent({ guard, mode: "block" }),
      says: /mode is "suspend" or "wait"/,
    },
    {
      title: "a tool that is guarded already",
      make: (guard) => agent({ guard }, { tools: guardTools({ pay: pay() }, { guard }) }),
      says: /pay is guarded already. Wrap it once/,
    },
    {
      title: "Mastra's own approval on the tool",
      make: (guard) => agent({ guard }, { tools: { pay: pay({ requireApproval: true }) } }),
      says: /Mastra's own approval. Remove that/,
    },
    {
      title: "Mastra's own approval of all tools",
      make: (guard) => agent({ guard }, { defaultOptions: { requireToolApproval: true } }),
      says: /requireToolApproval asks beside the guard. Remove it/,
    },
    {
      title: "subagent-bypass: a sub-agent that is not guarded",
      make: (guard) => agent({ guard }, { agents: { child: new Agent(config()) } }),
      says: /sub-agent child is not guarded.*Make it with guardAgent too/,
    },
  ],
  guardHooks: [
    {
      title: "an option that there is not",
      make: (guard) => guardHooks({ guard, sesion: "s" } as never),
      says: /no option sesion.*It knows: guard/,
    },
    { title: "no guard", make: () => guardHooks({} as never), says: /needs \{ guard \}/ },
    {
      title: "hooks that are a guard already",
      make: (guard) => agent({ guard }, { hooks: guardHooks({ guard }) }),
      says: /guardHooks already. Leave them out/,
    },
    {
      title: "a worker over an agent without storage",
      make: (guard) => resumeWorker({ guard, agents: [new Agent(config())] }),
      says: /no storage, so its suspended runs are kept nowhere/,
    },
  ],
};

const traits: Traits = {
  calls: "many",
  model: true,
  historyShowsEdits: false,
  edits: true,
  runsBeforeSiblings: true,
  repeatedIds: "merged",
  racesKeepResults: false,
  subAgents: "wait",
  argsByReference: false,
};

export const agentSubjects: readonly Subject[] = (["wait", "suspend"] as const).flatMap((mode) =>
  (["guardAgent", "guardHooks"] as const).flatMap((kind) =>
    (["generate", "stream"] as const).map(
      (way) =>
        ({
          name: `mastra: ${kind} with ${way}`,
          mode,
          variant: way !== "generate",
          traits: {
            ...traits,
            subAgents: mode,
            edits: kind !== "guardHooks",
          },
          misuse: misuse[kind],
          open: (setup) => openAgent({ kind, way, mode }, setup),
        }) satisfies Subject,
    ),
  ),
);
