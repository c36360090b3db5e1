/**
 * `resumeWorker`: resumes the suspended run that waits for a request, once it has an outcome.
 *
 * Guarantees: it decides nothing, the gate reads the outcome again; runs are found in Mastra's own storage, so that
 * any process with that and the connection can be the worker.
 */
import { ConfigurationError, UnavailableError } from "@guard/core";
import {
  checkToolOptions,
  type ResumeWorkerOptions as LoopOptions,
  type ResumeWorker,
  resumeLoop,
  resumeWorkerOptions,
  type WakeUp,
  wakeValue,
} from "@guard/core/plugin";
import type { Mastra } from "@mastra/core/mastra";
import type { MastraModelOutput } from "@mastra/core/stream";
import type { AnyWorkflow, Run } from "@mastra/core/workflows";
import { type AnyAgent, suspendedRuns, type Target } from "./suspended-runs.ts";

/** A run that goes on. */
export type Resumed =
  | {
      readonly kind: "agent";
      readonly request: string;
      readonly agent: AnyAgent;
      readonly run: string;
      readonly thread: string | null;
      /** As it begins. Read it or not: the worker reads it to its end. */
      readonly output: MastraModelOutput<unknown>;
    }
  | {
      readonly kind: "workflow";
      readonly request: string;
      readonly workflow: AnyWorkflow;
      readonly run: string;
      /** What the workflow gave, or that it waits again. */
      readonly result: Awaited<ReturnType<Run["resume"]>>;
    };

export interface ResumeWorkerOptions extends LoopOptions {
  /** All agents and workflows of it. */
  readonly mastra?: Mastra;
  /** Or these. Agents that they hand work to need not be listed. */
  readonly agents?: readonly AnyAgent[];
  readonly workflows?: readonly AnyWorkflow[];
  /** Told of each run that goes on: where its answer is shown or stored. Mastra's memory stores it by itself. */
  readonly onResumed?: (resumed: Resumed) => void | Promise<void>;
}

const known = [...resumeWorkerOptions, "mastra", "agents", "workflows", "onResumed"];

/** Mastra stores what a resumed run gave only when the model has come to its end, which is minutes with many tools. */
const storedWithin = 60_000;

/** @throws ConfigurationError that says what to do. */
export function resumeWorker(options: ResumeWorkerOptions): ResumeWorker {
  const { mastra: _mastra, agents: _agents, workflows: _workflows, onResumed, ...loop } = options;
  const runs = suspendedRuns(sourcesOf(options));
  const atWork = new Set<string>();
  const { onError = (error: unknown) => console.error("A run that Guard resumed has failed:", error) } =
    options;

  return resumeLoop({
    storedWithin,
    ...loop,
    async find(wake) {
      const target = await runs.find(wake);
      return target && (() => resume(target, wake));
    },
  });

  async function resume(target: Target, wake: WakeUp): Promise<void> {
    const { run } = target;
    const { request } = wake;
    const resumeData = wakeValue(wake);
    if (target.kind === "workflow") {
      const { kind, workflow, at } = target;
      const result = await (await workflow.createRun({ runId: run })).resume({ ...at, resumeData });
      return goneOn(wake, () => onResumed?.({ kind, request, workflow, run, result }));
    }
    await alone(run, request, async () => {
      const before = await runs.stateOf(target);
      if (before === null) return; // Somebody else has resumed it.
      const { kind, agent, thread, callId } = target;
      // Not resumeGenerate: it fails while another call of the run is still suspended.
      const output = await agent.resumeStream(resumeData, { runId: run, toolCallId: callId });
      await goneOn(wake, async () => {
        await Promise.all([
          output.consumeStream(),
          onResumed?.({ kind, request, agent, run, thread, output }),
        ]);
        if (output.error) throw output.error;
      });
      await runs.stored(target, before);
    });
  }

  /** One resume of a run at a time, also where its calls are of several sessions (a sub-agent's is another). */
  async function alone(run: string, request: string, work: () => Promise<void>): Promise<void> {
    if (atWork.has(run))
      throw new UnavailableError("The run is being resumed for another call.", { request });
    atWork.add(run);
    try {
      await work();
    } finally {
      atWork.delete(run);
    }
  }

  /** The run waits no more: to try again would find nothing, and say nothing. */
  async function goneOn(wake: WakeUp, rest: () => Promise<void> | void): Promise<void> {
    try {
      await rest();
    } catch (error) {
      onError(error, wake);
    }
  }
}

function sourcesOf(options: ResumeWorkerOptions) {
  checkToolOptions("resumeWorker", options, { known });
  const { mastra } = options;
  const agents = options.agents ?? Object.values<AnyAgent>(mastra?.listAgents() ?? {});
  const workflows = options.workflows ?? Object.values<AnyWorkflow>(mastra?.listWorkflows() ?? {});
  if (agents.length + workflows.length === 0) {
    throw new ConfigurationError(
      "resumeWorker needs { mastra }, or { agents } or { workflows }: whose runs it resumes.",
    );
  }
  for (const agent of agents) {
    if (!agent.getMastraInstance()?.getStorage()) {
      throw new ConfigurationError(
        `resumeWorker: the agent ${agent.id} has no storage, so its suspended runs are kept nowhere. ` +
          "Give it to new Mastra({ agents, storage }).",
      );
    }
  }
  return { agents, workflows };
}
