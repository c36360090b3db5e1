/** What a node needs to be paused and found again, and the errors that say what is missing. */
import { ConfigurationError } from "@guard/core";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { threadOf } from "./call.ts";

/**
 * The thread of a run that can be paused. Seen at the node's first run, whether or not anybody has to be asked.
 * @throws ConfigurationError where nothing could be stored, or nobody could find it.
 */
export function pausableThread(who: string, config: LangGraphRunnableConfig): string {
  // What LangGraph's own `interrupt` looks at; it would complain only once somebody has to be asked.
  if (!config.configurable?.__pregel_checkpointer) {
    throw new ConfigurationError(
      `${who} suspends the run while people decide, so the graph needs a checkpointer: compile({ checkpointer }). ` +
        'Where a call may simply wait, use mode: "wait".',
    );
  }
  // Part of idempotency keys: without it a node that starts again would ask again.
  if (config.executionInfo === undefined) {
    throw new ConfigurationError(`${who} runs inside of a graph only, with LangGraph 1.3 or later.`);
  }
  const thread = threadOf(config);
  if (thread === null) {
    throw new ConfigurationError(
      `${who} needs the run's thread: invoke(input, { configurable: { thread_id } }). A worker finds the run by it.`,
    );
  }
  return thread;
}
