/**
 * A turn of the agent: from what the server has of a chat to what it has afterwards. It begins when the user wrote,
 * and goes on when a person has decided; a turn that waits for a person is saved like one that ended.
 */
import { type GuardPending, resumeMessages, suspendTools, writePending } from "@guard/vercel-ai";
import {
  consumeStream,
  convertToModelMessages,
  createUIMessageStream,
  generateId,
  isStepCount,
  streamText,
  toUIMessageStream,
  type UIMessageChunk,
} from "ai";
import { isWaiting, loadChat, saveChat } from "./chats.ts";
import { guard } from "./guard.ts";
import type { ChatMessage } from "./message.ts";
import { scriptedModel } from "./model.ts";
import { once } from "./once.ts";
import { tools } from "./tools.ts";

// A real model goes here: const model = anthropic("claude-sonnet-5");
const model = scriptedModel;

const running = once("running", () => new Set<string>());

export function isRunning(chat: string): boolean {
  return running.has(chat);
}

/** The tools, with the guard before each. A signed-in user who must not approve their own refund is the `requester`. */
function guarded(chat: string, onPending?: (pending: GuardPending) => void) {
  return suspendTools(tools, {
    guard: guard(),
    session: chat,
    facts: {
      refund: ({ order, amount }) => ({
        title: `Refund ${amount} on order ${order}`,
        risk: amount > 1000 ? "high" : "medium",
      }),
    },
    ...(onPending && { onPending }),
  });
}

/** Answers the user, as a stream that the caller reads to its end. Null where the chat is busy. */
export async function answer(chat: string, text: string): Promise<ReadableStream<UIMessageChunk> | null> {
  if (running.has(chat)) return null;
  running.add(chat);
  try {
    const { messages } = await loadChat(chat);
    if (isWaiting(messages)) return leave(chat);
    const said: ChatMessage = { id: generateId(), role: "user", parts: [{ type: "text", text }] };
    await saveChat(chat, [...messages, said]);
    return turn(chat, [...messages, said]);
  } catch (error) {
    leave(chat);
    throw error;
  }
}

/** Goes on with a turn that waited, where everybody has decided. Whether they have is read from the gate. */
export async function goOn(chat: string, messages: readonly ChatMessage[], lost: boolean): Promise<void> {
  const decided = await resumeMessages(messages, guarded(chat), { lost });
  if (decided === null) return;
  running.add(chat);
  await consumeStream({ stream: turn(chat, decided) });
}

function turn(chat: string, messages: ChatMessage[]): ReadableStream<UIMessageChunk> {
  let failed = false;
  return createUIMessageStream<ChatMessage>({
    originalMessages: messages,
    generateId,
    async execute({ writer }) {
      const result = streamText({
        model,
        ...guarded(chat, writePending(writer)),
        messages: await convertToModelMessages(messages),
        stopWhen: isStepCount(10),
        onError({ error }) {
          failed = true;
          console.error(error);
        },
      });
      writer.merge(toUIMessageStream({ stream: result.stream, originalMessages: messages }));
    },
    async onEnd({ messages }) {
      try {
        // A turn that failed leaves nothing behind: what waited in it still waits.
        if (!failed) await saveChat(chat, messages);
      } finally {
        leave(chat);
      }
    },
  });
}

function leave(chat: string): null {
  running.delete(chat);
  return null;
}
