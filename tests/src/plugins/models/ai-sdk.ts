/** A model of the AI SDK that follows a script by what it was given, so that it is the same in every process. */

import type { Json } from "@guard/core";
import { simulateReadableStream } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import type { Call, Result, Transcript, Turn } from "../subject.ts";

type Prompt = MockLanguageModelV4["doGenerateCalls"][number]["prompt"];
type StreamPart =
  Awaited<ReturnType<MockLanguageModelV4["doStream"]>>["stream"] extends ReadableStream<infer P> ? P : never;
type Output = Extract<
  Extract<Prompt[number], { role: "tool" }>["content"][number],
  { type: "tool-result" }
>["output"];

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};

export function aiSdkModel(script: readonly Turn[], prompts: Transcript[]): MockLanguageModelV4 {
  function next(prompt: Prompt) {
    prompts.push(transcriptOf(prompt));
    const turn = script[prompt.filter(({ role }) => role === "assistant").length];
    if (turn === undefined) throw new Error("The model was asked for a turn that the script does not have.");
    return typeof turn === "string"
      ? { content: [{ type: "text" as const, text: turn }], reason: "stop" as const }
      : {
          content: turn.map(({ id, tool, args }) => ({
            type: "tool-call" as const,
            toolCallId: id,
            toolName: tool,
            input: JSON.stringify(args),
          })),
          reason: "tool-calls" as const,
        };
  }
  return new MockLanguageModelV4({
    doGenerate: async ({ prompt }) => {
      const { content, reason } = next(prompt);
      return { content, finishReason: { unified: reason, raw: undefined }, usage, warnings: [] };
    },
    doStream: async ({ prompt }) => {
      const { content, reason } = next(prompt);
      const parts = content.flatMap((part): StreamPart[] =>
        part.type === "text"
          ? [
              { type: "text-start", id: "t" },
              { type: "text-delta", id: "t", delta: part.text },
              { type: "text-end", id: "t" },
            ]
          : [part],
      );
      const chunks: StreamPart[] = [
        { type: "stream-start", warnings: [] },
        ...parts,
        { type: "finish", finishReason: { unified: reason, raw: undefined }, usage },
      ];
      return { stream: simulateReadableStream({ chunks, chunkDelayInMs: null, initialDelayInMs: null }) };
    },
  });
}

interface Part {
  readonly type: string;
  readonly toolCallId?: string;
  readonly toolName?: string;
  readonly input?: unknown;
  readonly output?: unknown;
  readonly text?: string;
}

/** Reads a prompt, or messages as the SDK has them stored. */
export function transcriptOf(
  messages: readonly { readonly role: string; readonly content: string | readonly unknown[] }[],
): Transcript {
  const calls: Call[] = [];
  const results: Result[] = [];
  let text: string | null = null;
  for (const { role, content } of messages) {
    const parts = typeof content === "string" ? [{ type: "text", text: content }] : (content as Part[]);
    text = null;
    for (const { type, toolCallId: id = "", toolName: tool = "", input, output, ...part } of parts) {
      if (type === "tool-call") calls.push({ id, tool, args: input as Json });
      if (type === "tool-result") results.push({ id, ...readOutput(output as Output) });
      if (type === "text" && role === "assistant") text = part.text ?? null;
    }
  }
  return { calls, results, text };
}

/** What a tool's output is to the model. */
function readOutput(output: Output): Omit<Result, "id"> {
  switch (output.type) {
    case "text":
      return { kind: "result", text: output.value };
    case "json":
      return { kind: "result", text: JSON.stringify(output.value) };
    case "error-text":
      return { kind: "error", text: output.value };
    case "error-json":
      return { kind: "error", text: JSON.stringify(output.value) };
    case "execution-denied":
      return { kind: "error", text: output.reason ?? "denied" };
    default:
      throw new Error(`The suite does not know outputs of type ${output.type}.`);
  }
}
