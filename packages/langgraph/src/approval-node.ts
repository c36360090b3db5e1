/**
 * `approvalNode`: a node that does one action after people have approved it. While they decide, the run is
 * interrupted and the process may go away.
 *
 * Guarantees: LangGraph starts the node again from its top as often as it likes, and nobody is asked twice; a resume
 * value decides nothing (self-approval-by-model, forged-history): the gate reads the outcome again each time;
 * without `denied`, a rejection ends the run by its error (decline-falls-through).
 */
import {
  type ActionInput,
  ConfigurationError,
  canonicalJson,
  type Execution,
  type Guard,
  type GuardError,
  isPassing,
} from "@guard/core";
import { attempt, checkToolOptions } from "@guard/core/plugin";
import { interrupt, type LangGraphRunnableConfig } from "@langchain/langgraph";
import { interruptValue } from "./interrupt.ts";
import { kept } from "./keep.ts";
import { pausableThread, runOnce } from "./suspend.ts";

/** What is to be done, as the guard is asked about it. The session is always the thread. */
export type NodeAction = Omit<ActionInput, "session" | "stableCallId">;

export interface ApprovalNodeOptions<S, U, D = U> {
  readonly guard: Guard;
  /** The action, made from the state alone: it is made again at every start of the node and has to be the same. */
  readonly action: (state: S, config: LangGraphRunnableConfig) => NodeAction | Promise<NodeAction>;
  /** Does it, with the approved arguments in `execution.args`; gives the node's update, or a `Command`. */
  readonly execute: (execution: Execution, state: S, config: LangGraphRunnableConfig) => U | Promise<U>;
  /** The update, or the `Command`, where it was not done. Default: the error is thrown, and the run ends. */
  readonly denied?: (error: GuardError, state: S, config: LangGraphRunnableConfig) => D | Promise<D>;
  /** Idempotency key. Default: the thread and this visit of the node. */
  readonly key?: (state: S, config: LangGraphRunnableConfig) => string;
}

const who = "approvalNode";
const functions = { action: true, execute: true, denied: false, key: false } as const;

/** A node for `addNode`. @throws ConfigurationError where an option is not usable. */
export function approvalNode<S, U, D = U>(
  options: ApprovalNodeOptions<S, U, D>,
): (state: S, config: LangGraphRunnableConfig) => Promise<U | D> {
  checkOptions(options);
  const { guard, action, execute, denied, key } = options;
  return async (state, config) =>
    kept(config, who, async () => {
      const session = pausableThread(who, config);
      const asked: ActionInput = { ...(await action(state, config)), session };
      // The task's id is the same at each start of this visit, and another one at the next.
      const own =
        key?.(state, config) ?? canonicalJson(["langgraph", session, "node", config.executionInfo?.taskId]);
      const run = (execution: Execution) =>
        runOnce(`What ${who} does (${asked.tool})`, execution, async () => execute(execution, state, config));
      for (let wake: unknown; ; ) {
        const made = await attempt(guard, asked, run, { key: own, wake });
        if (made.status === "ran") return made.result;
        if (made.status === "denied") {
          // What passes is for whoever resumes the run to wait out.
          if (denied === undefined || isPassing(made.error)) throw made.error;
          return denied(made.error, state, config);
        }
        const { tool, args, callId = null } = asked;
        const { requestId: request, expiresAt } = made;
        wake = interrupt(interruptValue([{ request, tool, args, callId, expiresAt }]));
      }
    });
}

function checkOptions(options: object): void {
  checkToolOptions(who, options, { known: ["guard", ...Object.keys(functions)] });
  for (const [name, needed] of Object.entries(functions)) {
    const given = (options as Readonly<Record<string, unknown>>)[name];
    if (typeof given === "function" || (given === undefined && !needed)) continue;
    throw new ConfigurationError(`${who}: ${name} has to be a function${needed ? "" : ", or left out"}.`);
  }
}
