/** The agent's tools, as an application of the AI SDK writes them: nothing in here knows of Guard. */
import { tool } from "ai";
import * as z from "zod";
import type { Shop } from "./shop.ts";

export function shopTools(shop: Shop) {
  return {
    lookupOrder: tool({
      description: "Looks up an order",
      inputSchema: z.object({ order: z.int() }),
      execute: async ({ order }) => shop.lookupOrder(order),
    }),
    refund: tool({
      description: "Refunds part or all of an order to the customer",
      inputSchema: z.object({ order: z.int(), amount: z.number().positive() }),
      execute: async (args, { toolCallId }) => {
        shop.refund(args, toolCallId);
        return { refunded: args.amount };
      },
    }),
    payOut: tool({
      description: "Pays the refund of an order to a bank account",
      inputSchema: z.object({ order: z.int(), amount: z.number().positive(), account: z.string() }),
      execute: async (args, { toolCallId }) => {
        shop.payOut(args, toolCallId);
        return { paid: args.amount };
      },
    }),
    sendEmail: tool({
      description: "Sends an e-mail to a customer",
      inputSchema: z.object({ to: z.email(), text: z.string() }),
      execute: async (args, { toolCallId }) => {
        shop.sendEmail(args, toolCallId);
        return { sent: true };
      },
    }),
    deleteCustomer: tool({
      description: "Deletes a customer's account",
      inputSchema: z.object({ customer: z.int() }),
      execute: async ({ customer }) => {
        shop.deleteCustomer(customer);
        return { deleted: true };
      },
    }),
  };
}
