import { isWaiting, loadChat } from "./chats.ts";
import type { ChatView } from "./message.ts";
import { isRunning } from "./turn.ts";

/** What a page shows of a chat; `seen` is the version that it has. */
export async function viewOf(id: string, seen: number | null): Promise<ChatView> {
  // First, because a turn is saved before it counts as ended.
  const running = isRunning(id);
  const { version, messages } = await loadChat(id);
  return { version, busy: running || isWaiting(messages), messages: seen === version ? null : messages };
}
