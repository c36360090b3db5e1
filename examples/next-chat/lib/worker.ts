/** Goes on with chats whose tool calls have been decided, whether or not somebody has a page open. */
import { resumeWorker } from "@guard/vercel-ai";
import { chatIdSchema, loadChat } from "./chats.ts";
import { guard } from "./guard.ts";
import type { ChatMessage } from "./message.ts";
import { once } from "./once.ts";
import { goOn } from "./turn.ts";

export const startWorker = () =>
  once("worker", () =>
    resumeWorker<ChatMessage>({
      guard: guard(),
      load: async (chat) => (chatIdSchema.safeParse(chat).success ? (await loadChat(chat)).messages : null),
      resume: ({ session, messages, lost }) => goOn(session, messages, lost),
    }),
  );
