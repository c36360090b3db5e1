/**
 * `guardHooks`: Mastra's tool hooks as a gate, for every tool that an agent has, also those that come with a call.
 *
 * Mastra runs the tool between two hooks, and the gate has to hold the whole of it: the first hook starts the
 * gate's run and leaves it open until the second one says how the tool ended. Mastra calls the second one for
 * every tool that the first let through, also where it throws or was aborted. (Running the tool in the first hook
 * instead would take away Mastra's validation, tracing and error handling, which are in the tool that it built.)
 *
 * Guarantees: the tool gets exactly what was approved; Mastra validates it, resumed or not. Hooks given with a
 * call REPLACE these: where that can happen, use `guardAgent` or `guardTools`, whose gate is in the tools.
 */
import { ConfigurationError, type Execution, type Facts, type Json } from "@guard/core";
import type { RequestContext } from "@mastra/core/request-context";
import type { ToolAfterHookContext, ToolHookContext, ToolHooks } from "@mastra/core/tools";
import { memoryIn, type Passed, type Place, pass, text } from "./call.ts";
import { type CallOptions, callOptions, checkOptions } from "./options.ts";

export interface GuardHooksOptions extends CallOptions {
  /** What a call means beside its arguments, by tool. */
  readonly facts?: Readonly<Record<string, (input: never) => Facts>>;
  /** Tools that run without the guard, by name: `agent-…` where that agent is guarded itself. */
  readonly ungated?: readonly string[];
}

/** What Mastra passes to a tool, and so to the hooks around it. */
interface HookScope {
  readonly toolCallId?: string;
  readonly requestContext?: RequestContext;
  readonly abortSignal?: AbortSignal;
  suspend?: (payload: object) => unknown;
  resumeData?: unknown;
  suspendPayload?: unknown;
}

interface Span {
  readonly tool: PromiseWithResolvers<unknown>;
  readonly whole: Promise<unknown>;
}

const guarding = Symbol.for("guard.mastra.hooks");

/** @throws ConfigurationError that says what to do. */
export function guardHooks(options: GuardHooksOptions): Required<ToolHooks> {
  // Names are not checked: which tools come with a call is not known yet, and a misspelt one stays guarded.
  checkOptions("guardHooks", options, { known: [...callOptions, "facts", "ungated"] });
  return hooksFor(options, () => false);
}

/** Whether these hooks, or hooks that hold them, are a gate. */
export const areGuarding = (hooks: ToolHooks | undefined): boolean =>
  typeof hooks?.beforeToolCall === "function" && Object.hasOwn(hooks.beforeToolCall, guarding);

/** Two hooks that are a gate together. Mastra calls the first as a member of the hooks that it uses, so it sees the other. */
export function together(hooks: Required<ToolHooks>): Required<ToolHooks> {
  const made: Required<ToolHooks> = {
    async beforeToolCall(this: ToolHooks | undefined, call) {
      if (this && this.afterToolCall !== made.afterToolCall) {
        throw new ConfigurationError(
          "A hook afterToolCall that was given with the call replaces the guard's, which records how the tool ended. " +
            "Give it to guardAgent as one of the agent's own hooks: they are kept.",
        );
      }
      return hooks.beforeToolCall(call);
    },
    afterToolCall: hooks.afterToolCall,
  };
  Object.defineProperty(made.beforeToolCall, guarding, { value: true });
  return made;
}

/** `elsewhere` names tools whose gate is not here. */
export function hooksFor(
  { facts = {}, ungated = [], ...options }: GuardHooksOptions,
  elsewhere: (tool: string) => boolean,
): Required<ToolHooks> {
  const spans = new WeakMap<object, Span>();
  return together({
    async beforeToolCall(call: ToolHookContext) {
      const { toolName } = call;
      if (ungated.includes(toolName) || elsewhere(toolName)) return;
      const scope = call.context as HookScope;
      const tool = Promise.withResolvers<unknown>();
      const started = Promise.withResolvers<Execution>();
      const own = Object.hasOwn(facts, toolName) ? facts[toolName] : undefined;
      const whole = pass(
        options,
        placeOf(call, scope),
        {
          tool: toolName,
          args: call.input,
          ...(own ? { facts: (args: Json) => own(args as never) } : {}),
          // No schema is known here, so nobody could hold an edit against it: approvers cannot edit (edited-tool-escape).
        },
        (execution) => {
          started.resolve(execution);
          return tool.promise;
        },
      );
      const first = await Promise.race<Execution | Passed<unknown>>([started.promise, whole]);
      // Nothing but a pause ends the gate's run before the tool does.
      if ("suspended" in first) return { proceed: false, output: undefined };
      whole.catch(() => {}); // Told by the second hook, or by Mastra where the tool itself fails.
      spans.set(scope, { tool, whole });
      replace(call.input as object, first.args);
      close(toolName, scope);
    },
    async afterToolCall(call: ToolAfterHookContext) {
      const span = spans.get(call.context as object);
      if (!span) return;
      spans.delete(call.context as object);
      if (!Object.hasOwn(call, "error")) {
        span.tool.resolve(call.output);
        await span.whole;
        return;
      }
      span.tool.reject(call.error);
      await span.whole.catch((error: unknown) => {
        if (error !== call.error) throw error;
      });
    },
  });
}

function placeOf(call: ToolHookContext, scope: HookScope): Place {
  return {
    ...memoryIn(scope.requestContext),
    agent: text(call.metadata?.agentId) ?? "",
    requestContext: scope.requestContext ?? null,
    callId: text(scope.toolCallId),
    step: null,
    run: null, // Mastra does not tell hooks.
    suspend: scope.suspend,
    resumeData: scope.resumeData,
    suspendPayload: scope.suspendPayload,
    signal: scope.abortSignal,
  };
}

/** Makes `input`, which the tool will get, exactly what was approved. */
function replace(input: object, approved: Json): void {
  for (const name of Reflect.ownKeys(input)) Reflect.deleteProperty(input, name);
  for (const [name, value] of Object.entries(approved as object)) {
    Object.defineProperty(input, name, { value, writable: true, enumerable: true, configurable: true });
  }
}

/** The tool never sees the wake-up, for which Mastra would not validate its input; nor can it suspend, and so run twice. */
function close(tool: string, scope: HookScope): void {
  scope.resumeData = undefined;
  scope.suspendPayload = undefined;
  scope.suspend = () => {
    throw new ConfigurationError(
      `The guarded tool ${tool} cannot suspend: resumed, it would run again for one approval. ` +
        "If it is an agent or a workflow whose own calls are guarded, list it in ungated.",
    );
  };
}
