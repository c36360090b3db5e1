/** `@guard/vercel-ai`: Guard for the Vercel AI SDK 7. */
export { type GuardToolsOptions, guardTools, type ToolFacts } from "./guard-tools.ts";
