/**
 * What both modes do with a tool: refuse one that could run without the guard, and put another `execute` in
 * its place. Types, schemas and all other options stay as they are.
 */
import { type ActionInput, ConfigurationError, type Execution, type Facts, type Json } from "@guard/core";
import { bindExecution, notJson } from "@guard/core/plugin";
import { asSchema, type FlexibleSchema, type ToolExecutionOptions, type ToolSet } from "ai";
import { runInside } from "./inside.ts";

/** What a tool's call means beside its arguments, by tool; each gets the tool's own input. */
export type ToolFacts<T extends ToolSet> = {
  readonly [K in keyof T]?: (
    input: T[K] extends { inputSchema: FlexibleSchema<infer I> } ? I : never,
  ) => Facts;
};

type AnyTool = ToolSet[string];
export type Call = ToolExecutionOptions<unknown>;
export type ExecuteTool = (input: unknown, call: Call) => unknown;

/** A tool as it was handed over, and how a call of it is told to the gate. */
export interface Original {
  readonly name: string;
  /** Whether `execute` yields preliminary results: the SDK looks at what it returns before it awaits it. */
  readonly yields: boolean;
  /** To be handed to the guard at once: nothing may be awaited between the model's input and its snapshot. */
  action(input: unknown, callId: string): ActionInput;
  /** Runs the tool itself, with options of its own for each run, by which it finds its execution. */
  run(execution: Execution, call: Call): unknown;
}

export interface WrapOptions<T extends ToolSet> {
  readonly session?: string;
  readonly requester?: string;
  readonly facts?: ToolFacts<T>;
  readonly ungated?: readonly (keyof T & string)[];
}

const guarded = Symbol.for("guard.vercel-ai.guarded");
const AsyncGeneratorFunction = async function* () {}.constructor;

/**
 * The tools with what `replace` makes of each as `execute`; ungated ones as they are.
 * @throws ConfigurationError that names the tool and says what to do.
 */
export function wrapTools<T extends ToolSet>(
  who: string,
  tools: T,
  options: WrapOptions<T>,
  replace: (original: Original) => ExecuteTool,
): T {
  const ungated = new Set<string>(options.ungated);
  const entries = Object.entries(tools).map(([name, tool]) => {
    if (ungated.has(name)) return [name, tool] as const;
    checkTool(who, name, tool);
    const execute = replace(originalOf(who, name, tool, options));
    // On the function, so that a copy of the tool stays marked, and one with another execute does not.
    Object.defineProperty(execute, guarded, { value: true });
    return [name, { ...tool, execute } as unknown as AnyTool] as const;
  });
  // fromEntries defines own members, also for a tool called __proto__ (prototype-ids).
  return Object.fromEntries(entries) as T;
}

function checkTool(who: string, name: string, tool: AnyTool): void {
  const refuse = (why: string) => {
    throw new ConfigurationError(`${who}: the tool ${name} ${why}`);
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
function readSchema(who: string, name: string, tool: AnyTool) {
  try {
    const { jsonSchema, validate } = asSchema(tool.inputSchema);
    return { jsonSchema, validate };
  } catch (cause) {
    throw new ConfigurationError(
      `${who}: the input schema of ${name} has no JSON Schema, so neither the model nor an approver could be shown it. ` +
        "Use types that JSON can hold.",
      { cause },
    );
  }
}

function originalOf<T extends ToolSet>(
  who: string,
  name: string,
  tool: AnyTool,
  options: WrapOptions<T>,
): Original {
  const { session, requester } = options;
  const facts =
    options.facts !== undefined && Object.hasOwn(options.facts, name) ? options.facts[name] : undefined;
  const { jsonSchema, validate } = readSchema(who, name, tool);
  const description = typeof tool.description === "string" ? tool.description : null;
  const schema = Promise.resolve(jsonSchema).then((inputSchema) => ({
    name,
    description,
    inputSchema: inputSchema as Json,
  }));
  schema.catch(() => {}); // Each call that needs it gets the error.
  const execute = tool.execute as ExecuteTool;
  return {
    name,
    yields: execute instanceof AsyncGeneratorFunction,
    action: (input, callId) => ({
      tool: name,
      args: input,
      schema,
      callId,
      ...(facts ? { facts: (args: Json) => facts(args as never) } : {}),
      ...(session === undefined ? {} : { session }),
      ...(requester === undefined ? {} : { requester }),
      ...(validate ? { validate: async (args: Json) => accepted(await validate(args)) } : {}),
    }),
    run(execution, call) {
      const own = { ...call };
      bindExecution(own, execution);
      return runInside(session, () => execute.call(tool, execution.args, own));
    },
  };
}

function accepted(result: { success: true; value: unknown } | { success: false; error: Error }): unknown {
  if (!result.success) throw result.error;
  return result.value;
}

/** A plain function that returns an iterable gives its last value; what came before is not shown. */
export async function lastOf(result: unknown): Promise<unknown> {
  if (typeof result !== "object" || result === null || !(Symbol.asyncIterator in result)) return result;
  let last: unknown;
  for await (const value of result as AsyncIterable<unknown>) last = value;
  return last;
}
