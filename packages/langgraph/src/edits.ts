/**
 * The history after an approver's edit: the AI message says what ran, not what the model asked for first.
 *
 * Guarantee: every place in which a message holds a call's arguments is changed, also the copies that providers
 * keep beside `tool_calls` and send back to the model, so that no two of them disagree.
 */
import { canonicalJson, type Json } from "@guard/core";
import { AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import type { ToolCall } from "@langchain/core/messages/tool";
import { type Command, isCommand } from "@langchain/langgraph";

type Members = Readonly<Record<string, unknown>>;

/** `message` with the arguments of the calls in `edits` (by call id). It keeps its id, so it takes the old one's place. */
export function withEdits(message: AIMessage, edits: ReadonlyMap<string, Json>): AIMessage {
  const { content, additional_kwargs, response_metadata, tool_calls = [] } = message;
  const edited = (id: unknown) => (typeof id === "string" ? edits.get(id) : undefined);
  /** Each member of a list that is about an edited call, changed. */
  const each = (list: unknown, id: string, change: (item: Members, args: Json) => object): unknown =>
    Array.isArray(list)
      ? list.map((item: Members | null) => {
          const args = edited(item?.[id]);
          return item === null || args === undefined ? item : { ...item, ...change(item, args) };
        })
      : list;
  const replaced = (of: Members, name: string, list: unknown) =>
    of[name] === undefined ? of : { ...of, [name]: list };
  return new AIMessage({
    ...(message.id === undefined ? {} : { id: message.id }),
    ...(message.name === undefined ? {} : { name: message.name }),
    ...(message.usage_metadata === undefined ? {} : { usage_metadata: message.usage_metadata }),
    invalid_tool_calls: message.invalid_tool_calls ?? [],
    tool_calls: tool_calls.map((call) => {
      const args = edited(call.id);
      return args === undefined ? call : { ...call, args: args as Record<string, unknown> };
    }),
    // Anthropic's blocks say "input", LangChain's own say "args".
    content: each(content, "id", (block, args) =>
      "input" in block ? { input: args } : { args },
    ) as AIMessage["content"],
    // OpenAI's two interfaces keep the arguments as text.
    additional_kwargs: replaced(
      additional_kwargs,
      "tool_calls",
      each(additional_kwargs.tool_calls, "id", (call, args) => ({
        function: { ...(call.function as object), arguments: JSON.stringify(args) },
      })),
    ),
    response_metadata: replaced(
      response_metadata,
      "output",
      each(response_metadata.output, "call_id", (_item, args) => ({ arguments: JSON.stringify(args) })),
    ),
  });
}

const mark = "guard_edited";

/**
 * Notes, at the message with a call's result, which arguments ran. The calls of a turn end each for itself: were
 * each to write the AI message that holds them all, the last would undo what the others wrote.
 */
export function markEdit<T extends ToolMessage | Command>(output: T, call: ToolCall, args: Json): T {
  for (const message of resultsIn(output)) {
    if (message.tool_call_id === call.id)
      message.additional_kwargs = { ...message.additional_kwargs, [mark]: args };
  }
  return output;
}

function resultsIn(output: ToolMessage | Command): ToolMessage[] {
  if (!isCommand(output)) return [output];
  const { messages } = (output.update ?? {}) as { messages?: unknown };
  return Array.isArray(messages) ? messages.filter(ToolMessage.isInstance) : [];
}

/** The update by which the turn that `messages` end with shows what ran; undefined where it does already. */
export function rewriteEdits(messages: readonly BaseMessage[]): { messages: BaseMessage[] } | undefined {
  const at = messages.findLastIndex((message) => AIMessage.isInstance(message));
  const turn = messages[at];
  if (!AIMessage.isInstance(turn) || turn.id === undefined) return undefined;
  const edits = new Map<string, Json>();
  for (const message of messages.slice(at + 1)) {
    if (!ToolMessage.isInstance(message) || message.additional_kwargs[mark] === undefined) continue;
    const args = message.additional_kwargs[mark] as Json;
    const call = turn.tool_calls?.find(({ id }) => id === message.tool_call_id);
    if (call && canonicalJson(call.args) !== canonicalJson(args)) edits.set(message.tool_call_id, args);
  }
  return edits.size === 0 ? undefined : { messages: [withEdits(turn, edits)] };
}
