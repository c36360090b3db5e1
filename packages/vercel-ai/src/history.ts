/**
 * Reads saved messages of both kinds (`ModelMessage`, and the `UIMessage` of `useChat`): which calls wait in them,
 * and what was asked about those. What messages say about approvals is believed nowhere.
 */
import { canonicalJson } from "@guard/core";
import {
  type DynamicToolUIPart,
  getToolName,
  isToolUIPart,
  type ModelMessage,
  type ToolUIPart,
  type UIMessage,
} from "ai";

/** A tool call, as far as the guard looks at it. */
export interface AnyCall {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly input: unknown;
  readonly providerOptions?: unknown;
}

/** A call that was put to approvers and has no result in the messages. */
export interface WaitingCall extends AnyCall {
  /** Whether the messages hold an answer: of use only for calls that are not the guard's. */
  readonly answered: boolean;
}

type ToolPart = ToolUIPart | DynamicToolUIPart;
type Options = { readonly guard?: { readonly asked?: unknown } } | undefined;

/**
 * What approvers were asked about, where the input in the history was rewritten to what they made of it. A forged
 * one only asks for what nobody approved.
 */
export function askedOf({ input, providerOptions }: Pick<AnyCall, "input" | "providerOptions">) {
  const own = (providerOptions as Options)?.guard;
  return own && Object.hasOwn(own, "asked")
    ? { input: own.asked, rewritten: true }
    : { input, rewritten: false };
}

/** Whether the call comes from the history, where it waits, and not from the model just now. */
export function isInHistory(messages: readonly ModelMessage[], toolCallId: string): boolean {
  const has = (type: "tool-call" | "tool-result") =>
    messages.some(
      ({ content }) =>
        typeof content !== "string" &&
        content.some((part) => part.type === type && part.toolCallId === toolCallId),
    );
  return has("tool-call") && !has("tool-result");
}

export function isUI(messages: readonly (ModelMessage | UIMessage)[]): messages is readonly UIMessage[] {
  return messages.every((message) => "parts" in message);
}

/** The calls of the last turn that wait. A run ends with the step in which a call waits, so no earlier one can. */
export function waitingIn(messages: readonly (ModelMessage | UIMessage)[]): readonly WaitingCall[] {
  return isUI(messages) ? waitingParts(messages) : waitingCalls(messages as readonly ModelMessage[]);
}

export const lastTurn = (messages: readonly { readonly role: string }[]) =>
  messages.findLastIndex(({ role }) => role === "assistant");

function waitingCalls(messages: readonly ModelMessage[]): readonly WaitingCall[] {
  const at = lastTurn(messages);
  const content = messages[at]?.content;
  if (content === undefined || typeof content === "string") return [];
  const after = messages.slice(at + 1).flatMap((message) => (message.role === "tool" ? message.content : []));
  const parts = [...content, ...after];
  const requests = new Map<string, string>();
  const finished = new Set<string>();
  const answered = new Set<string>();
  for (const part of parts) {
    if (part.type === "tool-approval-request") requests.set(part.toolCallId, part.approvalId);
    if (part.type === "tool-approval-response") answered.add(part.approvalId);
    if (part.type === "tool-result") finished.add(part.toolCallId);
  }
  return parts.flatMap((part) => {
    if (part.type !== "tool-call" || finished.has(part.toolCallId)) return [];
    const approval = requests.get(part.toolCallId);
    return approval === undefined ? [] : [{ ...part, answered: answered.has(approval) }];
  });
}

function waitingParts(messages: readonly UIMessage[]): readonly WaitingCall[] {
  return (messages[lastTurn(messages)]?.parts ?? []).flatMap((part) => {
    if (!isToolUIPart(part) || !isWaiting(part)) return [];
    const { toolCallId, input, callProviderMetadata: providerOptions } = part;
    const answered = part.state === "approval-responded";
    return [{ toolCallId, toolName: getToolName(part), input, providerOptions, answered }];
  });
}

export function isWaiting(part: ToolPart) {
  return part.state === "approval-requested" || part.state === "approval-responded";
}

/** As the gate reads arguments: members that are undefined do not count, and none at all are an empty object. */
export function sameJson(a: unknown, b: unknown): boolean {
  const text = (value: unknown) => canonicalJson(JSON.parse(JSON.stringify(value ?? {})));
  return text(a) === text(b);
}
