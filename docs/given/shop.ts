// What the pages take for granted of an application: a shop, a policy, and the conversation that an agent is in.
import type { Guard, Rule } from "@guard/core";

export interface Refund {
  readonly order: string;
  readonly amount: number;
}

export declare const shop: {
  find(order: { order: string }): Promise<{ order: string; total: number }>;
  refund(order: string, amount: number): Promise<{ refunded: number }>;
};
export declare const guard: Guard;
export declare const policy: readonly Rule[];
export declare const ticketId: string;
export declare const chatId: string;
export declare const prompt: string;
