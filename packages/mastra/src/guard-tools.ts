/**
 * `guardTools` and `guardTool`: Mastra's tools, each behind the guard, wherever they are called: by an agent, as a
 * workflow step, by an MCP server, by hand. Only `execute` is replaced; every other field stays.
 *
 * Guarantees: the gate is in the tool itself, so nothing that is given with a call can switch it off
 * (runtime-override); a tool that could run without the gate, or twice for one approval, is refused when it is
 * wrapped.
 */
import { ConfigurationError, type Execution, type Facts, type Json } from "@guard/core";
import type { ToolsInput } from "@mastra/core/agent";
import type { RequestContext } from "@mastra/core/request-context";
import { memoryIn, type Place, pass, text, withExecution } from "./call.ts";
import { type CallOptions, callOptions, checkOptions } from "./options.ts";
import { readSchema } from "./schema.ts";

type InputOf<T> = T extends { execute?: (input: infer I, ...rest: never) => unknown } ? I : never;

export interface GuardToolOptions<T> extends CallOptions {
  /** What a call means beside its arguments. */
  readonly facts?: (input: InputOf<T>) => Facts;
}

export interface GuardToolsOptions<T extends ToolsInput> extends CallOptions {
  /** What a call means beside its arguments, by tool; each gets the tool's own input. */
  readonly facts?: { readonly [K in keyof T]?: (input: InputOf<T[K]>) => Facts };
  /** Tools that run without the guard, by name. */
  readonly ungated?: readonly (keyof T & string)[];
}

/** What Mastra's kinds of tools have in common, as far as it is looked at here. */
interface AnyTool {
  readonly id?: string;
  readonly type?: string;
  readonly description?: string;
  readonly inputSchema?: unknown;
  readonly parameters?: unknown;
  readonly suspendSchema?: unknown;
  readonly resumeSchema?: unknown;
  readonly requireApproval?: unknown;
  readonly needsApproval?: unknown;
  readonly needsApprovalFn?: unknown;
  readonly execute?: (input: unknown, context: ToolContext) => unknown;
}

/** Where a tool finds Mastra's pause: in an agent, in a workflow, or flat (tools of the AI SDK). */
interface Scope {
  readonly agentId?: string;
  readonly toolCallId?: string;
  readonly threadId?: string;
  readonly resourceId?: string;
  readonly runId?: string;
  readonly workflowId?: string;
  readonly suspend?: (payload: object, options?: { readonly resumeLabel: string }) => unknown;
  readonly resumeData?: unknown;
  readonly suspendPayload?: unknown;
}

interface ToolContext extends Scope {
  readonly agent?: Scope;
  readonly workflow?: Scope;
  readonly mcp?: { readonly extra?: { readonly signal?: AbortSignal } };
  /** Undefined where the agent belongs to no Mastra. */
  readonly mastra?: unknown;
  readonly requestContext?: RequestContext;
  readonly abortSignal?: AbortSignal;
}

const guarded = Symbol.for("guard.mastra.guarded");
const AsyncGeneratorFunction = async function* () {}.constructor;

/** @throws ConfigurationError that names the tool and says what to do. */
export function guardTools<T extends ToolsInput>(tools: T, options: GuardToolsOptions<T>): T {
  checkOptions("guardTools", options, {
    known: [...callOptions, "facts", "ungated"],
    tools: Object.keys(tools),
  });
  const { facts, ungated = [], ...shared } = options;
  const entries = Object.entries(tools).map(([name, tool]) => {
    if ((ungated as readonly string[]).includes(name)) return [name, tool] as const;
    const own = facts !== undefined && Object.hasOwn(facts, name) ? facts[name] : undefined;
    return [name, wrap("guardTools", name, tool as AnyTool, shared, own as FactsOf)] as const;
  });
  // fromEntries defines own members, also for a tool called __proto__ (prototype-ids).
  return Object.fromEntries(entries) as T;
}

/** {@link guardTools} for one tool, which goes by its id. @throws ConfigurationError */
export function guardTool<T extends { readonly id: string }>(tool: T, options: GuardToolOptions<T>): T {
  const { facts, ...shared } = options;
  checkOptions("guardTool", shared, { known: callOptions });
  if (facts !== undefined && typeof facts !== "function") {
    throw new ConfigurationError("guardTool: facts has to be a function of the tool's input.");
  }
  return wrap("guardTool", tool.id, tool as AnyTool, shared, facts as FactsOf) as unknown as T;
}

type FactsOf = ((input: never) => Facts) | undefined;

function checkTool(who: string, name: string, tool: AnyTool): void {
  const refuse = (why: string) => {
    throw new ConfigurationError(`${who}: the tool ${name} ${why}`);
  };
  if (typeof tool.execute === "function" && Object.hasOwn(tool.execute, guarded)) {
    refuse("is guarded already. Wrap it once.");
  }
  if (tool.type === "provider" || tool.type === "provider-defined") {
    refuse(
      "is executed by the model's provider, where no guard can stop it. Remove it, or list it in ungated.",
    );
  }
  if (typeof tool.execute !== "function") {
    refuse(
      "has no execute, so it runs in the client, where no guard can stop it. Give it one, or list it in ungated.",
    );
  }
  if (tool.execute instanceof AsyncGeneratorFunction) {
    refuse("is a generator, which Mastra reads after the call has ended. Return the result instead.");
  }
  if (tool.requireApproval || tool.needsApprovalFn || tool.needsApproval) {
    refuse("also asks for Mastra's own approval. Remove that: the guard's policy decides what is asked.");
  }
  if (tool.suspendSchema !== undefined || tool.resumeSchema !== undefined) {
    refuse(
      "suspends itself, so it would run more than once for one approval. Ask for what it needs in a tool of its own, and guard the one that acts.",
    );
  }
}

function wrap(who: string, name: string, tool: AnyTool, options: CallOptions, facts: FactsOf): AnyTool {
  checkTool(who, name, tool);
  const read = readSchema(who, name, tool.inputSchema ?? tool.parameters, tool.description ?? null);
  const execute = tool.execute as NonNullable<AnyTool["execute"]>;
  async function replaced(input: unknown, context: ToolContext = {}): Promise<unknown> {
    if (context.agent && context.mastra === undefined && options.mode !== "wait") {
      throw new ConfigurationError(
        `The agent of ${name} has no storage, so a suspended run could not be resumed. ` +
          'Give it to new Mastra({ agents, storage }), or use mode: "wait".',
      );
    }
    const passed = await pass(
      options,
      placeOf(name, context),
      {
        tool: name,
        args: input,
        ...read,
        ...(facts ? { facts: (args: Json) => facts(args as never) } : {}),
      },
      (execution) => execute.call(tool, execution.args, insideOf(name, context, execution)),
    );
    return passed.suspended ? undefined : passed.result;
  }
  // On the function, so that a copy of the tool stays marked, and one with another execute does not.
  Object.defineProperty(replaced, guarded, { value: true });
  const copy = Object.create(Object.getPrototypeOf(tool), Object.getOwnPropertyDescriptors(tool));
  return Object.defineProperty(copy, "execute", {
    value: replaced,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

function placeOf(name: string, context: ToolContext): Place {
  const { agent, workflow, mcp, requestContext } = context;
  const scope: Scope = workflow ?? agent ?? context;
  const memory = memoryIn(requestContext);
  return {
    agent: text(workflow?.workflowId) ?? text(scope.agentId) ?? "",
    thread: text(scope.threadId) ?? memory.thread,
    resource: text(scope.resourceId) ?? memory.resource,
    requestContext: requestContext ?? null,
    callId: text(scope.toolCallId),
    step: workflow ? name : null,
    run: text(scope.runId) ?? text(context.runId),
    // Only a run can be resumed. Elsewhere (an MCP server) whoever calls would have to call again, and is not known again.
    suspend: !mcp && (workflow || scope.toolCallId) ? pauseOf(scope, workflow !== undefined) : undefined,
    resumeData: scope.resumeData,
    suspendPayload: scope.suspendPayload,
    signal: mcp?.extra?.signal ?? context.abortSignal,
  };
}

/** A workflow's run is resumed by label: the request. An agent's is resumed by the call. */
function pauseOf({ suspend }: Scope, labelled: boolean): Place["suspend"] {
  if (!suspend || !labelled) return suspend;
  return (payload) => suspend(payload, { resumeLabel: payload.request });
}

/**
 * The context that the tool itself gets. It never sees a wake-up, which is not its own resume data and for which
 * Mastra would leave its input unvalidated; and it cannot suspend: resumed, it would run again for one approval.
 */
function insideOf(name: string, context: ToolContext, execution: Execution): ToolContext {
  const suspend = () => {
    throw new ConfigurationError(
      `The guarded tool ${name} cannot suspend itself: resumed, it would run again for one approval. ` +
        "Ask for what it needs in a tool of its own.",
    );
  };
  const inside = <S extends Scope>(scope: S): S => ({
    ...scope,
    ...(scope.suspend ? { suspend } : {}),
    resumeData: undefined,
    suspendPayload: undefined,
  });
  const own = {
    ...inside(context),
    ...(context.agent ? { agent: inside(context.agent) } : {}),
    ...(context.workflow ? { workflow: inside(context.workflow) } : {}),
  };
  return withExecution(own, execution);
}
