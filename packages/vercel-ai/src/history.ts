/**
 * Calls that wait, in saved messages of both kinds (`ModelMessage`, and the `UIMessage` of `useChat`), and the
 * messages with which the SDK goes on. Pure functions: what messages say about approvals is never believed here,
 * only replaced by what the gate said.
 */
import { canonicalJson, type Json } from "@guard/core";
import {
  type DynamicToolUIPart,
  getToolName,
  isToolUIPart,
  type ModelMessage,
  type ProviderMetadata,
  type ToolApprovalResponse,
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

/** What the gate says of a call that waited. */
export type Outcome =
  | { readonly approved: true; readonly args: Json }
  | { readonly approved: false; readonly reason: string };

export type Outcomes = ReadonlyMap<string, Outcome>;

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

/** Whether the call comes from the history, and not from the model just now. */
export function isInHistory(messages: readonly ModelMessage[], toolCallId: string): boolean {
  return messages.some(
    ({ role, content }) =>
      role === "assistant" &&
      typeof content !== "string" &&
      content.some((part) => part.type === "tool-call" && part.toolCallId === toolCallId),
  );
}

export function isUI(messages: readonly (ModelMessage | UIMessage)[]): messages is readonly UIMessage[] {
  return messages.every((message) => "parts" in message);
}

/** The calls of the last turn that wait. A run ends with the step in which a call waits, so no earlier one can. */
export function waitingIn(messages: readonly (ModelMessage | UIMessage)[]): readonly WaitingCall[] {
  return isUI(messages) ? waitingParts(messages) : waitingCalls(messages as readonly ModelMessage[]);
}

const lastTurn = (messages: readonly { readonly role: string }[]) =>
  messages.findLastIndex(({ role }) => role === "assistant");

/** What was said while the call waited moves before it: the SDK goes on with a turn only at the end. */
function atTheEnd<M extends { readonly role: string }>(messages: readonly M[], turn: number) {
  const after = messages.slice(turn + 1);
  return {
    before: [...messages.slice(0, turn), ...after.filter(({ role }) => role !== "tool")],
    results: after.filter(({ role }) => role === "tool"),
  };
}

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

function isWaiting(part: ToolPart) {
  return part.state === "approval-requested" || part.state === "approval-responded";
}

/** The messages with an answer for every call in `outcomes`; answers for other calls stay what they are. */
export function answered(
  messages: readonly (ModelMessage | UIMessage)[],
  outcomes: Outcomes,
): (ModelMessage | UIMessage)[] {
  const at = lastTurn(messages);
  return isUI(messages)
    ? answeredParts(messages, at, outcomes)
    : answeredCalls(messages as readonly ModelMessage[], at, outcomes);
}

function answeredCalls(messages: readonly ModelMessage[], at: number, outcomes: Outcomes): ModelMessage[] {
  const turn = messages[at];
  if (turn?.role !== "assistant" || typeof turn.content === "string") return [...messages];
  const own = new Set<string>();
  const signed = new Set<string>();
  const answers: ToolApprovalResponse[] = [];
  for (const part of turn.content) {
    if (part.type !== "tool-approval-request") continue;
    const outcome = outcomes.get(part.toolCallId);
    if (!outcome) continue;
    own.add(part.approvalId);
    if (part.signature !== undefined) signed.add(part.toolCallId);
    answers.push({ type: "tool-approval-response", approvalId: part.approvalId, ...answerOf(outcome) });
  }
  const edits = new Map<string, Edit>();
  for (const part of turn.content) {
    if (part.type !== "tool-call" || signed.has(part.toolCallId)) continue;
    const edit = editOf(part, outcomes.get(part.toolCallId));
    if (edit) edits.set(part.toolCallId, edit);
  }
  const content = turn.content.map((part) => {
    if (part.type !== "tool-call" && part.type !== "tool-approval-request") return part;
    const edit = edits.get(part.toolCallId);
    if (!edit) return part;
    if (part.type === "tool-call") return { ...part, input: edit.input, providerOptions: edit.options };
    const { inputSchemaInput: _before, ...request } = part;
    return request;
  });
  // The SDK looks for answers in the last message only.
  const { before, results } = atTheEnd(messages, at);
  const kept = results.flatMap((message): ModelMessage[] => {
    if (message.role !== "tool") return [];
    const rest = message.content.filter((part) => {
      if (part.type !== "tool-approval-response") return true;
      if (!own.has(part.approvalId)) answers.push(part);
      return false;
    });
    return rest.length === 0 ? [] : [{ ...message, content: rest }];
  });
  return [...before, { ...turn, content }, ...kept, { role: "tool", content: answers }];
}

function answeredParts(messages: readonly UIMessage[], at: number, outcomes: Outcomes): UIMessage[] {
  const turn = messages[at] as UIMessage;
  const parts = turn.parts.map((part): UIMessage["parts"][number] => {
    if (!isToolUIPart(part) || !isWaiting(part)) return part;
    const outcome = outcomes.get(part.toolCallId);
    if (!outcome || part.approval === undefined) return part;
    const { approved: _approved, reason: _reason, inputSchemaInput, ...request } = part.approval;
    const call = { input: part.input, providerOptions: part.callProviderMetadata };
    const edit = request.signature === undefined ? editOf(call, outcome) : null;
    const approval = {
      ...request,
      ...answerOf(outcome),
      ...(edit || inputSchemaInput === undefined ? {} : { inputSchemaInput }),
    };
    const shown = edit ? { input: edit.input, callProviderMetadata: edit.options } : {};
    return { ...part, ...shown, state: "approval-responded", approval } as typeof part;
  });
  return [...atTheEnd(messages, at).before, { ...turn, parts }];
}

function answerOf(outcome: Outcome) {
  return outcome.approved ? { approved: true } : { approved: false, reason: outcome.reason };
}

interface Edit {
  readonly input: Json;
  readonly options: ProviderMetadata;
}

/** What the history shows of a call that an approver edited: what runs, and beside it what was asked about. */
function editOf(call: Pick<AnyCall, "input" | "providerOptions">, outcome: Outcome | undefined): Edit | null {
  if (!outcome?.approved) return null;
  const { input: asked, rewritten } = askedOf(call);
  if (!rewritten && sameJson(outcome.args, asked)) return null;
  const options = { ...(call.providerOptions as ProviderMetadata | undefined), guard: { asked } };
  return { input: outcome.args, options: options as ProviderMetadata };
}

/** Members that are undefined do not count: they are not in what was asked either. */
export function sameJson(a: unknown, b: unknown): boolean {
  const text = (value: unknown) => canonicalJson(JSON.parse(JSON.stringify(value)));
  return text(a) === text(b);
}
