/** How a guarded tool learns in which execution it runs: by the options object that its framework passes it. */
import type { Execution } from "../gate/types.ts";

const executions = new WeakMap<object, Execution>();

/** Remembers the execution for as long as `options` lives; each run needs an object of its own. */
export function bindExecution(options: object, execution: Execution): void {
  executions.set(options, execution);
}

/**
 * The execution that a guarded tool runs in, by the options that the framework passes to it; undefined where the
 * tool is not guarded. Pass `executionId` on as an idempotency key.
 */
export function executionOf(options: object): Execution | undefined {
  return executions.get(options);
}
