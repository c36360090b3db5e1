// What the README's example takes for granted.
import type { Guard } from "@guard/core";
import type { LanguageModel, ModelMessage, ToolSet } from "ai";

export interface Given {
  readonly guard: Guard;
  readonly model: LanguageModel;
  readonly lookupOrder: ToolSet[string];
  readonly refund: ToolSet[string];
  readonly chats: {
    load(id: string): Promise<ModelMessage[]>;
    save(id: string, messages: ModelMessage[]): Promise<void>;
  };
}
