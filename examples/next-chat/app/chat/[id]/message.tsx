/** One message: its text, its tool calls, and for each call that was asked whom it waits for. */
import type { GuardPending } from "@guard/vercel-ai";
import { isStaticToolUIPart } from "ai";
import type { ChatMessage } from "../../../lib/message.ts";
import { ToolCard } from "./tool-card.tsx";

export function Message({ message }: { message: ChatMessage }) {
  const waiting = new Map<string, GuardPending>();
  for (const part of message.parts) {
    if (part.type === "data-guard-pending") waiting.set(part.data.toolCallId, part.data);
  }
  return (
    <article className={message.role}>
      {message.parts.map((part, index) => {
        // Parts are only ever added at the end.
        const key = `${message.id}-${index}`;
        if (part.type === "text") return <p key={key}>{part.text}</p>;
        if (isStaticToolUIPart(part))
          return <ToolCard key={key} part={part} waiting={waiting.get(part.toolCallId)} />;
        return null;
      })}
    </article>
  );
}
