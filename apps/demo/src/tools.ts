/**
 * The agent's tools: what the model is told of each, and what it does. Nothing in here knows of Guard, nor of a
 * framework; each framework's file makes its own kind of tool of them.
 */
import * as z from "zod";
import type { Shop } from "./shop.ts";

export interface ShopTool<S extends z.ZodObject = z.ZodObject> {
  readonly description: string;
  readonly inputSchema: S;
  /** @param callId the model's id of the call: one call writes once */
  run(args: z.output<S>, callId: string): unknown;
}

/** Infers what `run` takes from the schema. */
const define = <S extends z.ZodObject>(tool: ShopTool<S>): ShopTool => tool as unknown as ShopTool;

export type ShopTools = ReturnType<typeof shopTools>;

export function shopTools(shop: Shop) {
  return {
    lookupOrder: define({
      description: "Looks up an order",
      inputSchema: z.object({ order: z.int() }),
      run: ({ order }) => shop.lookupOrder(order),
    }),
    refund: define({
      description: "Refunds part or all of an order to the customer",
      inputSchema: z.object({ order: z.int(), amount: z.number().positive() }),
      run(args, callId) {
        shop.refund(args, callId);
        return { refunded: args.amount };
      },
    }),
    payOut: define({
      description: "Pays the refund of an order to a bank account",
      inputSchema: z.object({ order: z.int(), amount: z.number().positive(), account: z.string() }),
      run(args, callId) {
        shop.payOut(args, callId);
        return { paid: args.amount };
      },
    }),
    sendEmail: define({
      description: "Sends an e-mail to a customer",
      inputSchema: z.object({ to: z.email(), text: z.string() }),
      run(args, callId) {
        shop.sendEmail(args, callId);
        return { sent: true };
      },
    }),
    deleteCustomer: define({
      description: "Deletes a customer's account",
      inputSchema: z.object({ customer: z.int() }),
      run({ customer }) {
        shop.deleteCustomer(customer);
        return { deleted: true };
      },
    }),
  };
}
