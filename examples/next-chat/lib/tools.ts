/** The agent's tools, as any application of the AI SDK writes them: nothing in here knows who has to approve. */
import { appendFile, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { executionOf } from "@guard/vercel-ai";
import { tool } from "ai";
import * as z from "zod";
import { refundsFile } from "./data.ts";

export const tools = {
  lookupOrder: tool({
    description: "Looks up an order",
    inputSchema: z.object({ order: z.int() }),
    execute: async ({ order }) => ({ order, item: "Sofa, three seats", paid: 1200 }),
  }),
  refund: tool({
    description: "Refunds part or all of an order to the customer",
    inputSchema: z.object({ order: z.int(), amount: z.number().positive() }),
    execute: async ({ order, amount }, options) => {
      // A payment provider gets this as its idempotency key: one execution, one payment.
      const payment = executionOf(options)?.executionId;
      await mkdir(dirname(refundsFile), { recursive: true });
      await appendFile(refundsFile, `${JSON.stringify({ payment, order, amount })}\n`);
      // What really ran, because an approver may have changed the arguments.
      return { order, refunded: amount };
    },
  }),
};
