/**
 * A guard that also says what it does with each call, for whoever watches the demo. It sees every call of every
 * framework, so the agents need not tell, and changes none.
 */
import { type ActionInput, type Execute, type Execution, type Guard, isGuardError } from "@guard/core";
import { inWords, type Line, said } from "./output.ts";
import type { CallEnd } from "./processes.ts";
import type { ScriptedCall } from "./story.ts";

export interface Watcher {
  readonly tell: (line: Line) => void;
  readonly ended: (call: CallEnd) => void;
  /** Called when people have answered a suspended call, before anything is done about it. */
  readonly answered: (session: string) => Promise<void>;
}

type Args = ScriptedCall["args"];

export function watched(guard: Guard, { tell, ended, answered }: Watcher): Guard {
  const end = ({ tool, args, callId }: ActionInput, how: string, message: string) =>
    ended({ callId: callId ?? "", tool, args: args as Args, end: how, message });

  async function follow<R>(
    action: ActionInput,
    execute: Execute<R>,
    run: (execute: Execute<R>) => Promise<R>,
  ) {
    let started: Execution | undefined;
    try {
      const result = await run((execution) => {
        started = execution;
        return execute(execution);
      });
      const { args, request } = started as unknown as Execution;
      const ran = inWords(action.tool, args as Args);
      end(action, "ran", "");
      if (request === null) tell(said("agent", `${ran}   (allowed by a rule)`));
      else tell(said("guard", `ran ${ran}`, "good"));
      return result;
    } catch (error) {
      failed(action, error);
      throw error;
    }
  }

  /** A call that did not run. */
  function failed(action: ActionInput, error: unknown): void {
    const how = isGuardError(error) ? error.code : "error";
    const message = error instanceof Error ? error.message : String(error);
    end(action, how, message);
    const asked = isGuardError(error) && error.request !== undefined;
    if (!asked) tell(said("agent", inWords(action.tool, action.args as Args)));
    // Why, is what the model was told.
    if (how === "rejected" || how === "denied") tell(said("guard", `did not run it (${how})`, "danger"));
    else tell(said("guard", `refused (${how}): ${message}`, "danger"));
  }

  return {
    ...guard,
    run: (action, execute, options) =>
      follow(action, execute, (followed) => guard.run(action, followed, options)),
    async check(action, options) {
      const check = await guard.check(action, options);
      if (check.status === "pending") return check;
      await answered(action.session ?? "");
      if (check.status === "denied") {
        failed(action, check.error);
        return check;
      }
      return { ...check, run: (execute) => follow(action, execute, check.run) };
    },
  };
}
