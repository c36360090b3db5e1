// An agent with a refund tool, its storage, and people who answer.
import type { Rule } from "@guard/core";
import { type TestGuard, testGuard } from "@guard/testing";
import { Agent } from "@mastra/core/agent";
import type { MastraModelConfig } from "@mastra/core/llm";
import { Mastra } from "@mastra/core/mastra";
import { InMemoryStore } from "@mastra/core/storage";
import { createTool } from "@mastra/core/tools";
import { afterEach } from "vitest";
import * as z from "zod";
import { guardAgent, guardHooks, type Resumed, resumeWorker } from "./index.ts";
import { type Call, scripted } from "./scripted-model.fixture.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

export const policy: Rule[] = [{ tool: "lookup", then: "allow" }];
export const refund = (id: string, amount: number): Call => ({
  id,
  tool: "refund",
  input: { order: "A", amount },
});

export interface Kit extends TestGuard {
  /** What ran, in order. */
  readonly ran: unknown[];
  readonly tools: ReturnType<typeof makeTools>;
}

export function makeTools(ran: unknown[]) {
  return {
    lookup: createTool({
      id: "lookup",
      description: "Looks an order up",
      inputSchema: z.object({ order: z.string() }),
      execute: async ({ order }) => {
        ran.push(["lookup", order]);
        return { order, total: 900 };
      },
    }),
    refund: createTool({
      id: "refund",
      description: "Refunds an order",
      inputSchema: z.object({ order: z.string(), amount: z.number(), note: z.string().default("none") }),
      outputSchema: z.object({ refunded: z.number() }),
      execute: async (input) => {
        ran.push(input);
        return { refunded: input.amount };
      },
    }),
  };
}

export async function kit(): Promise<Kit> {
  const made = await testGuard({ policy });
  open.push(made);
  const ran: unknown[] = [];
  return { ...made, ran, tools: makeTools(ran) };
}

export type Kind = "guardAgent" | "guardHooks";

export interface Parts {
  readonly script: Parameters<typeof scripted>[0];
  readonly storage?: InMemoryStore;
  readonly mode?: "suspend" | "wait";
  readonly id?: string;
}

/** One of the two ways to guard an agent, registered with a Mastra of its own. */
export function agentOf({ guard, tools }: Kit, kind: Kind, parts: Parts) {
  const { script, storage = new InMemoryStore(), mode = "suspend", id = "support" } = parts;
  const model = scripted(script);
  const config = { id, name: id, instructions: "help", model: model as unknown as MastraModelConfig, tools };
  const agent =
    kind === "guardAgent"
      ? guardAgent(config, { guard, mode })
      : new Agent({ ...config, hooks: guardHooks({ guard, mode }) });
  const mastra = new Mastra({ agents: { [id]: agent }, storage, logger: false });
  return { agent, mastra, model, storage };
}

/** A worker that collects what it resumed. */
export function workerOf(options: Omit<Parameters<typeof resumeWorker>[0], "onResumed">) {
  const resumed: Resumed[] = [];
  const errors: unknown[] = [];
  const worker = resumeWorker({
    storedWithin: 200,
    onError: (error) => errors.push(error),
    ...options,
    onResumed: (one) => {
      resumed.push(one);
    },
  });
  open.push(worker);
  return { worker, resumed, errors };
}
