// What the pages take for granted of an application that uses the Vercel AI SDK.
import type { LanguageModel, Tool } from "ai";
import type { Refund } from "./shop.ts";

export declare const model: LanguageModel;
export declare const lookupOrder: Tool<{ order: string }, { total: number }>;
export declare const refund: Tool<Refund, { refunded: number }>;
