/** A model whose every run calls the tool `lookup` once and then ends: for each framework's own kind of model. */
import { AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import { simulateReadableStream } from "ai";
import { MockLanguageModelV4 } from "ai/test";

export const turnOf = (n: number) => ({ id: `call-${n}`, tool: "lookup", args: { order: `A-${n}` } });

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};

/** For the AI SDK and Mastra. */
export function languageModel(): MockLanguageModelV4 {
  let calls = 0;
  const next = (prompt: readonly { readonly role: string }[]) => {
    const ended = prompt.at(-1)?.role === "tool";
    const { id, tool, args } = turnOf(calls++);
    const call = { type: "tool-call" as const, toolCallId: id, toolName: tool, input: JSON.stringify(args) };
    const reason = { unified: ended ? ("stop" as const) : ("tool-calls" as const), raw: undefined };
    return { call: ended ? null : call, reason };
  };
  return new MockLanguageModelV4({
    async doGenerate({ prompt }) {
      const { call, reason } = next(prompt);
      const content = [call ?? { type: "text" as const, text: "done" }];
      return { content, finishReason: reason, usage, warnings: [] };
    },
    async doStream({ prompt }) {
      const { call, reason } = next(prompt);
      const text = [
        { type: "text-start" as const, id: "t" },
        { type: "text-delta" as const, id: "t", delta: "done" },
        { type: "text-end" as const, id: "t" },
      ];
      const finish = { type: "finish" as const, finishReason: reason, usage };
      const start = { type: "stream-start" as const, warnings: [] };
      const chunks = [start, ...(call ? [call] : text), finish];
      return { stream: simulateReadableStream({ chunks, chunkDelayInMs: null, initialDelayInMs: null }) };
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
