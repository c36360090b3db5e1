/**
 * `resumeWorker`: resumes the runs of a graph once the requests that they wait for have an outcome. Several may be
 * at work, on any host that has the connection and the checkpointer's database.
 *
 * Guarantees: it finds a run by the thread that travels sealed in the request, and loads that thread only; it
 * answers the one interrupt that names the request, or else one of Guard's that may hide it, and never those of
 * anybody else; what it resumes with grants nothing.
 */
import { ConfigurationError } from "@guard/core";
import {
  checkToolOptions,
  type ResumeWorker,
  type ResumeWorkerOptions,
  resumeLoop,
  resumeWorkerOptions,
  type WakeUp,
  wakeValue,
} from "@guard/core/plugin";
import type { RunnableConfig } from "@langchain/core/runnables";
import { type BaseCheckpointSaver, Command, type StateSnapshot } from "@langchain/langgraph";
import { wakingId } from "./merged.ts";
import { checkAgent } from "./middleware-options.ts";

/** What is used of a compiled graph, or of what `createAgent` returns. */
export interface ResumableGraph {
  readonly checkpointer?: unknown;
  getState(config: RunnableConfig): Promise<StateSnapshot>;
  invoke(input: never, config: RunnableConfig): Promise<unknown>;
}

export interface ResumeGraphOptions extends ResumeWorkerOptions {
  /** The compiled graph, or the agent, with its checkpointer. */
  readonly graph: ResumableGraph;
  /** What a resumed run is given beside its thread: `configurable` values, `context`, callbacks, tags. */
  readonly config?: RunnableConfig | ((wake: WakeUp) => RunnableConfig | Promise<RunnableConfig>);
}

const known = [...resumeWorkerOptions, "graph", "config"];

/**
 * How long, from the request on, other tasks of its step are taken to be at work, in milliseconds. After that, their
 * process has died. The loop looks for a run a little longer than this.
 */
const longestStep = 9 * 60_000;

/** @throws ConfigurationError where nothing could be resumed. */
export function resumeWorker(options: ResumeGraphOptions): ResumeWorker {
  checkOptions(options);
  const { graph, config = {}, ...rest } = options;
  const { storedWithin = 10_000 } = rest;
  const failed = new Set<string>();
  const over = new Map<string, number>();

  async function find(wake: WakeUp): Promise<(() => Promise<void>) | null> {
    const { request, session, createdAt } = wake;
    if (session === null) return null;
    const given = typeof config === "function" ? await config(wake) : config;
    const own = { ...given, configurable: { ...given.configurable, thread_id: session } };
    const [{ tasks }, ended] = await Promise.all([graph.getState(own), endedIn(graph, own)]);
    const run = async (input: unknown) => {
      failed.add(request);
      await graph.invoke(input as never, own);
      failed.delete(request);
    };
    // What has ended in this step keeps its interrupt in the storage.
    const left = tasks.filter((task) => !ended.has(task.id));
    if (tasks.length > 0 && left.length === 0) {
      // Two processes may each have ended a part of the step, seen the other's wait, and gone. Whoever ended it alone
      // is given the time to go on; for what was completed the loop gives it.
      const since = over.get(request) ?? Date.now();
      over.set(request, since);
      return wake.state === "completed" || Date.now() - since >= storedWithin ? () => run(null) : null;
    }
    over.delete(request);
    const stopped = left.filter(({ interrupts, error }) => interrupts.length > 0 || error !== undefined);
    // Another task of the same step is at work: resumed now, it would be started a second time.
    if (left.length > stopped.length && Date.now() - createdAt < longestStep) return null;
    // By id alone: a bare value would answer every interrupt of the thread.
    const id = wakingId(
      stopped.flatMap(({ interrupts }) => interrupts),
      wake,
    );
    if (id !== null) return () => run(new Command({ resume: { [id]: wakeValue(wake) } }));
    // Resumed before, and then a later step failed: it goes on from there, or nobody would.
    const stuck = failed.has(request) && left.some(({ error }) => error !== undefined);
    return stuck ? () => run(null) : null;
  }

  return resumeLoop({ ...rest, find });
}

/** What the storage holds of a task that has not ended: `next` of a state leaves out what was woken in vain. */
const unended = ["__interrupt__", "__resume__", "__error__", "__scheduled__"];

/** The tasks of the thread's step whose results are stored. */
async function endedIn(graph: ResumableGraph, config: RunnableConfig): Promise<ReadonlySet<string>> {
  const stored = await (graph.checkpointer as BaseCheckpointSaver).getTuple(config);
  const writes = stored?.pendingWrites ?? [];
  return new Set(writes.filter(([, channel]) => !unended.includes(channel)).map(([task]) => task));
}

function checkOptions(options: ResumeGraphOptions): void {
  checkToolOptions("resumeWorker", options, { known });
  const { graph } = options;
  if (typeof graph?.getState !== "function" || typeof graph.invoke !== "function") {
    throw new ConfigurationError(
      "resumeWorker needs { graph }: a compiled graph, or what createAgent returned.",
    );
  }
  checkAgent(graph);
  if (typeof graph.checkpointer !== "object" || graph.checkpointer === null) {
    throw new ConfigurationError(
      "resumeWorker: the graph has no checkpointer, so there is nothing to resume. Use compile({ checkpointer }).",
    );
  }
}
