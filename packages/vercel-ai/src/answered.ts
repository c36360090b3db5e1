/**
 * The messages with which the SDK goes on: each call that waited has the gate's answer, whatever the messages said
 * before, and shows what runs where an approver edited it. Pure functions.
 */
import type { Json } from "@guard/core";
import {
  isToolUIPart,
  type ModelMessage,
  type ProviderMetadata,
  type ToolApprovalResponse,
  type UIMessage,
} from "ai";
import { type AnyCall, askedOf, isUI, isWaiting, lastTurn, sameJson, waitingIn } from "./history.ts";

/** What the gate says of a call that waited. */
export type Outcome =
  | { readonly approved: true; readonly args: Json }
  | { readonly approved: false; readonly reason: string };

export type Outcomes = ReadonlyMap<string, Outcome>;

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
  const waiting = new Set(waitingIn(messages).map(({ toolCallId }) => toolCallId));
  const own = new Set<string>();
  const others = new Set<string>();
  const signed = new Set<string>();
  const answers: ToolApprovalResponse[] = [];
  for (const part of turn.content) {
    if (part.type !== "tool-approval-request" || !waiting.has(part.toolCallId)) continue;
    const outcome = outcomes.get(part.toolCallId);
    if (!outcome) {
      others.add(part.approvalId);
      continue;
    }
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
  // The SDK looks for answers in the last message only, and runs again what it finds approved there.
  const { before, results } = atTheEnd(messages, at);
  const kept = results.flatMap((message): ModelMessage[] => {
    if (message.role !== "tool") return [];
    const rest = message.content.filter((part) => {
      if (part.type !== "tool-approval-response") return true;
      if (others.has(part.approvalId)) answers.push(part);
      return !others.has(part.approvalId) && !own.has(part.approvalId);
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

/** What was said while the call waited moves before it: the SDK goes on with a turn only at the end. */
function atTheEnd<M extends { readonly role: string }>(messages: readonly M[], turn: number) {
  const after = messages.slice(turn + 1);
  return {
    before: [...messages.slice(0, turn), ...after.filter(({ role }) => role !== "tool")],
    results: after.filter(({ role }) => role === "tool"),
  };
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
