/**
 * The AI message that holds a call: what tells its call from one of another turn, and, where an approver edited
 * arguments, what the history shows afterwards.
 */
import { canonicalJson, type Json } from "@guard/core";
import { type AIMessage, isAIMessage, isBaseMessage } from "@langchain/core/messages";
import type { ToolCall } from "@langchain/core/messages/tool";
import { withEdits } from "./edits.ts";

/** Where a call stands. */
export interface Place {
  /** The id of its AI message, which its reducer gave it; undefined where the state keeps messages without ids. */
  readonly message: string | undefined;
  /** The call's id, made unique where a model gave none, or one twice. */
  readonly id: string;
}

/** The last AI message of a tool node's input: a list of messages, or a state that has one. */
export function lastAiMessage(input: unknown): AIMessage | undefined {
  const messages = Array.isArray(input) ? input : (input as { messages?: unknown } | null)?.messages;
  if (!Array.isArray(messages)) return undefined;
  return messages.filter(isBaseMessage).findLast(isAIMessage);
}

export function placeOf(call: ToolCall, input: unknown): Place {
  const message = lastAiMessage(input);
  const calls = message?.tool_calls ?? [];
  const at = calls.findIndex((each) => each === call || (each.id !== undefined && each.id === call.id));
  const own = calls.indexOf(call);
  const usual = call.id !== undefined && (own === -1 || own === at);
  return {
    message: at === -1 ? undefined : message?.id,
    id: usual ? (call.id as string) : `${call.id ?? ""}#${own}`,
  };
}

/**
 * The AI message with the arguments that ran, under its own id, so that the reducer puts it in the old one's
 * place; null where it has no id to be found by.
 */
export function rewritten(input: unknown, edits: ReadonlyMap<string, Json>): AIMessage | null {
  const message = lastAiMessage(input);
  // Where LangGraph sends each call to a node of its own, none of them may replace what all share.
  const alone = typeof input === "object" && input !== null && "lg_tool_call" in input;
  return message?.id === undefined || edits.size === 0 || alone ? null : withEdits(message, edits);
}

/** What ran, where it is not what was asked. */
export function editedArgs(asked: unknown, ran: Json): Json | undefined {
  return canonicalJson(JSON.parse(JSON.stringify(asked)) as Json) === canonicalJson(ran) ? undefined : ran;
}
