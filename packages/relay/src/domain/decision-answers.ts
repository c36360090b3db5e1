/** A device's side of decisions: what waits for it, that it has it, and its answer. Only an active device is heard. */
import type { DecisionRow } from "../store/schema.ts";
import type { Unit } from "../store/store.ts";
import { type Context, withRoster } from "./context.ts";
import { closeDecision, settleDecision } from "./decision-state.ts";
import type { Outcome } from "./decisions.ts";
import type { Delivery } from "./deliveries.ts";
import { rosterOf } from "./foreign-apps.ts";
import { activeDevice, type ForeignDevice } from "./foreign-devices.ts";
import { notFound } from "./refusal.ts";

/** A device's answer. `outcome` is the one that stands, `first` whether this answer is it. */
export async function answerDecision(
  context: Context,
  device: ForeignDevice,
  { decision, outcome }: { readonly decision: string; readonly outcome: "approved" | "rejected" },
): Promise<{ readonly outcome: Outcome; readonly first: boolean }> {
  return withRoster(context, device.app, (roster) => (unit) => {
    activeDevice(unit, device, roster);
    const now = context.clock();
    const row = settleDecision(context, unit, deliveredTo(unit, device, decision), now);
    const stands =
      row.state === "pending"
        ? closeDecision(context, unit, row, { state: outcome, answered_by: device.device, closed_at: now })
        : row;
    return { outcome: stands.state, first: stands.answered_by === device.device && stands.state === outcome };
  });
}

/** The device has it: it is not sent again. */
export async function acknowledge(context: Context, device: ForeignDevice, decision: string): Promise<void> {
  await withRoster(context, device.app, (roster) => (unit) => {
    activeDevice(unit, device, roster);
    unit.decisions.forget(deliveredTo(unit, device, decision), device.device);
  });
}

/** A decision that went to this very device; anything else does not exist for it. */
function deliveredTo(unit: Unit, { app, identity, device }: ForeignDevice, decision: string): DecisionRow {
  const row = unit.decisions.find(app, identity, decision);
  return row && unit.decisions.isFor(row, device) ? row : notFound();
}

/**
 * What waits for a device, oldest first: pending, neither answered nor acknowledged. Each is read when it is
 * its turn, so a queue of any length takes little memory, and what was closed meanwhile is left out. A connection that
 * counts as subscribed in the turn in which it gets this misses nothing and gets nothing twice.
 * @throws Refusal `waiting` or `revoked` where the device is not active
 */
export async function undelivered(context: Context, device: ForeignDevice): Promise<Iterable<Delivery>> {
  activeDevice(context.store, device, await rosterOf(context, device.app));
  const queue = context.store.decisions.queue(device.app, device.device);
  return waitingOf(context, queue);
}

function* waitingOf(context: Context, queue: readonly number[]): Iterable<Delivery> {
  for (const n of queue) {
    const row = context.store.decisions.waiting(n, context.clock());
    if (!row) continue;
    const { decision, kem_ciphertext: kemCiphertext, nonce, ciphertext } = row;
    yield { decision, kemCiphertext, nonce, ciphertext };
  }
}
