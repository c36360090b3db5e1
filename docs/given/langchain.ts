// What the pages take for granted of an application that uses LangChain.
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { StructuredToolInterface } from "@langchain/core/tools";
import type { BaseCheckpointSaver } from "@langchain/langgraph";

export declare const model: BaseChatModel;
export declare const lookupOrder: StructuredToolInterface;
export declare const refund: StructuredToolInterface;
export declare const checkpointer: BaseCheckpointSaver;
