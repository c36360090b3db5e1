/** `@guard/vercel-ai`: Guard for the Vercel AI SDK 7. */
export { executionOf } from "@guard/core/plugin";
export { type GuardToolsOptions, guardTools } from "./guard-tools.ts";
export type { ToolFacts } from "./wrap.ts";
