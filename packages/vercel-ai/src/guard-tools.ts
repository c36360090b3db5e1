/**
 * `guardTools`: the tools of an AI SDK call, each behind the guard. Types, schemas and all other options stay
 * as they are; only `execute` is replaced, by one that asks, waits, and runs what was approved.
 *
 * Guarantees: a tool that could run without the guard is refused when the tools are wrapped, not when the
 * model calls it; a rejection is thrown from `execute`, so the model gets a tool error with the reason.
 */
import {
  type ActionInput,
  ConfigurationError,
  type Execution,
  type Facts,
  type Guard,
  type Json,
} from "@guard/core";
import { asSchema, type FlexibleSchema, type ToolExecutionOptions, type ToolSet } from "ai";
import { notJson } from "./not-json.ts";

/** What a tool's call means beside its arguments, by tool; each gets the tool's own input. */
export type ToolFacts<T extends ToolSet> = {
  readonly [K in keyof T]?: (
    input: T[K] extends { inputSchema: FlexibleSchema<infer I> } ? I : never,
  ) => Facts;
};

export interface GuardToolsOptions<T extends ToolSet> {
  readonly guard: Guard;
  /** The chat, ticket or job: restarted, the same session finds its open requests and does not ask twice. */
  readonly session?: string;
  /** On whose behalf the agent acts: this person cannot approve. */
  readonly requester?: string;
  readonly facts?: ToolFacts<T>;
  /** Tools that run without the guard, by name: provider-executed and client-side tools have to be listed. */
  readonly ungated?: readonly (keyof T & string)[];
}

type AnyTool = ToolSet[string];

const guarded = Symbol.for("guard.vercel-ai.guarded");
const known = ["guard", "session", "requester", "facts", "ungated"];
const AsyncGeneratorFunction = async function* () {}.constructor;

const executions = new WeakMap<object, Execution>();

/**
 * The execution that a guarded tool runs in, by the options that the SDK passes to `execute` as its second
 * argument; undefined where the tool is not guarded. Pass `executionId` on as an idempotency key.
 */
export function executionOf(options: object): Execution | undefined {
  return executions.get(options);
}

/** @throws ConfigurationError that names the tool and says what to do. */
export function guardTools<T extends ToolSet>(tools: T, options: GuardToolsOptions<T>): T {
  checkOptions(tools, options);
  const ungated = new Set<string>(options.ungated);
  const entries = Object.entries(tools).map(([name, tool]) => {
    if (ungated.has(name)) return [name, tool] as const;
    checkTool(name, tool);
    return [name, wrap(name, tool, options)] as const;
  });
  // fromEntries defines own members, also for a tool called __proto__ (prototype-ids).
  return Object.fromEntries(entries) as T;
}

function checkOptions<T extends ToolSet>(tools: T, options: GuardToolsOptions<T>): void {
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    throw new ConfigurationError(
      `guardTools has no option ${unknown.join(", ")}. It knows: ${known.join(", ")}.`,
    );
  }
  if (typeof options.guard?.run !== "function") {
    throw new ConfigurationError("guardTools needs { guard }: what createGuard returned.");
  }
  for (const name of ["session", "requester"] as const) {
    if (options[name] !== undefined && typeof options[name] !== "string") {
      throw new ConfigurationError(`guardTools: ${name} has to be a string, or left out.`);
    }
  }
  for (const name of [...(options.ungated ?? []), ...Object.keys(options.facts ?? {})]) {
    if (!Object.hasOwn(tools, name)) {
      throw new ConfigurationError(
        `guardTools: there is no tool called ${name}. Is it misspelt in ungated or facts?`,
      );
    }
  }
  for (const [name, facts] of Object.entries(options.facts ?? {})) {
    if (typeof facts !== "function") {
      throw new ConfigurationError(`guardTools: facts.${name} has to be a function of the tool's input.`);
    }
    if (options.ungated?.includes(name)) {
      throw new ConfigurationError(
        `guardTools: ${name} has facts and is ungated, so nobody would see them. Remove one of the two.`,
      );
    }
  }
}

function checkTool(name: string, tool: AnyTool): void {
  const refuse = (why: string) => {
    throw new ConfigurationError(`guardTools: the tool ${name} ${why}`);
  };
  if (typeof tool.execute === "function" && Object.hasOwn(tool.execute, guarded)) {
    refuse("is guarded already. Wrap it once.");
  }
  // A provider's definition that the SDK executes here (a shell, an editor) is a tool like any other.
  if (tool.type === "provider" && tool.isProviderExecuted !== false) {
    refuse(
      "is executed by the model's provider, where no guard can stop it. Remove it, or list it in ungated.",
    );
  }
  if (typeof tool.execute !== "function") {
    refuse(
      "has no execute, so it runs in the client, where no guard can stop it. Give it one, or list it in ungated.",
    );
  }
  if (tool.needsApproval !== undefined) {
    refuse("also sets needsApproval. Remove that: the guard's policy decides what is asked, and of whom.");
  }
  const found = notJson(tool.inputSchema);
  if (found !== null) {
    refuse(
      `takes ${found}, which JSON cannot hold, so nobody could be shown what runs. Take a string or number and convert it in execute.`,
    );
  }
}

/** @throws ConfigurationError where the schema library has no JSON Schema for it; the model could not be told either. */
function readSchema(name: string, tool: AnyTool) {
  try {
    const { jsonSchema, validate } = asSchema(tool.inputSchema);
    return { jsonSchema, validate };
  } catch (cause) {
    throw new ConfigurationError(
      `guardTools: the input schema of ${name} has no JSON Schema, so neither the model nor an approver could be shown it. ` +
        "Use types that JSON can hold.",
      { cause },
    );
  }
}

function wrap<T extends ToolSet>(name: string, tool: AnyTool, options: GuardToolsOptions<T>): AnyTool {
  const { guard } = options;
  const { jsonSchema, validate } = readSchema(name, tool);
  const description = typeof tool.description === "string" ? tool.description : null;
  const schema = Promise.resolve(jsonSchema).then((inputSchema) => ({
    name,
    description,
    inputSchema: inputSchema as Json,
  }));
  schema.catch(() => {}); // Each call that needs it gets the error.
  const execute = tool.execute as (input: unknown, call: ToolExecutionOptions<unknown>) => unknown;

  // Handed to the guard at once: nothing may be awaited between the model's input and its snapshot.
  function action(input: unknown, call: ToolExecutionOptions<unknown>): ActionInput {
    const facts =
      options.facts !== undefined && Object.hasOwn(options.facts, name) ? options.facts[name] : undefined;
    return {
      tool: name,
      args: input,
      schema,
      callId: call.toolCallId,
      ...(facts ? { facts: (args: Json) => facts(args as never) } : {}),
      ...(options.session === undefined ? {} : { session: options.session }),
      ...(options.requester === undefined ? {} : { requester: options.requester }),
      ...(validate ? { validate: async (args: Json) => accepted(await validate(args)) } : {}),
    };
  }
  const runOptions = (call: ToolExecutionOptions<unknown>) =>
    call.abortSignal ? { signal: call.abortSignal } : {};

  // A call's options of its own for each run, so that the execution can be found by them.
  const runTool = (execution: Execution, call: ToolExecutionOptions<unknown>) => {
    const own = { ...call };
    executions.set(own, execution);
    return execute.call(tool, execution.args, own);
  };

  // The SDK looks at what execute returns before it awaits it: a generator has to stay one.
  const replaced =
    execute instanceof AsyncGeneratorFunction
      ? async function* (input: unknown, call: ToolExecutionOptions<unknown>) {
          const run = (execution: Execution) => runTool(execution, call) as AsyncIterable<unknown>;
          yield* guard.runStream(action(input, call), run, runOptions(call));
        }
      : async (input: unknown, call: ToolExecutionOptions<unknown>) =>
          guard.run(
            action(input, call),
            async (execution) => lastOf(await runTool(execution, call)),
            runOptions(call),
          );
  // On the function, so that a copy of the tool stays marked, and one with another execute does not.
  Object.defineProperty(replaced, guarded, { value: true });
  return { ...tool, execute: replaced } as unknown as AnyTool;
}

function accepted(result: { success: true; value: unknown } | { success: false; error: Error }): unknown {
  if (!result.success) throw result.error;
  return result.value;
}

/** A plain function that returns an iterable gives its last value; what came before is not shown. */
async function lastOf(result: unknown): Promise<unknown> {
  if (typeof result !== "object" || result === null || !(Symbol.asyncIterator in result)) return result;
  let last: unknown;
  for await (const value of result as AsyncIterable<unknown>) last = value;
  return last;
}
