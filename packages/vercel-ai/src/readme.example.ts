// The README's way to suspend, as it stands there.
// README
import { resumeMessages, resumeWorker, suspendTools } from "@guard/vercel-ai";
import { generateText, isStepCount } from "ai";
// …
import type { Given } from "./readme.given.ts";

export function example({ guard, model, lookupOrder, refund, chats }: Given) {
  // README
  /** Goes on with a chat from its stored messages; does nothing while it waits for people. */
  async function turn(chatId: string, lost = false) {
    const suspended = suspendTools({ lookupOrder, refund }, { guard, session: chatId });
    const messages = await resumeMessages(await chats.load(chatId), suspended, { lost });
    if (messages === null) return;
    const { responseMessages } = await generateText({
      model,
      messages,
      ...suspended,
      stopWhen: isStepCount(10),
    });
    await chats.save(chatId, [...messages, ...responseMessages]);
  }

  // In this process or in another one: goes on with each chat whose calls have been answered.
  const worker = resumeWorker({
    guard,
    load: (chatId) => chats.load(chatId),
    resume: ({ session, lost }) => turn(session, lost),
  });
  // …
  return { turn, worker };
}
