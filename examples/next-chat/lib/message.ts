import type { GuardDataParts } from "@guard/vercel-ai";
import type { InferUITools, ToolUIPart, UIMessage } from "ai";
import type { tools } from "./tools.ts";

type ChatTools = InferUITools<typeof tools>;

export type ChatMessage = UIMessage<unknown, GuardDataParts, ChatTools>;
export type ToolPart = ToolUIPart<ChatTools>;

/** What a page is told of a chat. */
export interface ChatView {
  readonly version: number;
  /** Something is running, or waits for a person: more will come by itself. */
  readonly busy: boolean;
  /** Null where the page has this version already. */
  readonly messages: ChatMessage[] | null;
}
