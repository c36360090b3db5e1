/**
 * What a person does with one request, as a state machine: events in, the next state out. It draws and sends
 * nothing, so that it can be tested as it is.
 *
 * Guarantees: nothing is sent within 600 ms of what it answers coming on screen (stale-decision); an approval
 * only once everything was in view (out-of-view); while an answer is on its way, and after one was taken, no
 * other is sent; an answer whose arrival is unknown can only be sent again as it was.
 */
import type { Json } from "@guard/core";
import type { Decision } from "@guard/device";

/** What is on screen. */
export type Step =
  | { readonly kind: "reading" }
  | { readonly kind: "rejecting" }
  | { readonly kind: "editing" }
  /** The difference to what was asked, before it is approved. */
  | { readonly kind: "reviewing"; readonly args: Json };

/** Why the last press did not do what it was meant to. */
export interface Problem {
  readonly text: string;
  /**
   * `open`: another press may do. `unknown`: the answer may have arrived, so only the same one may follow.
   * `final`: this device cannot answer the request any more.
   */
  readonly kind: "open" | "unknown" | "final";
}

export interface Deciding {
  readonly step: Step;
  /** When what is on screen came up, by the monotonic clock of the presses. */
  readonly shownAt: number;
  readonly sending: Decision | null;
  /** The last answer that left here; with a problem of kind `unknown` it is the only one that may leave again. */
  readonly sent: Decision | null;
  readonly taken: boolean;
  readonly problem: Problem | null;
}

export type DecideEvent =
  | { readonly kind: "appeared"; readonly at: number }
  | { readonly kind: "go"; readonly to: Step; readonly at: number; readonly ended: boolean }
  | {
      readonly kind: "decide";
      readonly decision: Decision;
      /** When the press began. */
      readonly at: number;
      /** How many parts of what is answered were not in view yet. */
      readonly unseen: number;
      /** Whether the request can be answered no longer. */
      readonly ended: boolean;
    }
  | { readonly kind: "again"; readonly at: number; readonly ended: boolean }
  | { readonly kind: "taken" }
  | { readonly kind: "refused"; readonly problem: Problem };

/** How long something has to be on screen before a press answers it, in milliseconds. */
export const settleTime = 600;

export const startDeciding = (at: number): Deciding => ({
  step: { kind: "reading" },
  shownAt: at,
  sending: null,
  sent: null,
  taken: false,
  problem: null,
});

const because = (state: Deciding, text: string): Deciding => ({ ...state, problem: { text, kind: "open" } });

/** The state after `event`. A new `sending` in it is to be sent. */
export function nextDeciding(state: Deciding, event: DecideEvent): Deciding {
  switch (event.kind) {
    case "appeared":
      return { ...state, shownAt: event.at };
    case "taken":
      return { ...state, sending: null, taken: true, problem: null };
    case "refused":
      return { ...state, sending: null, problem: event.problem };
  }
  if (state.sending || state.taken || event.ended || state.problem?.kind === "final") return state;
  // A press that was meant for what was here before (stale-decision).
  const early = event.at - state.shownAt < settleTime;
  if (event.kind === "again") {
    const { sent, problem } = state;
    return early || !sent || problem?.kind !== "unknown" ? state : { ...state, sending: sent, problem: null };
  }
  // What may have been signed and counted cannot be taken back by answering something else.
  if (state.problem?.kind === "unknown") return state;
  if (early) return because(state, "This has only just come up. Look at it, then press again.");
  if (event.kind === "go") return { ...state, step: event.to, shownAt: event.at, problem: null };
  if (event.decision.decision === "approve" && event.unseen > 0) {
    return because(state, "Not everything has been on screen yet. Look at the rest, then press again.");
  }
  return { ...state, sending: event.decision, sent: event.decision, problem: null };
}
