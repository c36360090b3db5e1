// A model whose answers are written down: text, or tool calls.
import { type AgentInputItem, type Model, Usage } from "@openai/agents";

export interface Call {
  readonly id: string;
  readonly tool: string;
  readonly input: object;
}

/** `seen` is what the model was sent, by call. */
export function scripted(
  script: readonly (string | readonly Call[])[],
): Model & { seen: AgentInputItem[][] } {
  const seen: AgentInputItem[][] = [];
  return {
    seen,
    async getResponse(request) {
      const entry = script[seen.length];
      if (entry === undefined) throw new Error("The model was called more often than the script says.");
      seen.push(typeof request.input === "string" ? [] : structuredClone(request.input));
      const output =
        typeof entry === "string"
          ? [
              {
                type: "message" as const,
                role: "assistant" as const,
                status: "completed" as const,
                content: [{ type: "output_text" as const, text: entry }],
              },
            ]
          : entry.map(({ id, tool, input }) => ({
              type: "function_call" as const,
              callId: id,
              name: tool,
              status: "completed" as const,
              arguments: JSON.stringify(input),
            }));
      return { usage: new Usage(), output };
    },
    getStreamedResponse() {
      throw new Error("This model does not stream.");
    },
  };
}
