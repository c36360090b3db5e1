/** What the model reads where a suspended call did not run, or nobody here knows its result: the plain truth. */
import { isGuardError } from "@guard/core";

export function refusalOf(error: unknown): string {
  if (isGuardError(error, "in_progress")) {
    return "Another process is running this call right now, and its result is not here. Do not call it again.";
  }
  if (isGuardError(error, "already_executed")) {
    return "This call was approved and has run already, but its result is not here. Find out what it did before you call it again.";
  }
  return error instanceof Error ? error.message : String(error);
}

/** Whether another process runs the call, or has run it: whoever goes on with its chat is not this one. */
export function isElsewhere(error: unknown): boolean {
  return isGuardError(error, "in_progress") || isGuardError(error, "already_executed");
}
