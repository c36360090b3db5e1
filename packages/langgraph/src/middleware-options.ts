/**
 * The options of `guardMiddleware`, checked when it is made, and the agent around it, checked when its worker is made:
 * middleware alone is not told what an agent is built of.
 *
 * Guarantee: options that nobody knows, and an agent whose other middleware would lose a pause, hide errors or ask
 * people twice, are refused before a run is resumed (config-fail-open).
 */
import { ConfigurationError, type Guard } from "@guard/core";
import { checkToolOptions } from "@guard/core/plugin";
import type { ToolFacts } from "./call.ts";
import { type AnyTool, gateable, nameOf, namesOf } from "./guard-tools.ts";

export interface GuardMiddlewareOptions {
  readonly guard: Guard;
  /** `suspend` (default): the run pauses and the process may go away. `wait`: the call waits, without a checkpointer. */
  readonly mode?: "suspend" | "wait";
  /** The conversation, ticket or job, where calls wait. Default, and always where runs are suspended: the thread. */
  readonly session?: string;
  /** On whose behalf the agent acts: this person cannot approve. */
  readonly requester?: string;
  /** What a call means beside its arguments, by the tool's name. */
  readonly facts?: ToolFacts;
  /** Tools that run without the guard, by name. */
  readonly ungated?: readonly string[];
  /**
   * Where an error of a tool goes. `model` (default): the model reads it, as in an agent without middleware around
   * its tools. `throw`: to the middleware around this one, for instance `toolErrorMiddleware`.
   */
  readonly toolErrors?: "model" | "throw";
  /** The agent's tools, if they are to be checked here and not when they are called first. */
  readonly tools?: readonly AnyTool[];
}

export const who = "guardMiddleware";
const known = ["guard", "mode", "session", "requester", "facts", "ungated", "toolErrors", "tools"];

function refuse(why: string): never {
  throw new ConfigurationError(`${who}: ${why}`);
}

/** @throws ConfigurationError */
export function checkOptions(options: GuardMiddlewareOptions): void {
  const { mode = "suspend", toolErrors = "model", tools } = options;
  checkToolOptions(who, options, { known, ...(tools ? { tools: namesOf(who, tools) } : {}) });
  if (toolErrors !== "model" && toolErrors !== "throw") {
    refuse(`toolErrors is "model" or "throw", not ${String(toolErrors)}.`);
  }
  if (mode === "suspend" && options.session !== undefined) {
    refuse(
      "where runs are suspended, the session is the thread, by which a worker finds the run. " +
        'Leave session out, or use mode: "wait".',
    );
  }
}

const made = new WeakMap<object, GuardMiddlewareOptions>();

/** Remembers with which options a middleware was made, for {@link checkAgent}. */
export function remembered<T extends object>(middleware: T, options: GuardMiddlewareOptions): T {
  made.set(middleware, options);
  return middleware;
}

/** What is looked at of the agent that `createAgent` returns. */
interface Agent {
  readonly options?: {
    readonly middleware?: readonly { readonly name?: string; readonly tools?: readonly AnyTool[] }[];
    readonly tools?: readonly AnyTool[];
    readonly version?: string;
  };
}

/** Any graph without `guardMiddleware` passes. @throws ConfigurationError that says what to do. */
export function checkAgent(graph: object): void {
  const { middleware = [], tools = [], version } = (graph as Agent).options ?? {};
  const at = middleware.findIndex((each) => made.has(each));
  const options = made.get(middleware[at] ?? {});
  if (!options) return;
  const { mode = "suspend", toolErrors = "model", ungated = [] } = options;
  const around = new Set(middleware.slice(0, at).map(({ name }) => name));
  if (mode === "suspend" && around.has("toolRetryMiddleware")) {
    refuse("toolRetryMiddleware around it takes a pause for an error. Put it behind guardMiddleware.");
  }
  if (toolErrors === "model" && around.has("toolErrorMiddleware")) {
    refuse('toolErrorMiddleware around it would see no error. Set toolErrors: "throw".');
  }
  if (ungated.length === 0 && middleware.some(({ name }) => name === "HumanInTheLoopMiddleware")) {
    refuse(
      "humanInTheLoopMiddleware beside it asks about the same calls, and its answers are not verified. Remove it, " +
        "or list the tools that it is for in ungated.",
    );
  }
  if (mode === "suspend" && version === "v1") {
    refuse(
      'an agent of version "v1" runs all calls of a turn again when it is resumed. Leave the version out.',
    );
  }
  const all = [...tools, ...middleware.flatMap((each) => each.tools ?? [])];
  checkToolOptions(who, options, { known, tools: namesOf(who, all) });
  for (const tool of all) if (!ungated.includes(nameOf(tool))) gateable(who, tool);
}
