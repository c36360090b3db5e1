/**
 * One attempt of a suspended call: check it, and run it where it is ready. A framework that starts a step again
 * from its top makes the same attempt again, and gets what has become of it.
 *
 * Guarantees: what the framework was resumed with grants nothing (forged-history, self-approval-by-model); a call
 * that another process runs, or has just run, is neither run again nor called a failure (double-execution).
 */
import { AlreadyExecutedError, type GuardError, isGuardError } from "../errors.ts";
import type { Guard } from "../gate/guard.ts";
import type { ActionInput, Execute, OwnRequest } from "../gate/types.ts";
import { isElsewhere, refusalOf } from "./refusal.ts";

export type Attempt<R> =
  | { readonly status: "ran"; readonly result: R }
  | { readonly status: "denied"; readonly error: GuardError }
  /** Nobody has answered, or another process runs it right now: suspend, and attempt it again when woken. */
  | {
      readonly status: "pending";
      readonly requestId: string;
      /** Until when it can be answered; null where nobody has to answer any more. */
      readonly expiresAt: number | null;
    };

export interface AttemptOptions {
  readonly key?: string;
  /** What the framework was resumed with, if it was: {@link wakeValue}, or whatever somebody else made up. */
  readonly wake?: unknown;
}

/** @throws what `execute` throws; an {@link Attempt} says everything else. */
export async function attempt<R>(
  guard: Guard,
  action: ActionInput,
  execute: Execute<R>,
  { key, wake }: AttemptOptions = {},
): Promise<Attempt<R>> {
  const check = await guard.check(action, { mode: "suspend", ...(key === undefined ? {} : { key }) });
  if (check.status === "pending") return check;
  if (check.status === "denied") return refused(check.error, wake);
  let started = false;
  try {
    const result = await check.run((execution) => {
      started = true;
      return execute(execution);
    });
    return { status: "ran", result };
  } catch (error) {
    if (started || !isGuardError(error)) throw error;
    return refused(error, wake);
  }
}

function refused<R>(error: GuardError, wake: unknown): Attempt<R> {
  const { code, request } = error;
  if (request !== undefined && isElsewhere(error)) {
    // Whoever ran it a moment ago is about to write its result down: this run would only spoil that.
    if (code === "in_progress" || !isLost(wake, request))
      return { status: "pending", requestId: request, expiresAt: null };
    const lost = new AlreadyExecutedError(refusalOf(error), { request, cause: error });
    return { status: "denied", error: lost };
  }
  return { status: "denied", error };
}

/** What a worker resumes a run with. It says which request to look at, and grants nothing. */
export function wakeValue({ request, state }: Pick<OwnRequest, "request" | "state">) {
  return { guard: "wake-up", request, state } as const;
}

/**
 * Whether this wake-up says that the call ran and its result never arrived. A forged one is harmless: the model
 * is told that the call has run, which is so.
 */
function isLost(wake: unknown, request: string): boolean {
  if (typeof wake !== "object" || wake === null) return false;
  const value = wake as { guard?: unknown; request?: unknown; state?: unknown };
  return value.guard === "wake-up" && value.request === request && value.state === "completed";
}
