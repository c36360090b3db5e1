// What the README's example takes for granted.
import type { Guard } from "@guard/core";
import type { MastraModelConfig } from "@mastra/core/llm";
import type { MastraCompositeStore } from "@mastra/core/storage";

export interface Given {
  readonly guard: Guard;
  readonly model: MastraModelConfig;
  readonly storage: MastraCompositeStore;
  readonly shop: { refund(order: string, amount: number): Promise<{ refunded: number }> };
  readonly show: (thread: string | null, text: string) => void;
}
