/** What a model reads of a call that did not run here: the plain truth, for a reader that cannot ask with another key. */
import { isGuardError } from "../errors.ts";

export function refusalOf(error: unknown): string {
  if (isGuardError(error, "in_progress")) {
    return "Another process is running this call right now, and its result is not here. Do not call it again.";
  }
  if (isGuardError(error, "already_executed")) {
    return "This call was approved and has run already, but its result is not here. Find out what it did before you call it again.";
  }
  return error instanceof Error ? error.message : String(error);
}

/** Whether another process runs the call, or has run it: that one stores its result. */
export function isElsewhere(error: unknown): boolean {
  return isGuardError(error, "in_progress") || isGuardError(error, "already_executed");
}
