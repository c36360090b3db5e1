/** A model whose every run calls the tool `lookup` once and then ends: for each framework's own kind of model. */
import { AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import { MockLanguageModelV4 } from "ai/test";

export const turnOf = (n: number) => ({ id: `call-${n}`, tool: "lookup", args: { order: `A-${n}` } });

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};

/** For the AI SDK and Mastra. */
export function languageModel(): MockLanguageModelV4 {
  let calls = 0;
  return new MockLanguageModelV4({
    async doGenerate({ prompt }) {
      const ended = prompt.at(-1)?.role === "tool";
      const { id, tool, args } = turnOf(calls++);
      return {
        content: ended
          ? [{ type: "text", text: "done" }]
          : [{ type: "tool-call", toolCallId: id, toolName: tool, input: JSON.stringify(args) }],
        finishReason: { unified: ended ? "stop" : "tool-calls", raw: undefined },
        usage,
        warnings: [],
      };
    },
  });
}

/** For LangGraph: a model node. */
export function modelNode() {
  let calls = 0;
  return async ({ messages }: { messages: BaseMessage[] }) => {
    if (ToolMessage.isInstance(messages.at(-1))) return { messages: [new AIMessage("done")] };
    const { id, tool: name, args } = turnOf(calls++);
    return {
      messages: [new AIMessage({ content: "", tool_calls: [{ id, name, args, type: "tool_call" }] })],
    };
  };
}
