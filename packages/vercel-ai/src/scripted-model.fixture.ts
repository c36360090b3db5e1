// A model whose answers are written down: text, or tool calls.

import type { LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { simulateReadableStream } from "ai";
import { MockLanguageModelV4 } from "ai/test";

export interface Call {
  readonly id: string;
  readonly tool: string;
  readonly input: unknown;
}

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};

export function scripted(script: readonly (string | readonly Call[])[]): MockLanguageModelV4 {
  let step = 0;
  const next = () => {
    const entry = script[step++];
    if (entry === undefined) throw new Error("The model was called more often than the script says.");
    return typeof entry === "string"
      ? { content: [{ type: "text" as const, text: entry }], reason: "stop" as const }
      : {
          content: entry.map(({ id, tool, input }) => ({
            type: "tool-call" as const,
            toolCallId: id,
            toolName: tool,
            input: JSON.stringify(input),
          })),
          reason: "tool-calls" as const,
        };
  };
  return new MockLanguageModelV4({
    doGenerate: async () => {
      const { content, reason } = next();
      return { content, finishReason: { unified: reason, raw: undefined }, usage, warnings: [] };
    },
    doStream: async () => {
      const { content, reason } = next();
      const parts: LanguageModelV4StreamPart[] = content.flatMap((part): LanguageModelV4StreamPart[] =>
        part.type === "text"
          ? [
              { type: "text-start" as const, id: "t" },
              { type: "text-delta" as const, id: "t", delta: part.text },
              { type: "text-end" as const, id: "t" },
            ]
          : [part],
      );
      const finish = { type: "finish" as const, finishReason: { unified: reason, raw: undefined }, usage };
      const chunks: LanguageModelV4StreamPart[] = [
        { type: "stream-start" as const, warnings: [] },
        ...parts,
        finish,
      ];
      return { stream: simulateReadableStream({ chunks, chunkDelayInMs: 1, initialDelayInMs: 0 }) };
    },
  });
}
