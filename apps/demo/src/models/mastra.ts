/** The scripted model as Mastra takes it. */
import type { MastraModelConfig } from "@mastra/core/llm";
import { scriptedModel as aiSdkModel } from "./ai-sdk.ts";

/** Mastra's own copy of the SDK's types does not know one way for a model to end ("interrupted"), which this one never does. */
export const scriptedModel = () => aiSdkModel() as unknown as MastraModelConfig;
