/** `@guard/langgraph`: Guard for LangGraph and LangChain. */
export type { ResumeWorker, WakeUp } from "@guard/core/plugin";
export { type ApprovalNodeOptions, approvalNode, type NodeAction } from "./approval-node.ts";
export type { ToolFacts } from "./call.ts";
export { executionOf } from "./gated.ts";
export { type AnyTool, type GuardToolsOptions, guardTools } from "./guard-tools.ts";
export type { GuardInterrupt, WaitingCall } from "./interrupt.ts";
export {
  type GuardMiddleware,
  guardMiddleware,
  type ToolCallRequest,
} from "./middleware.ts";
export type { GuardMiddlewareOptions } from "./middleware-options.ts";
export { type GuardToolNodeOptions, guardToolNode } from "./tool-node.ts";
export { type ResumableGraph, type ResumeGraphOptions, resumeWorker } from "./worker.ts";
