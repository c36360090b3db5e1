/**
 * `resumeMessages`: the saved messages with which a suspended chat goes on.
 *
 * Guarantees: what happened to a call is read from the gate, never from the messages (forged-history); all calls
 * that wait are answered, or none (the SDK would run the answered ones and then lose their results: sibling-loss);
 * each by its own id and digest (positional-mismatch). What is answered here runs nothing yet: the gate looks
 * again when the SDK runs the call.
 */
import { ConfigurationError } from "@guard/core";
import { refusalOf } from "@guard/core/plugin";
import type { ModelMessage, ToolSet, UIMessage } from "ai";
import { answered, type Outcome } from "./answered.ts";
import { askedOf, type WaitingCall, waitingIn } from "./history.ts";
import { askOf } from "./suspend-tools.ts";

export interface ResumeMessagesOptions {
  /**
   * Whether a call that has run, and whose result is not in the messages, counts as lost, so that the chat goes on
   * without it. A `resumeWorker` says so once the result had time to be stored. Default false: somebody else is
   * about to store it, so there is nothing to go on with.
   */
  readonly lost?: boolean;
}

/**
 * The messages to go on with, or null where there is nothing to do now: while a call waits for people, or runs in
 * another process. Messages in which nothing waits come back as they are, so it can stand before every call.
 *
 * Takes `ModelMessage`s and `UIMessage`s; whatever answers they hold are replaced by what the gate says.
 *
 * @example
 * const suspended = suspendTools(tools, { guard, session });
 * const messages = await resumeMessages(await chats.load(session), suspended);
 * if (messages !== null) await generateText({ model, messages, ...suspended });
 * @throws GuardError where the relay cannot be asked now: nothing was changed, try again later.
 */
export async function resumeMessages<M extends ModelMessage | UIMessage>(
  messages: readonly M[],
  suspended: { readonly tools: ToolSet },
  { lost = false }: ResumeMessagesOptions = {},
): Promise<M[] | null> {
  const { tools } = suspended;
  if (!Object.values(tools).some((tool) => askOf(tool) !== undefined)) {
    throw new ConfigurationError(
      "resumeMessages needs what suspendTools returned, with at least one guarded tool.",
    );
  }
  const waiting = waitingIn(messages);
  if (waiting.length === 0) return [...messages];
  const found = await Promise.all(
    waiting.map(async (call) => [call.toolCallId, await outcomeOf(call, tools, lost)] as const),
  );
  const outcomes = new Map<string, Outcome>();
  for (const [id, outcome] of found) {
    if (outcome === "open") return null;
    if (outcome !== "not ours") outcomes.set(id, outcome);
  }
  return answered(messages, outcomes) as M[];
}

async function outcomeOf(
  call: WaitingCall,
  tools: ToolSet,
  lost: boolean,
): Promise<Outcome | "open" | "not ours"> {
  const { toolName, toolCallId } = call;
  const ask = Object.hasOwn(tools, toolName) ? askOf(tools[toolName]) : undefined;
  if (!ask) return call.answered ? "not ours" : "open";
  const check = await ask(askedOf(call).input, toolCallId);
  if (check.status === "pending") return "open";
  if (check.status === "ready") return { approved: true, args: check.args };
  const { error } = check;
  // These are about this process and its way to the relay, and not about the call.
  if (["unavailable", "rate_limited", "clock_skew", "configuration"].includes(error.code)) throw error;
  if (error.code === "in_progress" || (error.code === "already_executed" && !lost)) return "open";
  return { approved: false, reason: refusalOf(error) };
}
