/** What a node needs to be paused and found again, and what may not happen in between; the errors say what to do. */
import { ConfigurationError, type Execution } from "@guard/core";
import { getConfig, interrupt, isGraphInterrupt, type LangGraphRunnableConfig } from "@langchain/langgraph";
import { threadOf } from "./call.ts";
import { merged } from "./merged.ts";

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

/**
 * Runs what people approved, where it could interrupt the graph itself. It would be given our wake-ups as the
 * answers to its own questions, and be started again from its top, for which no approval is left.
 * @throws ConfigurationError where it interrupts; else what `run` throws.
 */
export async function runOnce<R>(name: string, execution: Execution, run: () => Promise<R>): Promise<R> {
  // What policy allowed may run again, so it may also interrupt.
  const allowed = execution.request === null;
  if (!allowed) takeWakeUps();
  try {
    return await run();
  } catch (error) {
    if (!isGraphInterrupt(error)) throw error;
    if (allowed) throw merged([error]);
    throw new ConfigurationError(
      `${name} was approved and then interrupted the graph itself. LangGraph would start it again from its top, and an ` +
        "approval is used once. Let the policy allow this tool and guard what it does, or interrupt outside of it.",
      { cause: error },
    );
  }
}

/** Takes every value that this task was resumed with, until LangGraph has no more. */
function takeWakeUps(): void {
  const config: LangGraphRunnableConfig | undefined = getConfig();
  if (!config?.configurable?.__pregel_checkpointer) return;
  try {
    for (;;) interrupt(null);
  } catch (error) {
    if (!isGraphInterrupt(error)) throw error;
  }
}
