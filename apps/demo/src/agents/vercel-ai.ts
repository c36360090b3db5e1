/**
 * The support agent with the Vercel AI SDK.
 *
 * Waiting, `guardTools` is all there is to it. Suspending, the conversation is stored when it ends or has to wait,
 * as any chat application stores it, and `resumeWorker` goes on with it.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { guardTools, resumeMessages, resumeWorker, suspendTools } from "@guard/vercel-ai";
import { generateText, isStepCount, type ModelMessage, type ToolSet, tool } from "ai";
import { scriptedModel } from "../models/ai-sdk.ts";
import { instructions, type SupportAgent, type SupportAgentOptions } from "./support-agent.ts";

export function supportAgent(options: SupportAgentOptions): SupportAgent {
  const { guard, suspend, reply } = options;
  const chats = chatsIn(join(options.directory, "chats"));
  const tools: ToolSet = Object.fromEntries(
    Object.entries(options.tools).map(([name, { description, inputSchema, run }]) => [
      name,
      tool({ description, inputSchema, execute: async (args, { toolCallId }) => run(args, toolCallId) }),
    ]),
  );

  const answer = (messages: ModelMessage[], guarded: { tools: ToolSet }) =>
    generateText({
      model: options.model ?? scriptedModel(),
      instructions,
      messages,
      ...guarded,
      stopWhen: isStepCount(8),
      maxRetries: 0,
    });

  /** Goes on with a chat until it ends or has to wait, and stores it. */
  async function goOn(session: string, stored: readonly ModelMessage[], lost = false): Promise<void> {
    const suspended = suspendTools(tools, { guard, session });
    const messages = await resumeMessages(stored, suspended, { lost });
    if (messages === null) return;
    const { responseMessages, finishReason, text } = await answer(messages, suspended);
    chats.save(session, [...messages, ...responseMessages]);
    if (finishReason !== "tool-calls") reply(session, text);
  }

  return {
    async work({ id, text: prompt }) {
      const messages: ModelMessage[] = [{ role: "user", content: prompt }];
      if (suspend) return goOn(id, messages);
      const { text } = await answer(messages, { tools: guardTools(tools, { guard, session: id }) });
      reply(id, text);
    },

    async resume() {
      const worker = resumeWorker({
        guard,
        concurrency: 1, // One after another, for whoever watches.
        load: chats.load,
        resume: ({ session, messages, lost }) => goOn(session, messages, lost),
      });
      await worker.idle(); // A server would let it run on.
      await worker.close();
    },
  };
}

/** Chats as an application keeps them, here each in a file. */
function chatsIn(directory: string) {
  mkdirSync(directory, { recursive: true });
  const fileOf = (session: string) => join(directory, `${session}.json`);
  return {
    load(session: string): ModelMessage[] | null {
      const file = fileOf(session);
      return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null;
    },
    save(session: string, messages: readonly ModelMessage[]): void {
      writeFileSync(fileOf(session), JSON.stringify(messages));
    },
  };
}
