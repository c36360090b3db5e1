// A model whose answers are written down: text, or tool calls.

import { simulateReadableStream } from "ai";
import { MockLanguageModelV4 } from "ai/test";

export interface Call {
  readonly id: string;
  readonly tool: string;
  readonly input: unknown;
}

type Generated = Awaited<ReturnType<MockLanguageModelV4["doGenerate"]>>;
type Streamed = Awaited<ReturnType<MockLanguageModelV4["doStream"]>>;
type Part = Streamed["stream"] extends ReadableStream<infer P> ? P : never;

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};

/** Throws where it is asked more often than the script says. */
export function scripted(script: readonly (string | readonly Call[])[]): MockLanguageModelV4 {
  let step = 0;
  const next = (): Pick<Generated, "content" | "finishReason"> => {
    const entry = script[step++];
    if (entry === undefined) throw new Error("The model was called more often than the script says.");
    return typeof entry === "string"
      ? { content: [{ type: "text", text: entry }], finishReason: { unified: "stop", raw: undefined } }
      : {
          content: entry.map(({ id, tool, input }) => ({
            type: "tool-call",
            toolCallId: id,
            toolName: tool,
            input: JSON.stringify(input),
          })),
          finishReason: { unified: "tool-calls", raw: undefined },
        };
  };
  return new MockLanguageModelV4({
    doGenerate: async () => ({ ...next(), usage, warnings: [] }),
    doStream: async () => {
      const { content, finishReason } = next();
      const parts = content.flatMap((part): Part[] =>
        part.type === "text"
          ? [
              { type: "text-start", id: "t" },
              { type: "text-delta", id: "t", delta: part.text },
              { type: "text-end", id: "t" },
            ]
          : [part as Part],
      );
      const chunks: Part[] = [
        { type: "stream-start", warnings: [] },
        ...parts,
        { type: "finish", finishReason, usage },
      ];
      return { stream: simulateReadableStream({ chunks, chunkDelayInMs: null, initialDelayInMs: null }) };
    },
  });
}

/** What the model was told last, as text. */
export function heard(model: MockLanguageModelV4): string {
  const call = [...model.doGenerateCalls, ...model.doStreamCalls].at(-1);
  return JSON.stringify(call?.prompt.filter(({ role }) => role === "tool") ?? []);
}
