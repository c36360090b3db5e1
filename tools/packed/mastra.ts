// A first program of a user of Mastra: one run that is suspended and resumed.
import type { Guard } from "@guard/core";
import { guardTools, resumeWorker } from "@guard/mastra";
import { testGuard } from "@guard/testing";
import { Agent } from "@mastra/core/agent";
import { Mastra } from "@mastra/core/mastra";
import { InMemoryStore } from "@mastra/core/storage";
import { createTool } from "@mastra/core/tools";
import { simulateReadableStream } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import { z } from "zod";

const { guard, approver, close } = await testGuard();
const typed: Guard = guard;
const refunds: number[] = [];
const refund = createTool({
  id: "refund",
  description: "Refunds an order",
  inputSchema: z.object({ order: z.string(), amount: z.number() }),
  execute: async ({ amount }) => {
    refunds.push(amount);
    return { refunded: amount };
  },
});
const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};
let step = 0;
const model = new MockLanguageModelV4({
  doStream: async () => {
    const calls = step++ === 0;
    return {
      stream: simulateReadableStream({
        chunks: [
          { type: "stream-start", warnings: [] },
          ...(calls
            ? [
                {
                  type: "tool-call" as const,
                  toolCallId: "c1",
                  toolName: "refund",
                  input: JSON.stringify({ order: "A-1", amount: 900 }),
                },
              ]
            : [
                { type: "text-start" as const, id: "t" },
                { type: "text-delta" as const, id: "t", delta: "done" },
                { type: "text-end" as const, id: "t" },
              ]),
          { type: "finish", finishReason: { unified: calls ? "tool-calls" : "stop", raw: undefined }, usage },
        ],
      }),
    };
  },
});
const support = new Agent({
  id: "support",
  name: "support",
  instructions: "",
  // Mastra's type of a model describes what it makes of one.
  model: model as never,
  tools: guardTools({ refund }, { guard: typed }),
});
const mastra = new Mastra({ agents: { support }, storage: new InMemoryStore(), logger: false });

const held = approver.expect("refund", { order: "A-1", amount: 900 }).hold();
const stream = await support.stream("refund");
await stream.consumeStream();
await held.edit({ order: "A-1", amount: 90 });
const worker = resumeWorker({ guard: typed, mastra });
await worker.idle();
await worker.close();
approver.done();
await close();
if (JSON.stringify(refunds) !== "[90]") throw new Error(`it does not work: ${JSON.stringify(refunds)}`);
console.log("packed packages work");
process.exit(0);
