/**
 * `resumeWorker`: goes on with suspended chats when their calls have an outcome, in any process with the
 * connection and the chats.
 *
 * Guarantees: nothing is kept beside the chats; one stream for all, and only the chat concerned is loaded; one
 * run at a time for each chat here. Another worker, or a page, may be at the same chat: the gate lets each call
 * run once.
 */
import { ConfigurationError } from "@guard/core";
import {
  checkToolOptions,
  type ResumeWorkerOptions as LoopOptions,
  type ResumeWorker,
  resumeLoop,
  resumeWorkerOptions,
  type WakeUp,
} from "@guard/core/plugin";
import type { ModelMessage, UIMessage } from "ai";
import { waitingIn } from "./history.ts";

/** A chat that may go on. */
export interface Wake<M> {
  /** The chat's id, as `suspendTools` was given it. */
  readonly session: string;
  readonly messages: readonly M[];
  /** For `resumeMessages(messages, suspended, { lost })`. */
  readonly lost: boolean;
  /** Why it was woken. It decides nothing: the gate reads the outcome again. */
  readonly wake: WakeUp;
}

export interface ResumeWorkerOptions<M extends ModelMessage | UIMessage> extends LoopOptions {
  /** As in every worker, but by default 5 minutes: a chat is stored once its model has ended. */
  readonly storedWithin?: number;
  /** The stored messages of a chat; null where there is no such chat here. */
  readonly load: (session: string) => Promise<readonly M[] | null> | readonly M[] | null;
  /**
   * Goes on with the chat: `resumeMessages`, then `generateText` or `streamText`, then store what came of it.
   * What it throws is tried again a few times.
   */
  readonly resume: (chat: Wake<M>) => Promise<void>;
}

/** @throws ConfigurationError */
export function resumeWorker<M extends ModelMessage | UIMessage>(
  options: ResumeWorkerOptions<M>,
): ResumeWorker {
  checkToolOptions("resumeWorker", options, { known: [...resumeWorkerOptions, "load", "resume"] });
  const { load, resume, ...loop } = options;
  for (const [name, given] of Object.entries({ load, resume })) {
    if (typeof given !== "function") {
      throw new ConfigurationError(
        `resumeWorker needs ${name}, a function: it is your application that has the chats.`,
      );
    }
  }
  return resumeLoop({
    // A chat is stored once the model has ended, which may be minutes after a tool has.
    storedWithin: 5 * 60_000,
    ...loop,
    async find(wake) {
      const { session, callId } = wake;
      if (session === null || callId === null) return null;
      const messages = await load(session);
      if (!messages || !waitingIn(messages).some(({ toolCallId }) => toolCallId === callId)) return null;
      return () => resume({ session, messages, lost: wake.state === "completed", wake });
    },
  });
}
