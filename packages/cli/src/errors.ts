/**
 * How a command ends: 0 done, 1 refused or failed, 2 used wrongly. A person's mistake gets a sentence that
 * says what to do, and no stack trace; a mistake of ours keeps its stack.
 */
import { isGuardError } from "@guard/core";
import { visible } from "@guard/device";
import { remark } from "./terminal.ts";

/** Says what went wrong and returns the exit code. */
export function exitCodeOf(error: unknown): number {
  if (isGuardError(error)) {
    remark(`guard: ${visible(error.message, { lines: true })}`);
    return 1;
  }
  const system = error as NodeJS.ErrnoException;
  if (error instanceof Error && typeof system.code === "string" && typeof system.syscall === "string") {
    remark(`guard: ${visible(error.message)}`);
    return 1;
  }
  remark(error instanceof Error && error.stack ? error.stack : `guard: ${String(error)}`);
  return 1;
}
