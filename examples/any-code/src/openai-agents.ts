/**
 * An agent of the OpenAI Agents SDK that refunds orders, in two ways. `waitingAgent` holds the tool call until
 * people have answered. `suspendingAgent` ends the run; its state is a text that any process may go on with.
 *
 * In both, the tool runs through the gate: what the SDK's state says about approvals grants nothing.
 */
import { type Guard, isGuardError, isPassing } from "@guard/core";
import { Agent, type Model, RunState, run, tool } from "@openai/agents";
import * as z from "zod";

export const Refund = z.strictObject({ order: z.string(), amount: z.number() });
export type Refund = z.infer<typeof Refund>;

export interface Support {
  readonly guard: Guard;
  readonly model: Model;
  /** The conversation: after a restart, its open requests are found again. */
  readonly session: string;
  readonly refund: (refund: Refund, idempotencyKey: string) => Promise<string>;
}

const refundTool = { name: "refund", description: "Refunds an order", parameters: Refund } as const;

/** The SDK hides a tool's errors from the model; that somebody rejected, and why, it has to know. */
function toldToModel(_context: unknown, error: unknown): string {
  return isGuardError(error) ? error.message : "An error occurred while running the tool.";
}

export function waitingAgent({ guard, model, session, refund }: Support) {
  const guarded = guard.protect("refund", (args: Refund, { executionId }) => refund(args, executionId), {
    schema: Refund,
    session,
  });
  return new Agent({
    name: "Support",
    model,
    tools: [
      tool({
        ...refundTool,
        errorFunction: toldToModel,
        // The SDK's signal (a timeout, an aborted run) ends the waiting.
        execute: (args, _context, details) =>
          guarded(args, details?.signal ? { signal: details.signal } : {}),
      }),
    ],
  });
}

/** A run that ended, or the text from which it goes on once people have answered. */
export type Ended = { readonly output: string } | { readonly state: string };

export function suspendingAgent({ guard, model, session, refund }: Support) {
  const check = (args: unknown, callId: string) =>
    // The call's id survives in the SDK's state: asking again about the same call finds the same request.
    guard.check({ tool: "refund", args, session, callId, stableCallId: true, validate }, { mode: "suspend" });

  // Calls that wait. The SDK asks about them again while it goes on with the others; `goOn` alone lets them go.
  const waiting = new Set<string>();
  const agent = new Agent({
    name: "Support",
    model,
    tools: [
      tool({
        ...refundTool,
        errorFunction: toldToModel,
        async needsApproval(_context, args, callId = "") {
          if (!waiting.has(callId) && (await check(args, callId)).status === "pending") waiting.add(callId);
          return waiting.has(callId);
        },
        async execute(args, _context, details) {
          const checked = await check(args, details?.toolCall?.callId ?? "");
          if (checked.status === "ready")
            return checked.run((execution) => refund(Refund.parse(execution.args), execution.executionId));
          if (checked.status === "denied") throw checked.error;
          throw new Error("Nobody has answered yet: something else than the gate approved this call.");
        },
      }),
    ],
  });

  async function go(input: string | RunState<undefined, typeof agent>): Promise<Ended> {
    const result = await run(agent, input);
    if (result.interruptions.length > 0) return { state: result.state.toString() };
    return { output: result.finalOutput ?? "" };
  }

  return {
    agent,
    begin: (input: string) => go(input),

    /** Goes on with a run, in any process, as far as people have answered. `guard.wakeUps` says when to try. */
    async goOn(text: string): Promise<Ended> {
      const state = await RunState.fromString<undefined, typeof agent>(agent, text);
      for (const item of state.getInterruptions()) {
        const { callId } = item.rawItem as { readonly callId: string };
        const checked = await check(JSON.parse(item.arguments ?? "null"), callId);
        if (checked.status === "pending") waiting.add(callId);
        else if (checked.status === "ready") state.approve(item);
        else if (isPassing(checked.error)) throw checked.error;
        else state.reject(item, { message: checked.error.message });
      }
      return go(state);
    },
  };
}

const validate = async (args: unknown) => Refund.parseAsync(args);
