// What the pages take for granted of an application that uses Mastra.
import type { MastraModelConfig } from "@mastra/core/llm";
import type { MastraCompositeStore } from "@mastra/core/storage";

export declare const model: MastraModelConfig;
export declare const storage: MastraCompositeStore;
