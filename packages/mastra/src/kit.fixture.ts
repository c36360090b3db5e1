// An agent with a refund tool, its storage, and people who answer.
import type { Rule } from "@guard/core";
import { type TestGuard, testGuard } from "@guard/testing";
import { Agent } from "@mastra/core/agent";
import type { MastraModelConfig } from "@mastra/core/llm";
import { Mastra } from "@mastra/core/mastra";
import { InMemoryStore, type MastraCompositeStore } from "@mastra/core/storage";
import { createTool } from "@mastra/core/tools";
import { afterEach, expect } from "vitest";
import * as z from "zod";
import { guardAgent, guardHooks, type Resumed, resumeWorker } from "./index.ts";
import { type Call, scripted } from "./scripted-model.fixture.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

const policy: Rule[] = [{ tool: "lookup", then: "allow" }];
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

/** Awaited, not slept: how long it takes depends on the machine. */
export const slow = { timeout: 15_000 };

export const kinds = ["guardAgent", "guardHooks"] as const;
type Kind = (typeof kinds)[number];

export interface Parts {
  readonly script: Parameters<typeof scripted>[0];
  readonly storage?: MastraCompositeStore;
  readonly mode?: "suspend" | "wait";
  /** Further options of the guard's. */
  readonly options?: object;
}

/** An agent, guarded in one of the two ways or not at all, registered with a Mastra of its own. */
export function agentOf({ guard, tools }: Kit, kind: Kind | "none", parts: Parts) {
  const { script, storage = new InMemoryStore(), mode = "suspend", options = {} } = parts;
  const model = scripted(script);
  const config = { id: "support", name: "support", instructions: "help", model: asModel(model), tools };
  const given = { guard, mode, ...options };
  const agent =
    kind === "guardAgent"
      ? guardAgent(config, given)
      : new Agent({ ...config, ...(kind === "guardHooks" ? { hooks: guardHooks(given) } : {}) });
  const mastra = new Mastra({ agents: { support: agent }, storage, logger: false });
  return { agent, mastra, model, storage };
}

/** Mastra's own types of the model differ from the SDK's in a detail of generate. */
export const asModel = (model: ReturnType<typeof scripted>) => model as unknown as MastraModelConfig;

/** A worker that collects what it resumed. */
export function workerOf(options: Omit<Parameters<typeof resumeWorker>[0], "onResumed">) {
  const resumed: Resumed[] = [];
  const errors: unknown[] = [];
  const worker = resumeWorker({
    storedWithin: 2000,
    onError: (error) => errors.push(error),
    ...options,
    onResumed: (one) => {
      resumed.push(one);
    },
  });
  open.push(worker);
  return { worker, resumed, errors };
}

/** The texts of the first `count` resumed runs of agents, once they have ended. */
export async function runOut(resumed: readonly Resumed[], count: number): Promise<string[]> {
  await expect.poll(() => resumed.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
  const texts = resumed.map((one) => (one.kind === "agent" ? one.output.text : Promise.resolve("")));
  return Promise.all(texts);
}

/** Reads a stream to its end, and gives its text. */
export async function streamed(output: { fullStream: AsyncIterable<{ type: string; payload?: unknown }> }) {
  let text = "";
  for await (const { type, payload } of output.fullStream) {
    if (type === "text-delta") text += (payload as { text: string }).text;
  }
  return text;
}
