/**
 * Which suspended run of an agent or a workflow waits for a request, read from Mastra's storage.
 *
 * Guarantees: a run of the request's own thread is looked for alone; everything that is suspended is listed only
 * where that finds none, and once for all who look at that moment. Of a run that another agent's run waits for, the
 * other one is given: Mastra resumes the inner one with it, and by itself its result would reach nobody.
 */
import type { WakeUp } from "@guard/core/plugin";
import type { Agent } from "@mastra/core/agent";
import type { AnyWorkflow } from "@mastra/core/workflows";

// biome-ignore lint/suspicious/noExplicitAny: agents of every id, tools, output and context, as in Mastra's own lists.
export type AnyAgent = Agent<any, any, any, any>;

/** A call of an agent's run. */
export interface AgentTarget {
  readonly kind: "agent";
  readonly agent: AnyAgent;
  readonly run: string;
  readonly thread: string | null;
  readonly callId: string;
}

/** What has to be resumed, and how. */
export type Target =
  | AgentTarget
  | {
      readonly kind: "workflow";
      readonly workflow: AnyWorkflow;
      readonly run: string;
      readonly at: At;
    };

interface AgentRun {
  readonly agent: AnyAgent;
  readonly run: string;
  readonly thread: string | null;
  readonly calls: readonly {
    readonly callId: string;
    readonly tool: string;
    readonly requests: ReadonlySet<string>;
  }[];
}

export interface SuspendedRuns {
  find(wake: WakeUp): Promise<Target | null>;
  /** Tells one stored state of a suspended run from another; null where the run is not suspended. */
  stateOf(target: AgentTarget): Promise<string | null>;
  /**
   * Resolves once the run is stored in another state than `before`. Mastra stores it after its stream has ended,
   * and who resumed it from what is stored until then would undo the call that was just resumed.
   */
  stored(target: AgentTarget, before: string): Promise<void>;
}

/** As long as Mastra itself waits for such a write, in milliseconds. */
const longest = 30_000;

export function suspendedRuns(given: {
  readonly agents: readonly AnyAgent[];
  readonly workflows: readonly AnyWorkflow[];
}): SuspendedRuns {
  let family: Promise<Family> | null = null;
  let index = new Map<string, Target>();
  let listing: Promise<void> | null = null;

  async function list(): Promise<void> {
    family ??= familyOf(given.agents);
    const { all, delegates } = await family;
    const runs = (await Promise.all(all.map((agent) => runsOf(agent, {})))).flat();
    const found = new Map<string, Target>();
    for (const run of runs) {
      for (const { requests } of run.calls) {
        for (const request of requests) found.set(request, outermost(run, request, runs, delegates));
      }
    }
    for (const workflow of given.workflows) {
      const { runs: listed } = await workflow.listWorkflowRuns({ status: "suspended" });
      for (const { runId } of listed) {
        for (const [request, at] of await waitingIn(workflow, runId)) {
          if (!found.has(request)) found.set(request, { kind: "workflow", workflow, run: runId, at });
        }
      }
    }
    index = found;
  }

  /** Where the session is Mastra's thread, or the workflow's run, which it is by default. */
  async function inSession({ session, request }: WakeUp): Promise<Target | null> {
    if (session === null) return null;
    family ??= familyOf(given.agents);
    const { all, inner } = await family;
    for (const agent of all) {
      if (inner.has(agent.id)) continue;
      for (const run of await runsOf(agent, { threadId: session })) {
        const call = run.calls.find(({ requests }) => requests.has(request));
        if (call) return targetOf(run, call.callId);
      }
    }
    for (const workflow of given.workflows) {
      const at = (await waitingIn(workflow, session)).get(request);
      if (at) return { kind: "workflow", workflow, run: session, at };
    }
    return null;
  }

  async function stateOf({ agent, run, thread }: AgentTarget): Promise<string | null> {
    const { runs } = await agent.listSuspendedRuns(thread === null ? {} : { threadId: thread });
    const own = runs.find(({ runId }) => runId === run);
    return own ? JSON.stringify([own.suspendedAt, own.toolCalls]) : null;
  }

  return {
    stateOf,

    async stored(target, before) {
      const since = Date.now();
      for (let pause = 10; (await stateOf(target)) === before; pause = Math.min(pause * 2, 500)) {
        if (Date.now() - since > longest) return;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    },

    async find(wake) {
      const near = await inSession(wake);
      if (near) return near;
      let target = index.get(wake.request);
      if (!target) {
        listing ??= list().finally(() => {
          listing = null;
        });
        await listing;
        target = index.get(wake.request);
      }
      // Used once: another wake-up for it means that the run has changed since.
      index.delete(wake.request);
      return target ?? null;
    },
  };
}

interface Family {
  readonly all: readonly AnyAgent[];
  /** Ids of the agents that others hand work to. */
  readonly inner: ReadonlySet<string>;
  delegates(agent: AnyAgent, tool: string): string | undefined;
}

/** The agents and all that they hand work to. What a function would give for a request is not known here. */
async function familyOf(agents: readonly AnyAgent[]): Promise<Family> {
  const all = new Map<string, AnyAgent>();
  const inner = new Set<string>();
  const tools = new Map<string, string>();
  const add = async (agent: AnyAgent): Promise<void> => {
    if (all.has(agent.id)) return;
    all.set(agent.id, agent);
    for (const [name, sub] of Object.entries(await agent.listAgents())) {
      const { id } = sub as AnyAgent;
      tools.set(`${agent.id}\n${name}`, id);
      inner.add(id);
      if (typeof (sub as Partial<AnyAgent>).listSuspendedRuns === "function") await add(sub as AnyAgent);
    }
  };
  for (const agent of agents) await add(agent);
  return {
    all: [...all.values()],
    inner,
    delegates: (agent, tool) =>
      tool.startsWith("agent-") ? tools.get(`${agent.id}\n${tool.slice("agent-".length)}`) : undefined,
  };
}

async function runsOf(agent: AnyAgent, filter: { readonly threadId?: string }): Promise<AgentRun[]> {
  const { runs } = await agent.listSuspendedRuns(filter);
  return runs.map(({ runId, threadId, toolCalls }) => ({
    agent,
    run: runId,
    thread: threadId ?? null,
    calls: toolCalls.flatMap(({ toolCallId, toolName, suspendPayload }) => {
      const requests = new Set(pendingIn(suspendPayload));
      return toolCallId !== undefined && requests.size > 0
        ? [{ callId: toolCallId, tool: toolName ?? "", requests }]
        : [];
    }),
  }));
}

/** The run to resume for `request`, which `run` waits for: that one, or the one that handed it the work. */
function outermost(
  run: AgentRun,
  request: string,
  runs: readonly AgentRun[],
  delegates: Family["delegates"],
): Target {
  // A call that hands work on says one of the requests that the inner run waits for, not all.
  const waits = new Set(run.calls.flatMap(({ requests }) => [...requests]));
  for (const other of runs) {
    for (const { callId, tool, requests } of other.calls) {
      if (other.run === run.run || delegates(other.agent, tool) !== run.agent.id) continue;
      const shared = [...requests].find((each) => waits.has(each));
      if (shared !== undefined) {
        const target = outermost(other, shared, runs, delegates);
        return target.kind === "agent" && target.run === other.run ? targetOf(other, callId) : target;
      }
    }
  }
  const own = run.calls.find(({ requests }) => requests.has(request));
  return targetOf(run, own?.callId ?? "");
}

function targetOf({ agent, run, thread }: AgentRun, callId: string): Target {
  return { kind: "agent", agent, run, thread, callId };
}

type At = { readonly label: string } | { readonly step: string[] };

/**
 * The requests that a workflow's run waits for, and where: by label in a list, of which the label says the item; by
 * the step's path where Mastra has lost the label, which it does for parallel steps.
 */
async function waitingIn(workflow: AnyWorkflow, run: string): Promise<ReadonlyMap<string, At>> {
  const found = new Map<string, At>();
  const state = await workflow.getWorkflowRunById(run, { fields: ["steps", "resumeLabels"] });
  if (state?.status !== "suspended") return found;
  const labels = state.resumeLabels ?? {};
  for (const [path, step] of Object.entries(state.steps ?? {})) {
    const { status, suspendPayload } = step as { status?: unknown; suspendPayload?: unknown };
    if (status !== "suspended") continue;
    for (const request of pendingIn(suspendPayload)) {
      const labelled = Object.hasOwn(labels, request);
      found.set(request, labelled ? { label: request } : { step: path.split(".") });
    }
  }
  return found;
}

/** Where Mastra puts what a call said when it was suspended. Elsewhere, as in the arguments, a model may write anything. */
const holders = ["suspendPayload", "__workflow_meta", "foreachOutput"] as const;

/** The requests that a suspension names. */
function* pendingIn(value: unknown): Generator<string> {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    for (const each of value) yield* pendingIn(each);
    return;
  }
  const { guard, request, ...rest } = value as Readonly<Record<string, unknown>>;
  if (guard === "pending" && typeof request === "string") yield request;
  for (const name of holders) yield* pendingIn(rest[name]);
}
