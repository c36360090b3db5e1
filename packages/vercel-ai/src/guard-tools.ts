/**
 * `guardTools`, the mode in which a call waits: the tools of an AI SDK call, each with an `execute` that asks,
 * waits, and runs what was approved.
 *
 * Guarantees: a tool that could run without the guard is refused when the tools are wrapped, not when the
 * model calls it; a rejection is thrown from `execute`, so the model gets a tool error with the reason.
 */
import type { Guard } from "@guard/core";
import { checkToolOptions } from "@guard/core/plugin";
import type { ToolSet } from "ai";
import { type Call, type ExecuteTool, lastOf, type Original, type ToolFacts, wrapTools } from "./wrap.ts";

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

const known = ["guard", "session", "requester", "facts", "ungated"];

/** @throws ConfigurationError that names the tool and says what to do. */
export function guardTools<T extends ToolSet>(tools: T, options: GuardToolsOptions<T>): T {
  checkToolOptions("guardTools", options, { known, tools: Object.keys(tools) });
  return wrapTools("guardTools", tools, options, (original) => waiting(options.guard, original));
}

function waiting(guard: Guard, original: Original): ExecuteTool {
  const runOptions = (call: Call) => (call.abortSignal ? { signal: call.abortSignal } : {});
  if (original.yields) {
    return async function* (input, call) {
      yield* guard.runStream(
        original.action(input, call.toolCallId),
        (execution) => original.run(execution, call) as AsyncIterable<unknown>,
        runOptions(call),
      );
    };
  }
  return async (input, call) =>
    guard.run(
      original.action(input, call.toolCallId),
      async (execution) => lastOf(await original.run(execution, call)),
      runOptions(call),
    );
}
