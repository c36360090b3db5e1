/**
 * `suspendTools`, the mode in which the run ends where people have to be asked, and another process goes on with
 * it once they have answered: the SDK's own approval requests, decided by the gate.
 *
 * Guarantees: a call runs only where `toolApproval` has just found it ready in the gate, with the arguments that
 * were approved, once. Nothing else grants anything: not a message, not a client's answer (forged-history), and
 * not `tools` without `toolApproval` (config-fail-open). An error denies the call and does not lose the run, except
 * where another process goes on with the same chat: then this one stops before it has begun (double-execution).
 */
import { type Check, ConfigurationError, type Guard } from "@guard/core";
import { checkToolOptions, isElsewhere, refusalOf } from "@guard/core/plugin";
import type { ModelMessage, ToolApprovalStatus, ToolSet } from "ai";
import { claim, type Runnable } from "./claim.ts";
import { type AnyCall, askedOf, isInHistory, sameJson } from "./history.ts";
import { isInside } from "./inside.ts";
import { type GuardPending, untilWhen } from "./pending.ts";
import { type Call, type ExecuteTool, lastOf, type Original, type ToolFacts, wrapTools } from "./wrap.ts";
import { yielded } from "./yielded.ts";

export interface SuspendToolsOptions<T extends ToolSet> {
  readonly guard: Guard;
  /** The id under which the chat is stored: by it a later process finds the requests, and a worker finds the chat. */
  readonly session: string;
  /** On whose behalf the agent acts: this person cannot approve. */
  readonly requester?: string;
  readonly facts?: ToolFacts<T>;
  /** Tools that run without the guard, by name: provider-executed and client-side tools have to be listed. */
  readonly ungated?: readonly (keyof T & string)[];
  /** Told of each call of this chat that waits, once it was asked; `writePending` shows it on a page. */
  readonly onPending?: (pending: GuardPending) => void | Promise<void>;
}

/** To be spread into `generateText`, `streamText` or a `ToolLoopAgent`: both members belong together. */
export interface SuspendedTools<T extends ToolSet> {
  readonly tools: T;
  readonly toolApproval: (call: {
    readonly toolCall: AnyCall;
    readonly tools: ToolSet | undefined;
    readonly messages: ModelMessage[];
  }) => Promise<ToolApprovalStatus>;
}

/** What the gate says of a suspended tool's call. */
export type Ask = (input: unknown, callId: string) => Promise<Check>;

const together =
  "Pass on tools and toolApproval of one and the same suspendTools: generateText({ model, ...suspendTools(tools, options) }).";
const alone =
  "It is called by a sub-agent, of which nothing is stored, so that it could never go on. Give a sub-agent its tools by guardTools.";
const known = ["guard", "session", "requester", "facts", "ungated", "onPending"];
const asks = new WeakMap<object, Ask>();

/** How the gate is asked about a tool that `suspendTools` made; undefined for all others. */
export function askOf(tool: ToolSet[string] | undefined): Ask | undefined {
  return typeof tool?.execute === "function" ? asks.get(tool.execute) : undefined;
}

/** @throws ConfigurationError that names the tool or option and says what to do. */
export function suspendTools<T extends ToolSet>(
  tools: T,
  options: SuspendToolsOptions<T>,
): SuspendedTools<T> {
  checkOptions(tools, options);
  const { guard, session, onPending } = options;
  const ungated = new Set<string>(options.ungated);
  const ready = new Map<string, { readonly tool: string; readonly check: Runnable }>();
  const claims = new WeakSet<object>();

  const wrapped = wrapTools("suspendTools", tools, options, (original) => {
    const execute = running(original, (callId) => {
      const found = ready.get(callId);
      ready.delete(callId);
      if (found?.tool === original.name) return found.check;
      throw new ConfigurationError(
        `${original.name} did not run: toolApproval has not let this call pass. ${together}`,
      );
    });
    asks.set(execute, (input, callId) =>
      guard.check({ ...original.action(input, callId), stableCallId: true }, { mode: "suspend" }),
    );
    return execute;
  });

  async function statusOf(
    toolCall: AnyCall,
    messages: readonly ModelMessage[],
    given: ToolSet = {},
  ): Promise<ToolApprovalStatus> {
    const { toolCallId, toolName, input } = toolCall;
    if (ungated.has(toolName)) return "not-applicable";
    const own = Object.hasOwn(wrapped, toolName) ? wrapped[toolName] : undefined;
    const ask = askOf(own);
    if (!ask)
      return denied(`${toolName} did not run: it is not one of the tools that suspendTools was given.`);
    // A tool that runs by itself would not be stopped by what is found here (config-fail-open).
    if (!Object.hasOwn(given, toolName) || given[toolName]?.execute !== own?.execute)
      return denied(`${toolName} did not run: ${together}`);
    if (isInside(session)) return denied(`${toolName} did not run: ${alone}`);
    const again = isInHistory(messages, toolCallId);
    const asked = again ? askedOf(toolCall) : { input, rewritten: false };
    const check = await ask(asked.input, toolCallId);
    if (check.status === "denied") {
      if (again && isElsewhere(check.error)) throw check.error;
      return denied(refusalOf(check.error));
    }
    if (check.status === "pending") {
      const { requestId: request, expiresAt, approvers, quorum } = check;
      const pending = { toolCallId, tool: toolName, approvers, quorum, expiresAt, request };
      // The SDK runs whatever is not denied here once somebody has answered in the history.
      if (again) return denied(`${toolName} did not run: nobody has approved it yet. ${untilWhen(pending)}`);
      await onPending?.(pending);
      return { type: "user-approval", reason: untilWhen(pending) };
    }
    if (asked.rewritten && !sameJson(check.args, input)) {
      return denied(`${toolName} did not run: its arguments in the history are not the approved ones.`);
    }
    // Of a chat that goes on, the first call that may run decides which process goes on with it.
    const first = again && !claims.has(messages);
    if (first) claims.add(messages);
    ready.set(toolCallId, { tool: toolName, check: first ? await claim(check) : check });
    return "not-applicable";
  }

  return {
    tools: wrapped,
    async toolApproval({ toolCall, tools: given, messages }) {
      ready.delete(toolCall.toolCallId);
      try {
        return await statusOf(toolCall, messages, given);
      } catch (error) {
        // Another process goes on with this chat. Nothing is lost with this run, which has not begun.
        if (isInHistory(messages, toolCall.toolCallId) && isElsewhere(error)) throw error;
        return denied(`${toolCall.toolName} did not run. ${refusalOf(error)}`);
      }
    },
  };
}

function denied(reason: string): ToolApprovalStatus {
  return { type: "denied", reason };
}

/** Runs what `take` finds ready. It throws where nothing is. */
function running(original: Original, take: (callId: string) => Runnable): ExecuteTool {
  if (original.yields) {
    return async function* (input, call) {
      void input; // What was approved runs, whatever became of the input since.
      const check = take(call.toolCallId);
      yield* yielded(
        (body) => check.run(body),
        (execution) => original.run(execution, call) as AsyncIterable<unknown>,
      );
    };
  }
  return async (_input: unknown, call: Call) =>
    take(call.toolCallId).run(async (execution) => lastOf(await original.run(execution, call)));
}

function checkOptions<T extends ToolSet>(tools: T, options: SuspendToolsOptions<T>): void {
  checkToolOptions("suspendTools", options, { known, tools: Object.keys(tools) });
  const { session, onPending, ungated = [] } = options;
  if (session === undefined || session === "") {
    throw new ConfigurationError(
      "suspendTools needs { session }: the id under which you store the chat. Without it no later process finds its requests.",
    );
  }
  if (onPending !== undefined && typeof onPending !== "function") {
    throw new ConfigurationError(
      "suspendTools: onPending has to be a function, for instance writePending(writer).",
    );
  }
  for (const name of ungated) {
    // A call's toolApproval hides what its tools say themselves.
    if (tools[name]?.needsApproval !== undefined) {
      throw new ConfigurationError(
        `suspendTools: the SDK would not look at needsApproval of ${name} any more. Take ${name} out of ungated and remove it.`,
      );
    }
  }
}
