/**
 * LangGraph stores one interrupt for a node, the last one. Where several calls in it wait, also in graphs that its
 * tools run, one interrupt has to name them all, or nobody could wake the others.
 *
 * Guarantee: whatever of Guard's waits inside is found in the interrupt that is stored, with the id by which it is
 * woken alone.
 */
import { GraphInterrupt, type Interrupt } from "@langchain/langgraph";
import type { GuardInterrupt } from "./interrupt.ts";

type Waiting = GuardInterrupt["guard"]["requests"][number] & {
  /** The interrupt of this call alone, where it stands in another one's value. */
  readonly interrupt?: string;
};

/** All interrupts as one error, Guard's as one interrupt, the last. */
export function merged(errors: readonly GraphInterrupt[]): GraphInterrupt {
  const all = errors.flatMap(({ interrupts }) => interrupts as Interrupt<unknown>[]);
  const ours = all.filter((each) => isOurs(each.value)) as Interrupt<GuardInterrupt>[];
  const last = ours.at(-1);
  if (last === undefined || ours.length === 1) {
    return new GraphInterrupt([...all.filter((each) => each !== last), ...(last ? [last] : [])]);
  }
  const others = all.filter((each) => !isOurs(each.value));
  return new GraphInterrupt([...others, { ...last, value: joined(ours) }]);
}

function joined(interrupts: readonly Interrupt<GuardInterrupt>[]): GuardInterrupt {
  // LangGraph hands on what was thrown inside of a graph beside what a node there made of it.
  const byRequest = new Map<string, { value: GuardInterrupt; at: number; request: Waiting }>();
  for (const { id, value } of interrupts) {
    if (!value) continue;
    for (const [at, each] of value.guard.requests.entries()) {
      const waiting: Waiting = { ...(id === undefined ? {} : { interrupt: id }), ...each };
      if (!byRequest.has(each.request)) byRequest.set(each.request, { value, at, request: waiting });
    }
  }
  const calls = [...byRequest.values()];
  const each = <T>(of: (value: GuardInterrupt) => readonly T[]) =>
    calls.flatMap(({ value, at }) => of(value).slice(at, at + 1));
  return {
    actionRequests: each((value) => value.actionRequests),
    reviewConfigs: each((value) => value.reviewConfigs),
    action_requests: each((value) => value.action_requests),
    review_configs: each((value) => value.review_configs),
    guard: { requests: calls.map(({ request }) => request) },
  };
}

/** Whether an interrupt is Guard's. Reads storage: any shape may come. */
function isOurs(value: unknown): value is GuardInterrupt {
  const guard = (value as { guard?: { requests?: unknown } } | null | undefined)?.guard;
  return Array.isArray(guard?.requests);
}

/**
 * The id of the interrupt that wakes the run which waits for a request; null where none does.
 *
 * Where the request is not named, but something else of Guard's waits, it may be hidden behind that (several calls
 * wait in a graph that a node invokes). What is woken in vain looks, and sleeps on.
 */
export function wakingId(
  interrupts: readonly Interrupt[],
  { request, state }: { readonly request: string; readonly state: string },
): string | null {
  const ours = interrupts.filter(({ value }) => isOurs(value)) as Interrupt<GuardInterrupt>[];
  for (const { id, value } of ours) {
    const waiting: readonly (Waiting | null)[] = value?.guard.requests ?? [];
    const own = waiting.find((each) => each?.request === request);
    if (own) return own.interrupt ?? id ?? null;
  }
  return state === "completed" ? null : (ours[0]?.id ?? null);
}
