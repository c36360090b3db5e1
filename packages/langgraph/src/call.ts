/**
 * One tool call of LangChain, as the guard is asked about it: what the model was told of the tool, the key by
 * which the call is found again after a restart, and what the model reads where it did not run.
 *
 * Guarantee: two calls of one thread never share a key, although models reuse call ids; the same call, started
 * again from the top by LangGraph, always has the same one, so that nobody is asked twice.
 */
import {
  type ActionInput,
  ConfigurationError,
  canonicalJson,
  type Facts,
  type GuardError,
  type Json,
  type ToolSchema,
} from "@guard/core";
import { notJson } from "@guard/core/plugin";
import { ToolMessage } from "@langchain/core/messages";
import type { StructuredToolInterface } from "@langchain/core/tools";
import { toJsonSchema, Validator } from "@langchain/core/utils/json_schema";
import { interopParseAsync, isInteropZodSchema } from "@langchain/core/utils/types";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";

/** What a call means beside its arguments, by the tool's name; each gets the tool's own input. */
export type ToolFacts = Readonly<Record<string, (input: never) => Facts>>;

/** A tool as the model is told of it, and the check of its input. */
export interface PinnedTool {
  readonly schema: ToolSchema;
  /** The tool's own validation: resolves to what the tool would be run with. */
  readonly validate: (args: Json) => Promise<unknown>;
}

/** The parts of a tool that are pinned. */
export type PinnableTool = Pick<StructuredToolInterface, "name" | "schema"> & {
  readonly description?: string;
};

/** @throws ConfigurationError where nobody could be shown what the tool takes. */
export function pin(who: string, tool: PinnableTool): PinnedTool {
  const { name, schema } = tool;
  const refuse = (why: string, cause?: unknown): never => {
    throw new ConfigurationError(`${who}: the tool ${name} ${why}`, cause === undefined ? {} : { cause });
  };
  if (typeof schema !== "object" || schema === null) {
    refuse("has no schema, so neither the model nor an approver could be told what it takes. Give it one.");
  }
  const found = notJson(schema);
  if (found !== null) {
    refuse(
      `takes ${found}, which JSON cannot hold, so nobody could be shown what runs. Take a string or number and convert it in the tool.`,
    );
  }
  let inputSchema: Json;
  try {
    inputSchema = toJsonSchema(schema) as Json;
  } catch (cause) {
    return refuse("has a schema with no JSON Schema. Use types that JSON can hold.", cause);
  }
  return {
    schema: { name, description: tool.description ?? null, inputSchema },
    validate: isInteropZodSchema(schema)
      ? (args) => interopParseAsync(schema, args)
      : async (args) => accepted(args, new Validator(schema).validate(args)),
  };
}

function accepted(
  args: Json,
  { valid, errors }: { valid: boolean; errors: readonly { error: string }[] },
): Json {
  if (!valid) throw new TypeError(errors.map(({ error }) => error).join(" "));
  return args;
}

export interface CallOptions {
  readonly callId: string | null;
  readonly session: string | null;
  readonly requester?: string | undefined;
  readonly facts?: ToolFacts | undefined;
}

/** What the guard is asked. Nothing may be awaited between the model's input and this: the guard's snapshot is what counts. */
export function actionOf({ schema, validate }: PinnedTool, args: unknown, options: CallOptions): ActionInput {
  const { callId, session, requester, facts = {} } = options;
  const about = Object.hasOwn(facts, schema.name) ? facts[schema.name] : undefined;
  return {
    tool: schema.name,
    args,
    schema,
    validate,
    callId,
    session,
    ...(about ? { facts: (input: Json) => about(input as never) } : {}),
    ...(requester === undefined ? {} : { requester }),
  };
}

/** The thread that a run belongs to, which is the session of its requests; null outside of one. */
export function threadOf(config: LangGraphRunnableConfig | undefined): string | null {
  const id: unknown = config?.configurable?.thread_id;
  return typeof id === "string" || typeof id === "number" ? String(id) : null;
}

/**
 * The idempotency key of a call; undefined where nothing tells this call from another after a restart.
 *
 * The call's id is not enough: some models number their calls anew in each turn, and a second turn's `call_0`
 * must not join the first one's approval. The AI message that holds the call has an id for good (its reducer
 * gives it one, and the checkpoint keeps it). Where a state keeps messages without ids, LangGraph's task id
 * stands in: the same whenever the node is started again, another one for each visit. The namespace sets apart
 * what several runs of one subgraph do in one thread; its last part is this node's own task.
 */
export function callKey(
  config: LangGraphRunnableConfig | undefined,
  call: { readonly id?: string | undefined; readonly message?: string | undefined },
): string | undefined {
  const thread = threadOf(config);
  const info = config?.executionInfo;
  const turn = call.message !== undefined ? ["message", call.message] : info && ["task", info.taskId];
  if (thread === null || !turn || call.id === undefined) return undefined;
  return canonicalJson(["langgraph", thread, namespaceOf(config), ...turn, call.id]);
}

/** The namespace of the graph that a node belongs to; empty for the outermost. */
export function namespaceOf(config: LangGraphRunnableConfig | undefined): string {
  return config?.executionInfo?.checkpointNs.split("|").slice(0, -1).join("|") ?? "";
}

/** What the model reads where a call did not run: why, with the approver's reason. */
export function deniedMessage(
  call: { readonly name: string; readonly id?: string | undefined },
  error: GuardError,
): ToolMessage {
  return new ToolMessage({
    status: "error",
    name: call.name,
    tool_call_id: call.id ?? "",
    content: error.message,
  });
}
