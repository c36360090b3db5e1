/** A model of LangChain that follows a script by what it was given, so that it is the same in every process. */
import type { Json } from "@guard/core";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import {
  AIMessage,
  type BaseMessage,
  HumanMessage,
  isAIMessage,
  isToolMessage,
  ToolMessage,
} from "@langchain/core/messages";
import type { ChatResult } from "@langchain/core/outputs";
import type { Call, Setup, Transcript, Turn } from "../subject.ts";

interface Fields {
  readonly script: readonly Turn[];
  readonly prompts: Transcript[];
  readonly onArgs?: Setup["onArgs"];
}

export class ScriptedChatModel extends BaseChatModel {
  readonly #fields: Fields;

  constructor(fields: Fields) {
    super({});
    this.#fields = fields;
  }

  override _llmType(): string {
    return "scripted";
  }

  override bindTools(): this {
    return this;
  }

  override async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const { script, prompts, onArgs } = this.#fields;
    prompts.push(transcriptOf(messages));
    const turn = script[messages.filter((message) => isAIMessage(message)).length];
    if (turn === undefined) throw new Error("The model was asked for a turn that the script does not have.");
    const message = typeof turn === "string" ? new AIMessage(turn) : calling(turn);
    for (const { args } of message.tool_calls ?? []) onArgs?.(args as Record<string, Json>);
    return { generations: [{ text: message.text, message }] };
  }
}

function calling(calls: readonly Call[]): AIMessage {
  return new AIMessage({
    content: "",
    tool_calls: calls.map(({ id, tool: name, args }) => ({
      id,
      name,
      args: structuredClone(args) as Record<string, unknown>,
      type: "tool_call" as const,
    })),
  });
}

/** What a run begins with: what was asked, and calls that a client says were approved and made. */
export function firstMessages(claims: readonly Call[] = []): BaseMessage[] {
  const asked = new HumanMessage("go");
  if (claims.length === 0) return [asked];
  const results = claims.map(
    ({ id, tool: name }) =>
      new ToolMessage({ content: "approved", tool_call_id: id, name, status: "success" }),
  );
  return [asked, calling(claims), ...results];
}

export function transcriptOf(messages: readonly BaseMessage[]): Transcript {
  const last = messages.at(-1);
  return {
    calls: messages.flatMap((message) =>
      isAIMessage(message)
        ? (message.tool_calls ?? []).map(({ id = "", name: tool, args }) => ({
            id,
            tool,
            args: args as Json,
          }))
        : [],
    ),
    results: messages
      .filter((message) => isToolMessage(message))
      .map(({ tool_call_id: id, status, text }) => ({
        id,
        kind: status === "error" ? ("error" as const) : ("result" as const),
        text,
      })),
    text: last !== undefined && isAIMessage(last) ? last.text : null,
  };
}
