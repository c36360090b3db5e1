/** `@guard/vercel-ai`: Guard for the Vercel AI SDK 7. */
export { executionOf, type ResumeWorker, type WakeUp } from "@guard/core/plugin";
export { type GuardToolsOptions, guardTools } from "./guard-tools.ts";
export { type GuardDataParts, type GuardPending, type GuardPendingPart, writePending } from "./pending.ts";
export { type ResumeMessagesOptions, resumeMessages } from "./resume.ts";
export { type SuspendedTools, type SuspendToolsOptions, suspendTools } from "./suspend-tools.ts";
export { type ResumeWorkerOptions, resumeWorker, type Wake } from "./worker.ts";
export type { ToolFacts } from "./wrap.ts";
