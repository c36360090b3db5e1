// What the README's example takes for granted.
import type { Guard } from "@guard/core";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { StructuredToolInterface } from "@langchain/core/tools";
import type { BaseCheckpointSaver } from "@langchain/langgraph";

export interface Given {
  readonly guard: Guard;
  readonly model: BaseChatModel;
  readonly checkpointer: BaseCheckpointSaver;
  readonly lookupOrder: StructuredToolInterface;
  readonly shop: { refund(order: string, amount: number): Promise<{ refunded: number }> };
  readonly ticketId: string;
}
