/**
 * One call at the gate: what a tool, a hook and a workflow step have in common.
 *
 * Guarantees: whatever Mastra is resumed with, `{ approved: true }` included, only makes the gate look again
 * (self-approval-by-model, forged-history); a call that Mastra starts again from its top joins its request; a
 * refusal is thrown, so that the model reads its reason as the call's error and nothing runs.
 */
import { type ActionInput, canonicalJson, type Execute, type Execution, type Json } from "@guard/core";
import { attempt } from "@guard/core/plugin";
import type { RequestContext } from "@mastra/core/request-context";
import type { Caller, CallOptions } from "./options.ts";

/** Where in Mastra a call stands. */
export interface Place extends Caller {
  /** The model's id of the call; null where no model made it. */
  readonly callId: string | null;
  /** The workflow step that makes the call; null where none does. */
  readonly step: string | null;
  /** The run, where it keeps its id when it is resumed. */
  readonly run: string | null;
  /** Mastra's pause; undefined where it has none. */
  readonly suspend: ((payload: Suspension) => unknown) | undefined;
  readonly resumeData: unknown;
  /** What the call said when it was suspended; from storage, so any shape may come. */
  readonly suspendPayload: unknown;
  readonly signal: AbortSignal | undefined;
}

/** What a suspended call says: which request it waits for. It carries nothing that decides. */
export interface Suspension {
  readonly guard: "pending";
  /** Id of the approval request. */
  readonly request: string;
  readonly tool: string;
  /** What was asked. Mastra gives a resumed call the model's own arguments, without the defaults of the schema. */
  readonly args: Json;
  /** Stands for the run where Mastra does not say which it is. */
  readonly run: string;
}

/** What the gate is asked; session, call id and requester are the place's. */
export type Asked = Omit<ActionInput, "session" | "callId" | "stableCallId" | "requester">;

export type Passed<R> = { readonly suspended: true } | { readonly suspended: false; readonly result: R };

/** Runs `execute` through the gate, or suspends the call while people decide. @throws GuardError where nothing may run */
export async function pass<R>(
  options: CallOptions,
  place: Place,
  asked: Asked,
  execute: Execute<R>,
): Promise<Passed<R>> {
  const { guard, mode = "suspend" } = options;
  const before = suspensionIn(place.suspendPayload, asked.tool);
  const run = place.run ?? before?.run ?? crypto.randomUUID();
  const given = typeof options.session === "function" ? options.session(place) : options.session;
  const session = given ?? place.thread ?? run;
  const requester = typeof options.requester === "function" ? options.requester(place) : options.requester;
  const args = before?.args ?? asked.args;
  const action: ActionInput = {
    ...asked,
    args,
    session,
    callId: place.callId,
    ...(requester === undefined ? {} : { requester }),
  };
  const waits = mode === "wait" || place.suspend === undefined;
  const keyed = keyOf(place, { session, run, args, waits });
  if (waits) {
    const signal = place.signal ? { signal: place.signal } : {};
    return { suspended: false, result: await guard.run(action, execute, { ...keyed, ...signal }) };
  }
  const outcome = await attempt(guard, action, execute, { ...keyed, wake: place.resumeData });
  if (outcome.status === "denied") throw outcome.error;
  if (outcome.status === "ran") return { suspended: false, result: outcome.result };
  const request = outcome.requestId;
  // Not in a try: Mastra's eager execution throws through here, and suspends once the model has ended its turn.
  await place.suspend({ guard: "pending", request, tool: asked.tool, args: args as Json, run });
  return { suspended: true };
}

/**
 * The same on every pass over one call. The arguments are in it, because some models number their calls anew in
 * each turn, and a step may run once for each item of a list. What neither calls has the gate's own key.
 */
function keyOf(
  { agent, callId, step }: Place,
  { session, run, args, waits }: { session: string; run: string; args: unknown; waits: boolean },
): { key?: string } {
  // After a restart an agent's call comes in a new run, under a new id: only the gate's key, which counts equal
  // calls of a session, joins the request that it had made.
  if (waits && step === null) return {};
  const call = callId !== null ? ["call", callId] : step !== null ? ["step", step] : null;
  if (call === null) return {};
  return { key: canonicalJson(["mastra", session, run, agent, ...call, JSON.stringify(args) ?? ""]) };
}

/** Reads what storage says about an earlier pass. A forged one has other arguments or another key: it is asked anew. */
function suspensionIn(value: unknown, tool: string): Suspension | null {
  const found = value as Partial<Suspension> | null | undefined;
  if (typeof found !== "object" || found === null || found.guard !== "pending") return null;
  return found.tool === tool && typeof found.run === "string" ? (found as Suspension) : null;
}

/** The thread and the resource that Mastra's memory keeps in the request context. */
export function memoryIn(requestContext: RequestContext | undefined): Pick<Caller, "thread" | "resource"> {
  const memory = requestContext?.get("MastraMemory") as
    | { thread?: { id?: unknown }; resourceId?: unknown }
    | undefined;
  return { thread: text(memory?.thread?.id), resource: text(memory?.resourceId) };
}

export const text = (value: unknown): string | null =>
  typeof value === "string" && value !== "" ? value : null;

const key = Symbol.for("guard.mastra.execution");

/** A tool's context, with the execution that it runs in. */
export const withExecution = <C extends object>(context: C, execution: Execution): C =>
  Object.assign(context, { [key]: execution });

/**
 * The execution that a guarded tool runs in, by the context that Mastra passes to `execute` as its second argument;
 * undefined where the tool is not guarded. Pass `executionId` on as an idempotency key.
 */
export function executionOf(context: object): Execution | undefined {
  return (context as { [key]?: Execution })[key];
}
