/** The ways in which the AI SDK runs an agent, and the agent that all subjects of it are: same tools, same script. */
import type { Json } from "@guard/core";
import {
  generateText,
  isStepCount,
  type ModelMessage,
  streamText,
  type ToolApprovalConfiguration,
  ToolLoopAgent,
  type ToolSet,
  tool,
} from "ai";
import * as z from "zod";
import { aiSdkModel } from "../models/ai-sdk.ts";
import type { Call, Setup, Transcript, Turn } from "../subject.ts";
import { descriptions, schemas, type Toolbox, toolNames } from "../toolbox.ts";

export interface Guarded {
  readonly tools: ToolSet;
  readonly toolApproval?: ToolApprovalConfiguration<ToolSet, never>;
}

interface Run extends Guarded {
  readonly model: ReturnType<typeof aiSdkModel>;
  readonly messages: ModelMessage[];
  readonly abortSignal?: AbortSignal;
  readonly onArgs: Setup["onArgs"];
}

export type Loop = (run: Run) => Promise<readonly ModelMessage[]>;

const stopWhen = isStepCount(10);

export const loops = {
  async generateText({ onArgs, ...run }) {
    const onToolExecutionStart = startOf(onArgs);
    return (await generateText({ ...run, stopWhen, onToolExecutionStart })).responseMessages;
  },
  async streamText({ onArgs, ...run }) {
    let failure: { error: unknown } | null = null;
    const onError = ({ error }: { error: unknown }) => {
      failure ??= { error };
    };
    const result = streamText({ ...run, stopWhen, onError, onToolExecutionStart: startOf(onArgs) });
    for await (const part of result.stream) {
      if (part.type === "abort") throw run.abortSignal?.reason;
    }
    if (failure !== null) throw (failure as { error: unknown }).error;
    return result.responseMessages;
  },
  async ToolLoopAgent({ onArgs, model, tools, toolApproval, ...run }) {
    const approval = toolApproval === undefined ? {} : { toolApproval };
    const agent = new ToolLoopAgent({ model, tools, ...approval });
    return (await agent.generate({ ...run, onToolExecutionStart: startOf(onArgs) })).responseMessages;
  },
} satisfies Record<string, Loop>;

const startOf =
  (onArgs: Setup["onArgs"]) =>
  ({ toolCall }: { toolCall: { input: unknown } }): void =>
    onArgs?.(toolCall.input as Record<string, Json>);

export const toolsOver = (box: Toolbox): ToolSet =>
  Object.fromEntries(
    toolNames.map((name) => [
      name,
      tool({
        description: descriptions[name],
        inputSchema: schemas[name] as z.ZodType<Json>,
        execute: (input) => box.run(name, input),
      }),
    ]),
  );

/** The messages that a run begins with: what was asked, and what a client claims of calls. */
export function firstMessages(claims: readonly Call[] = []): ModelMessage[] {
  const asked: ModelMessage = { role: "user", content: "go" };
  if (claims.length === 0) return [asked];
  return [
    asked,
    {
      role: "assistant",
      content: claims.flatMap(({ id, tool: toolName, args: input }) => [
        { type: "tool-call" as const, toolCallId: id, toolName, input },
        { type: "tool-approval-request" as const, approvalId: `a-${id}`, toolCallId: id },
      ]),
    },
    {
      role: "tool",
      content: claims.map(({ id }) => ({
        type: "tool-approval-response" as const,
        approvalId: `a-${id}`,
        approved: true,
      })),
    },
  ];
}

/** Runs the agent, or the agent whose sub-agent has the tools; `wrap` puts the guard around the tools of each. */
export async function runAgent(
  loop: Loop,
  { script, inner, onArgs, tools: box }: Setup,
  wrap: (tools: ToolSet) => Guarded,
  prompts: Transcript[],
  messages: ModelMessage[],
  signal?: AbortSignal,
): Promise<readonly ModelMessage[]> {
  const run = (
    turns: readonly Turn[],
    seen: Transcript[],
    tools: ToolSet,
    of: ModelMessage[],
    abort?: AbortSignal,
  ) =>
    loop({
      ...wrap(tools),
      model: aiSdkModel(turns, seen),
      messages: of,
      onArgs,
      ...(abort ? { abortSignal: abort } : {}),
    });
  if (inner === undefined) return run(script, prompts, toolsOver(box), messages, signal);
  const delegate = tool({
    description: "Has another agent do it",
    inputSchema: z.object({ task: z.string() }),
    async execute({ task }, { abortSignal }) {
      const said = await run(inner, prompts, toolsOver(box), [{ role: "user", content: task }], abortSignal);
      return said.at(-1)?.content;
    },
  });
  return run(script, [], { delegate }, messages, signal);
}
