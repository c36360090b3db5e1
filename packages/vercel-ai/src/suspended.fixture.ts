// A shop whose refunds have to be approved, and a chat of it: as a first process leaves it, and as later ones find it.
import type { Guard, Rule } from "@guard/core";
import { testGuard } from "@guard/testing";
import { generateText, isStepCount, type ModelMessage, type Tool, tool } from "ai";
import * as z from "zod";
import { resumeMessages, type SuspendedTools, type SuspendToolsOptions, suspendTools } from "./index.ts";
import { type Call, scripted } from "./scripted-model.fixture.ts";

const policy: Rule[] = [{ tool: "lookup", then: "allow" }];

export const stopWhen = isStepCount(5);
export const question: ModelMessage = { role: "user", content: "go" };
export const refund = (id: string, amount: number): Call => ({
  id,
  tool: "refund",
  input: { order: "A", amount },
});
export const lookup = (id: string): Call => ({ id, tool: "lookup", input: { order: "A" } });

/** As a store gives messages back. */
export const stored = <T>(messages: T): T => JSON.parse(JSON.stringify(messages)) as T;

type Shop = {
  lookup: Tool<{ order: string }, { order: string; total: number }>;
  refund: Tool<{ order: string; amount: number }, { refunded: number }>;
};

export async function chat(options: Parameters<typeof testGuard>[0] = {}) {
  const made = await testGuard({ policy, ...options });
  const ran: unknown[] = [];
  const tools: Shop = {
    lookup: tool({
      inputSchema: z.object({ order: z.string() }),
      execute: async ({ order }) => {
        ran.push(["lookup", order]);
        return { order, total: 900 };
      },
    }),
    refund: tool({
      description: "Refunds an order",
      inputSchema: z.object({ order: z.string(), amount: z.number() }),
      execute: async (input, { toolCallId }) => {
        ran.push([toolCallId, input.amount]);
        return { refunded: input.amount };
      },
    }),
  };
  type More = Partial<SuspendToolsOptions<typeof tools>>;

  /** Made anew for each request, as a handler or a worker does. */
  const suspended = (more: More = {}, guard: Guard = made.guard) =>
    suspendTools(tools, { guard, session: "chat-1", ...more });

  /** A first run that ends where people have to be asked, and what is stored of it. */
  async function start(calls: readonly Call[], more: More = {}) {
    const model = scripted([calls, "nothing waited"]);
    const result = await generateText({ model, messages: [question], stopWhen, ...suspended(more) });
    return { result, saved: stored([question, ...result.responseMessages]) };
  }

  /** Goes on with stored messages: what the model read, and what is stored then. Null while something waits. */
  async function goOn(saved: readonly ModelMessage[], using: SuspendedTools<typeof tools> = suspended()) {
    const messages = await resumeMessages(saved, using);
    return messages === null ? null : run(messages, using);
  }

  async function run(messages: ModelMessage[], using: SuspendedTools<typeof tools> = suspended()) {
    const model = scripted(["done"]);
    const result = await generateText({ model, messages, stopWhen, ...using });
    const prompt = model.doGenerateCalls[0]?.prompt ?? [];
    const read = prompt.flatMap((message) => (message.role === "tool" ? message.content : []));
    /** By call: what the model was told of it. */
    const results = Object.fromEntries(
      read.flatMap((part) => (part.type === "tool-result" ? [[part.toolCallId, part.output]] : [])),
    );
    return { result, results, prompt, saved: stored([...messages, ...result.responseMessages]) };
  }
  return { ...made, ran, tools, suspended, start, goOn, run };
}
