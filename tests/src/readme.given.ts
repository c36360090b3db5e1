// What the README's example takes for granted.
import type { LanguageModel, Tool } from "ai";

export interface Given {
  readonly lookupOrder: Tool;
  readonly refund: Tool;
  readonly model: LanguageModel;
  readonly prompt: string;
  readonly ticketId: string;
}
