/**
 * The scripted model: calls what its ticket says, step by step, and closes with what it was told. It throws
 * when it is asked for a step that the script does not have.
 */
import { MockLanguageModelV4 } from "ai/test";
import type { Ticket } from "./story.ts";

type CallOptions = Parameters<MockLanguageModelV4["doGenerate"]>[0];
type Result = Awaited<ReturnType<MockLanguageModelV4["doGenerate"]>>;

/** What the model says where nothing was refused. */
export const done = "Done.";

const usage: Result["usage"] = {
  inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 0, text: 0, reasoning: 0 },
};

export function scriptedModel(ticket: Ticket): MockLanguageModelV4 {
  return new MockLanguageModelV4({
    modelId: "scripted",
    doGenerate: async ({ prompt }: CallOptions): Promise<Result> => {
      const step = prompt.filter(({ role }) => role === "assistant").length;
      const calls = ticket.steps[step];
      if (calls) {
        return {
          content: calls.map(({ tool, args }, i) => ({
            type: "tool-call",
            toolCallId: `${ticket.id}-${step}-${i}`,
            toolName: tool,
            input: JSON.stringify(args),
          })),
          finishReason: { unified: "tool-calls", raw: undefined },
          usage,
          warnings: [],
        };
      }
      if (step > ticket.steps.length) throw new Error(`${ticket.id} has no step ${step}`);
      return {
        content: [{ type: "text", text: closing(prompt) }],
        finishReason: { unified: "stop", raw: undefined },
        usage,
        warnings: [],
      };
    },
  });
}

/** Says what the last tool results were: so it shows what a model gets to see. */
function closing(prompt: CallOptions["prompt"]): string {
  const last = prompt.at(-1);
  if (last?.role !== "tool") throw new Error("The model was asked to close without a tool result.");
  const refusals = last.content.flatMap((part) => {
    if (part.type !== "tool-result") return [];
    const { output } = part;
    switch (output.type) {
      case "execution-denied":
        return [output.reason ?? "denied"];
      case "error-text":
        return [output.value];
      case "error-json":
        return [JSON.stringify(output.value)];
      default:
        return [];
    }
  });
  return refusals.length === 0 ? done : `Not done, I was told “${refusals.join("; ")}”`;
}
