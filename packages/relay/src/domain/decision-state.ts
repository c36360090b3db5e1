/** How a decision ends, inside a unit of work: once, and never taken back. The only place that writes its state. */
import type { DecisionRow } from "../store/schema.ts";
import type { Unit } from "../store/store.ts";
import type { Context } from "./context.ts";

/** What agents that wait for a decision wait for; no request is called so. */
export const waitName = ({ number }: DecisionRow): string => `decision ${number}`;

export function closeDecision(
  context: Context,
  unit: Unit,
  row: DecisionRow,
  end: Pick<DecisionRow, "state" | "answered_by" | "closed_at">,
): DecisionRow {
  const closed = { ...row, ...end };
  unit.decisions.close(closed);
  unit.after(() => context.hub.wake(row.app, waitName(row)));
  return closed;
}

/** What the clock says about a decision, written down. */
export function settleDecision(context: Context, unit: Unit, row: DecisionRow, now: number): DecisionRow {
  if (row.state !== "pending" || row.expires_at > now) return row;
  return closeDecision(context, unit, row, { state: "expired", answered_by: null, closed_at: now });
}
