/** `@guard/vercel-ai`: Guard for the Vercel AI SDK 7. */
export { executionOf, type GuardToolsOptions, guardTools, type ToolFacts } from "./guard-tools.ts";
