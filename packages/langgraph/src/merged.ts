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
  const values = interrupts.flatMap(({ value }) => (value ? [value] : []));
  const requests = interrupts.flatMap(({ id, value }) =>
    (value?.guard.requests ?? []).map(
      (request: Waiting): Waiting => ({
        ...request,
        ...(request.interrupt === undefined && id !== undefined ? { interrupt: id } : {}),
      }),
    ),
  );
  return {
    actionRequests: values.flatMap((value) => value.actionRequests),
    reviewConfigs: values.flatMap((value) => value.reviewConfigs),
    action_requests: values.flatMap((value) => value.action_requests),
    review_configs: values.flatMap((value) => value.review_configs),
    guard: { requests },
  };
}

/** Whether an interrupt is Guard's. Reads storage: any shape may come. */
export function isOurs(value: unknown): value is GuardInterrupt {
  const guard = (value as { guard?: { requests?: unknown } } | null | undefined)?.guard;
  return Array.isArray(guard?.requests);
}

/** The id that wakes the run which waits for `request`; null where this interrupt does not name it. */
export function wakingId({ id, value }: Interrupt, request: string): string | null {
  if (!isOurs(value)) return null;
  const own = (value.guard.requests as readonly (Waiting | null)[]).find((each) => each?.request === request);
  return own ? (own.interrupt ?? id ?? null) : null;
}
