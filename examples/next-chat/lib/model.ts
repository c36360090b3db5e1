/**
 * A model made of rules, so that the example runs without a key: it looks up the order that the customer names,
 * asks for the refund, and says what came of it. A real one takes its place in `lib/turn.ts`.
 */
import { type LanguageModel, simulateReadableStream } from "ai";

type Model = Extract<LanguageModel, { specificationVersion: "v4" }>;
type Prompt = Parameters<Model["doStream"]>[0]["prompt"];
type Answer = { readonly text: string } | { readonly tool: string; readonly input: object };
type Chunk = Awaited<ReturnType<Model["doStream"]>>["stream"] extends ReadableStream<infer C> ? C : never;

const usage = {
  inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 0, text: 0, reasoning: 0 },
};

export const scriptedModel: Model = {
  specificationVersion: "v4",
  provider: "example",
  modelId: "rules",
  supportedUrls: {},
  doGenerate: () => Promise.reject(new Error("This model only streams.")),
  doStream: async ({ prompt }) => {
    const answer = next(prompt);
    const chunks: Chunk[] = [
      { type: "stream-start", warnings: [] },
      ...("text" in answer ? spoken(answer.text) : [called(answer)]),
      {
        type: "finish",
        finishReason: { unified: "text" in answer ? "stop" : "tool-calls", raw: undefined },
        usage,
      },
    ];
    return { stream: simulateReadableStream({ chunks, initialDelayInMs: 200, chunkDelayInMs: 25 }) };
  },
};

function called({ tool, input }: Extract<Answer, { tool: string }>): Chunk {
  return {
    type: "tool-call",
    toolCallId: crypto.randomUUID(),
    toolName: tool,
    input: JSON.stringify(input),
  };
}

function spoken(text: string): Chunk[] {
  const words = text.split(/(?<= )/);
  return [
    { type: "text-start", id: "text" },
    ...words.map((delta) => ({ type: "text-delta" as const, id: "text", delta })),
    { type: "text-end", id: "text" },
  ];
}

function next(prompt: Prompt): Answer {
  const asked = prompt.findLastIndex(({ role }) => role === "user");
  const text = textOf(prompt[asked]);
  const order = /order\D{0,4}(\d+)/i.exec(text);
  if (!order) return { text: "Which order is it about? Try “Refund 900 for order 1003, it came late”." };
  const results = prompt.slice(asked).flatMap(resultsOf);
  const last = results.at(-1);
  if (!last) return { tool: "lookupOrder", input: { order: Number(order[1]) } };
  if (last.tool === "refund") {
    if ("refused" in last) return { text: `I am sorry, I could not do that: ${last.refused}` };
    return { text: `Done: I refunded ${last.value.refunded} on order ${last.value.order}.` };
  }
  if ("refused" in last) return { text: `I could not look that up: ${last.refused}` };
  const { item, paid } = last.value;
  if (!/refund|money/i.test(text)) return { text: `Order ${order[1]} is: ${item}. You paid ${paid}.` };
  const amount = /\d+(\.\d+)?/.exec(text.replace(order[0], ""));
  return { tool: "refund", input: { order: Number(order[1]), amount: amount ? Number(amount[0]) : paid } };
}

function textOf(message: Prompt[number] | undefined): string {
  if (message?.role !== "user") return "";
  return message.content.map((part) => (part.type === "text" ? part.text : "")).join(" ");
}

type Result =
  | { readonly tool: string; readonly value: { readonly [name: string]: string | number } }
  | { readonly tool: string; readonly refused: string };

function resultsOf(message: Prompt[number]): Result[] {
  if (message.role !== "tool") return [];
  return message.content.flatMap((part): Result[] => {
    if (part.type !== "tool-result") return [];
    const { output, toolName: tool } = part;
    switch (output.type) {
      case "json":
        return [{ tool, value: output.value as { [name: string]: string | number } }];
      case "execution-denied":
        return [{ tool, refused: output.reason ?? "it was refused." }];
      default:
        return [{ tool, refused: String(output.value) }];
    }
  });
}
