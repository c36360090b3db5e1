/** `@guard/mastra`: Guard for Mastra 1. */
export type { ResumeWorker, WakeUp } from "@guard/core/plugin";
export { type ApprovalStepOptions, approvalStep, type StepParams } from "./approval-step.ts";
export { executionOf, type Suspension } from "./call.ts";
export { type GuardAgentOptions, guardAgent } from "./guard-agent.ts";
export { type GuardHooksOptions, guardHooks } from "./guard-hooks.ts";
export { type GuardToolOptions, type GuardToolsOptions, guardTool, guardTools } from "./guard-tools.ts";
export type { Caller, CallOptions } from "./options.ts";
export { type Resumed, type ResumeWorkerOptions, resumeWorker } from "./resume-worker.ts";
