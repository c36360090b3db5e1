/** What every rule of the relay works with, and how a unit of work stays true to the roster it was judged by. */
import { clockTolerance, type Head, type Roster, type Signer } from "@guard/core";
import type { Store, Unit } from "../store/store.ts";
import type { Deliveries } from "./deliveries.ts";
import type { Hub } from "./hub.ts";
import type { Limits } from "./limits.ts";
import { Refusal } from "./refusal.ts";
import type { Rosters } from "./rosters.ts";

export interface Context {
  readonly store: Store;
  /** Milliseconds since epoch. */
  readonly clock: () => number;
  readonly limits: Limits;
  readonly rosters: Rosters;
  readonly hub: Hub;
  /** The connections of other systems' devices. */
  readonly deliveries: Deliveries;
  /** Signs receipts. */
  readonly signer: Signer;
  /** Asked by agents whose approvers have no device yet. */
  readonly onWanted: ((app: string, identities: string[]) => Promise<void>) | null;
}

/** Whose token a call carries. Everything it may touch is in `app`. */
export type Principal = { readonly app: string; readonly hash: string } & (
  | { readonly kind: "owner" }
  | { readonly kind: "agent"; readonly agent: string }
  | { readonly kind: "device"; readonly device: string }
  | { readonly kind: "invitation" }
);
export type AgentPrincipal = Principal & { readonly kind: "agent" };
export type DevicePrincipal = Principal & { readonly kind: "device" };

/** Refuses a `time` that is more than five minutes off, naming both clocks. */
export function checkClock(now: number, time: number, options: { what: string; pastToo: boolean }): void {
  const ahead = time - now;
  if (ahead <= clockTolerance && (!options.pastToo || -ahead <= clockTolerance)) return;
  const at = (ms: number) => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms));
  throw new Refusal(
    "clock_skew",
    `${options.what} says ${at(time)}, and the relay's clock says ${at(now)}: more than five minutes apart. Set the clocks.`,
  );
}

class Overtaken extends Error {}

/**
 * Judges with the newest roster, then runs the unit of work that `judge` returns, in which that roster is
 * checked to be still the newest one; where it is not, all of it is done again (kill-switch-race).
 * A unit that returns a `Refusal` is committed, and refuses.
 */
export async function withRoster<T>(
  context: Context,
  app: string,
  judge: (roster: Roster) => Promise<(unit: Unit) => T | Refusal> | ((unit: Unit) => T | Refusal),
): Promise<T> {
  for (let round = 0; round < 20; round++) {
    const roster = await context.rosters.get(app);
    const work = await judge(roster);
    try {
      const result = await context.store.write((unit) => {
        if (!sameHead(unit.apps.head(app), roster.head)) throw new Overtaken();
        return work(unit);
      });
      if (result instanceof Refusal) throw result;
      return result;
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error;
    }
  }
  throw new Refusal("unavailable", "The roster changes too fast. Try again.", { retryAfter: 1000 });
}

function sameHead(a: Head | null, b: Head): boolean {
  return a !== null && a.seq === b.seq && a.hash === b.hash;
}
