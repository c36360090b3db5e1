/** The scripted model as LangChain's kind of model. */
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage, type BaseMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import type { ChatResult } from "@langchain/core/outputs";
import { nextTurn } from "./script.ts";

export class ScriptedModel extends BaseChatModel {
  constructor() {
    super({});
  }

  override _llmType(): string {
    return "scripted";
  }

  /** It knows its tools from the script. */
  override bindTools(): this {
    return this;
  }

  override async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const last = messages.findLastIndex((message) => AIMessage.isInstance(message));
    const { calls, text } = nextTurn({
      ticket: messages.find((message) => HumanMessage.isInstance(message))?.text ?? "",
      turns: messages.filter((message) => AIMessage.isInstance(message)).length,
      results: messages
        .slice(last + 1)
        .filter((message) => ToolMessage.isInstance(message))
        .map((message) => ({ text: message.text, refused: message.status === "error" })),
    });
    const tool_calls = calls.map(({ id, tool, args }) => ({
      type: "tool_call" as const,
      id,
      name: tool,
      args,
    }));
    return { generations: [{ text, message: new AIMessage({ content: text, tool_calls }) }] };
  }
}
