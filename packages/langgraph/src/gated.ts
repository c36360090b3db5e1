/**
 * A LangChain tool whose every call goes to a gate: the same tool in all its fields and of the same class, except
 * that what would run it asks first.
 *
 * Guarantees: the gate gets the input after the tool's own schema has taken it, so that what is asked is what
 * runs, and input that does not fit reaches nobody; whichever way the tool is called (invoke, call, batch,
 * stream), it passes the gate; what a tool yields while it runs is yielded inside.
 */
import { ConfigurationError, type Execution, type Json } from "@guard/core";
import { bindExecution, executionOf as find } from "@guard/core/plugin";
import type { CallbackManagerForToolRun } from "@langchain/core/callbacks/manager";
import type { StructuredToolInterface, ToolRunnableConfig } from "@langchain/core/tools";
import { runOnce } from "./suspend.ts";

/** One call, on its way into the tool. */
export interface GatedCall {
  /** A JSON object: a tool that takes a text has it in `input`. */
  readonly args: unknown;
  readonly config: ToolRunnableConfig;
  /** Runs the tool with what was approved. */
  readonly run: (execution: Execution) => Promise<unknown>;
}

export type Gate = (call: GatedCall) => Promise<unknown>;

type Call = (input: unknown, manager?: CallbackManagerForToolRun, config?: ToolRunnableConfig) => unknown;

const guarded = Symbol.for("guard.langgraph.guarded");
const executionKey = "guardExecution";

/**
 * The execution that a guarded tool runs in, by the config that LangChain passes to the tool as its second
 * argument; undefined where the tool is not guarded. Pass `executionId` on as an idempotency key.
 */
export function executionOf(config: object): Execution | undefined {
  // LangChain copies the config on the way, but not what is in it.
  const holder = (config as { [executionKey]?: object })[executionKey];
  return holder && find(holder);
}

/** Whether a tool passes a gate already. */
function isGated(tool: object): boolean {
  const call = (tool as { _call?: unknown })._call;
  return typeof call === "function" && Object.hasOwn(call, guarded);
}

/** @throws ConfigurationError where calls could pass by the gate, or would pass two. */
export function checkGateable(who: string, name: string, tool: object): void {
  if (isGated(tool))
    throw new ConfigurationError(`${who}: the tool ${name} is guarded already. Wrap it once.`);
  if (typeof (tool as { _call?: unknown })._call !== "function") {
    throw new ConfigurationError(
      `${who}: ${name} is no tool that runs here (a provider's tool, or a Runnable), so no guard can stop it. ` +
        "Make it one with tool(), or list it in ungated.",
    );
  }
}

/** The tool behind its gate. */
export function gated<T extends StructuredToolInterface>(tool: T, gate: Gate): T {
  const original = (tool as unknown as { _call: Call })._call;
  const call: Call = async (input, manager, config = {}) =>
    gate({
      args: boxed(input),
      config,
      async run(execution) {
        // An object of its own for each run, which nobody else can make up.
        const own = { ...config, [executionKey]: {} };
        bindExecution(own[executionKey], execution);
        const args = typeof input === "object" ? execution.args : unboxed(execution.args);
        return runOnce(`The tool ${tool.name}`, execution, async () =>
          readToEnd(await original.call(tool, args, manager, own), manager),
        );
      },
    });
  Object.defineProperty(call, guarded, { value: true });
  const replaced = { value: call, writable: true, enumerable: false, configurable: true };
  return Object.create(Object.getPrototypeOf(tool), {
    ...Object.getOwnPropertyDescriptors(tool),
    _call: replaced,
    // What `tool()` makes has its function there too, for whoever calls that.
    ...("func" in tool ? { func: { ...replaced, enumerable: true } } : {}),
  }) as T;
}

const boxed = (input: unknown) => (typeof input === "object" ? input : input === undefined ? {} : { input });

const unboxed = (args: Json) => (args as { readonly input?: Json }).input;

/** As LangChain itself reads a tool that yields: each value is an event, what it returns is the result. */
async function readToEnd(result: unknown, manager: CallbackManagerForToolRun | undefined): Promise<unknown> {
  if (typeof result !== "object" || result === null || !(Symbol.asyncIterator in result)) return result;
  const values = result as AsyncGenerator<unknown, unknown>;
  if (typeof values.next !== "function") return result;
  for (;;) {
    const { done, value } = await values.next();
    if (done) return value;
    await manager?.handleToolEvent?.(value);
  }
}
