// A first program of a user of the AI SDK.

import { type Guard, isGuardError } from "@guard/core";
import { testGuard } from "@guard/testing";
import { guardTools } from "@guard/vercel-ai";
import { generateText, isStepCount, tool } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import { z } from "zod";

const { guard, approver, close } = await testGuard({
  policy: [{ tool: "refund", when: { amount: { lte: 50 } }, then: "allow" }],
});
const typed: Guard = guard;
const refunds: number[] = [];
const refund = tool({
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
  doGenerate: async () =>
    step++ > 0
      ? {
          content: [{ type: "text", text: "done" }],
          finishReason: { unified: "stop", raw: undefined },
          usage,
          warnings: [],
        }
      : {
          content: [20, 900].map((amount) => ({
            type: "tool-call" as const,
            toolCallId: `call-${amount}`,
            toolName: "refund",
            input: JSON.stringify({ order: "A-1", amount }),
          })),
          finishReason: { unified: "tool-calls", raw: undefined },
          usage,
          warnings: [],
        },
});
approver.expect("refund", { order: "A-1", amount: 900 }).edit({ order: "A-1", amount: 90 });
const result = await generateText({
  model,
  prompt: "refund",
  tools: guardTools({ refund }, { guard: typed, session: "s" }),
  stopWhen: isStepCount(3),
});
const output: number | undefined = result.steps[0]?.toolResults.find((part) => !part.dynamic)?.output
  .refunded;
approver.done();
await close();
refunds.sort((a, b) => a - b);
if (JSON.stringify(refunds) !== "[20,90]" || output === undefined || isGuardError(new Error("x"))) {
  throw new Error(`the packed packages do not work: ${JSON.stringify(refunds)}`);
}
console.log("packed packages work");
