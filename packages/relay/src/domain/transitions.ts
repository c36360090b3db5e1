/**
 * The life of a request, as pure functions: which state follows which event, when the clock moves it by
 * itself, and what a new round or a consume means for what is there. Everything not in the table is impossible.
 *
 *     pending → approved → executing → completed          unknown: consumed, and nobody reported
 *        │  ↘      │  ↘          ↘          ↑
 *        │   expired, cancelled,  unknown ──┘
 *        └→ superseded, rejected (from pending)
 */
import type { ApiErrorCode, RequestState } from "@guard/core";

export type RequestEvent =
  | "approve"
  | "reject"
  | "supersede"
  | "expire"
  | "cancel"
  | "consume"
  | "lose"
  | "report";

const table: Readonly<Record<RequestState, Readonly<Partial<Record<RequestEvent, RequestState>>>>> = {
  pending: {
    approve: "approved",
    reject: "rejected",
    supersede: "superseded",
    expire: "expired",
    cancel: "cancelled",
  },
  approved: { supersede: "superseded", expire: "expired", cancel: "cancelled", consume: "executing" },
  executing: { lose: "unknown", report: "completed" },
  unknown: { report: "completed" },
  rejected: {},
  expired: {},
  cancelled: {},
  superseded: {},
  completed: {},
};

/** The state after `event`, or null where the event cannot happen in `state`. */
export function after(state: RequestState, event: RequestEvent): RequestState | null {
  return table[state][event] ?? null;
}

export interface Times {
  readonly expiresAt: number;
  readonly useBy: number;
  /** When an unreported run counts as unknown; set by consume. */
  readonly deadline: number | null;
}

/** When the clock moves `state` by itself, in ms since epoch; null where it never does. */
export function dueAt(state: RequestState, times: Times): number | null {
  switch (state) {
    case "pending":
      return times.expiresAt;
    case "approved":
      return times.useBy;
    case "executing":
      return times.deadline;
    default:
      return null;
  }
}

/** What the clock does to `state` once it is due. */
export function dueEvent(state: RequestState): "expire" | "lose" {
  return state === "executing" ? "lose" : "expire";
}

export type RoundRule =
  /** Insert; the key id has no other open request. */
  | "insert"
  /** Insert, and the last round is superseded if it is still open. */
  | "supersede"
  /** Nothing is asked anew: the last round is the answer. */
  | "join"
  | "conflict";

/** What asking `round` of a key means, given the key's last round. The same request id is joined before. */
export function roundRule(
  last: { readonly round: number; readonly state: RequestState } | null,
  round: number,
): RoundRule {
  if (last === null) return round === 0 ? "insert" : "conflict";
  if (round === 0) return "join";
  if (round !== last.round + 1) return "conflict";
  // What was consumed once is never asked again under the same key (double-execution).
  const consumed = last.state === "executing" || last.state === "completed" || last.state === "unknown";
  if (consumed) return "conflict";
  return after(last.state, "supersede") === null ? "insert" : "supersede";
}

/** What a consume by `attempt` meets: `repeat` returns the stored receipt, `take` starts the run. */
export function consumeRule(
  request: { readonly state: RequestState; readonly attempt: string | null },
  attempt: string,
): "repeat" | "take" | ApiErrorCode {
  if (request.attempt !== null && request.attempt === attempt) return "repeat";
  switch (request.state) {
    case "approved":
      return "take";
    case "executing":
      return "in_progress";
    case "completed":
      return "completed";
    case "unknown":
      return "unknown";
    case "expired":
      return "expired";
    default:
      return "not_approved";
  }
}
