/** The scripted model as the AI SDK's kind of model, which Mastra takes as well. */
import type { LanguageModel } from "ai";
import { type Conversation, nextTurn } from "./script.ts";

type Model = Extract<LanguageModel, { readonly specificationVersion: "v4" }>;
type Prompt = Parameters<Model["doGenerate"]>[0]["prompt"];
type Result = Awaited<ReturnType<Model["doGenerate"]>>;
type Part = Result["content"][number];
type Chunk = Awaited<ReturnType<Model["doStream"]>>["stream"] extends ReadableStream<infer C> ? C : never;

const usage: Result["usage"] = {
  inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 0, text: 0, reasoning: 0 },
};

export function scriptedModel(): Model {
  return {
    specificationVersion: "v4",
    provider: "demo",
    modelId: "scripted",
    supportedUrls: {},
    async doGenerate({ prompt }) {
      return { ...answer(prompt), usage, warnings: [] };
    },
    async doStream({ prompt }) {
      const { content, finishReason } = answer(prompt);
      const chunks: Chunk[] = [
        { type: "stream-start", warnings: [] },
        ...content.flatMap(chunksOf),
        { type: "finish", finishReason, usage },
      ];
      const stream = new ReadableStream<Chunk>({
        start(controller) {
          for (const chunk of chunks) controller.enqueue(chunk);
          controller.close();
        },
      });
      return { stream };
    },
  };
}

function answer(prompt: Prompt): Pick<Result, "content" | "finishReason"> {
  const { calls, text } = nextTurn(conversation(prompt));
  if (calls.length === 0) {
    return { content: [{ type: "text", text }], finishReason: { unified: "stop", raw: undefined } };
  }
  return {
    content: calls.map(({ id, tool, args }) => ({
      type: "tool-call",
      toolCallId: id,
      toolName: tool,
      input: JSON.stringify(args),
    })),
    finishReason: { unified: "tool-calls", raw: undefined },
  };
}

function chunksOf(part: Part): Chunk[] {
  if (part.type !== "text") return [part as Chunk];
  return [
    { type: "text-start", id: "0" },
    { type: "text-delta", id: "0", delta: part.text },
    { type: "text-end", id: "0" },
  ];
}

function conversation(prompt: Prompt): Conversation {
  const user = prompt.find(({ role }) => role === "user");
  const ticket =
    user?.role === "user" ? user.content.map((part) => (part.type === "text" ? part.text : "")) : [];
  const last = prompt.findLastIndex(({ role }) => role === "assistant");
  const told = prompt.slice(last + 1).flatMap((message) => (message.role === "tool" ? message.content : []));
  return {
    ticket: ticket.join(""),
    turns: prompt.filter(({ role }) => role === "assistant").length,
    results: told.flatMap((part) => (part.type === "tool-result" ? [resultOf(part.output)] : [])),
  };
}

type Output = Extract<
  Extract<Prompt[number], { role: "tool" }>["content"][number],
  { type: "tool-result" }
>["output"];

function resultOf(output: Output): Conversation["results"][number] {
  switch (output.type) {
    case "execution-denied":
      return { refused: true, text: output.reason ?? "denied" };
    case "error-text":
      return { refused: true, text: output.value };
    case "error-json":
      return { refused: true, text: JSON.stringify(output.value) };
    default:
      return { refused: false, text: "" };
  }
}
