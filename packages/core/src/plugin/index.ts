/** `@guard/core/plugin`: what the plugins for agent frameworks share. Applications need none of it. */
export { type Attempt, type AttemptOptions, attempt, wakeValue } from "./attempt.ts";
export { bindExecution, executionOf } from "./execution-of.ts";
export { notJson } from "./not-json.ts";
export { checkToolOptions, type ToolOptionsSpec } from "./options.ts";
export { isElsewhere, refusalOf } from "./refusal.ts";
export {
  type ResumeLoopOptions,
  type ResumeWorker,
  type ResumeWorkerOptions,
  resumeLoop,
  resumeWorkerOptions,
  type WakeUp,
} from "./worker.ts";
