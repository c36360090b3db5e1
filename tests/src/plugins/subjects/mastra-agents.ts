/** Agents of Mastra over a storage: those of `guardAgent` and `guardHooks`, by generate and by stream. */
import type { Guard, Json } from "@guard/core";
import { guardAgent, guardHooks, resumeWorker } from "@guard/mastra";
import { Agent, type AgentConfig } from "@mastra/core/agent";
import type { MastraModelConfig } from "@mastra/core/llm";
import { Mastra } from "@mastra/core/mastra";
import { InMemoryStore } from "@mastra/core/storage";
import { createTool } from "@mastra/core/tools";
import type * as z from "zod";
import { aiSdkModel } from "../models/ai-sdk.ts";
import type { Call, Conversation, Setup, Subject, Transcript, Turn } from "../subject.ts";
import { descriptions, schemas, type Toolbox, toolNames } from "../toolbox.ts";

export type Kind = "guardAgent" | "guardHooks";
export type Way = "generate" | "stream";

const toolsOver = (box: Toolbox) =>
  Object.fromEntries(
    toolNames.map((name) => [
      name,
      createTool({
        id: name,
        description: descriptions[name],
        inputSchema: schemas[name] as z.ZodType<Json>,
        execute: (input) => box.run(name, input),
      }),
    ]),
  );

export function openAgent(
  { kind, way, mode }: { kind: Kind; way: Way; mode: Subject["mode"] },
  { script, inner, tools: box, session, claims = [] }: Setup,
): Conversation {
  const storage = new InMemoryStore();
  const prompts: Transcript[] = [];
  let said: string | null = null;
  const memory = { thread: session, resource: "somebody" };

  function agentOf(guard: Guard | null, id: string, own: object, turns: readonly Turn[], seen: Transcript[]) {
    // Mastra's own types of the model differ from the SDK's in a detail of generate.
    const model = aiSdkModel(turns.map(delegated), seen) as unknown as MastraModelConfig;
    const config: AgentConfig = { id, name: id, description: id, instructions: "help", model, ...own };
    if (guard === null) return new Agent(config);
    if (kind === "guardAgent") return guardAgent(config, { guard, mode });
    const ungated = inner === undefined ? [] : ["agent-child"];
    // Mastra does not tell hooks of a thread that no memory keeps.
    const named = mode === "wait" ? { session } : {};
    return new Agent({ ...config, hooks: guardHooks({ guard, mode, ungated, ...named }) });
  }

  function agentsOf(guard: Guard | null): Agent {
    const tools = toolsOver(box);
    if (inner === undefined) return agentOf(guard, "agent", { tools }, script, prompts);
    const child = agentOf(guard, "child", { tools }, inner, prompts);
    return agentOf(guard, "agent", { agents: { child } }, script, []);
  }

  return {
    prompts,
    // Mastra keeps messages where it has a memory; what the model is given next is what a run has of its own.
    stored: async () => ({ ...(prompts.at(-1) ?? { calls: [], results: [] }), text: said }),
    process(guard) {
      const agent = agentsOf(guard);
      const mastra = new Mastra({ agents: { agent }, storage, logger: false });
      return {
        async start({ signal } = {}) {
          const options = { memory, ...(signal ? { abortSignal: signal } : {}) };
          const output =
            way === "generate"
              ? await agent.generate(firstMessages(claims), options)
              : await (await agent.stream(firstMessages(claims), options)).getFullOutput();
          // Mastra ends a run that was aborted as if it had come to its end.
          signal?.throwIfAborted();
          if (output.error) throw output.error;
          said = output.text || null;
        },
        async resume(resumeData) {
          const { runs } = await agent.listSuspendedRuns();
          for (const { runId, toolCalls } of runs) {
            for (const { toolCallId = "" } of toolCalls) {
              const output = await agent.resumeStream(resumeData, { runId, toolCallId });
              await output.consumeStream();
              said = (await output.text) || said;
            }
          }
        },
        worker: (options) =>
          resumeWorker({
            ...options,
            mastra,
            async onResumed(resumed) {
              if (resumed.kind === "agent") said = (await resumed.output.text) || said;
            },
          }),
      };
    },
  };
}

/** Mastra makes a tool of each sub-agent. */
const delegated = (turn: Turn): Turn =>
  typeof turn === "string"
    ? turn
    : turn.map((call) =>
        call.tool === "delegate"
          ? { ...call, tool: "agent-child", args: { prompt: (call.args as { task: string }).task } }
          : call,
      );

/** What a run begins with: what was asked, and calls that a client says were approved and made. */
function firstMessages(claims: readonly Call[]) {
  const asked = { role: "user" as const, content: "go" };
  if (claims.length === 0) return [asked];
  return [
    asked,
    {
      role: "assistant" as const,
      content: claims.map(({ id: toolCallId, tool: toolName, args: input }) => ({
        type: "tool-call" as const,
        toolCallId,
        toolName,
        input,
      })),
    },
    {
      role: "tool" as const,
      content: claims.map(({ id: toolCallId, tool: toolName }) => ({
        type: "tool-result" as const,
        toolCallId,
        toolName,
        output: { type: "json" as const, value: { approved: true } },
      })),
    },
  ];
}
