/** What the stages of one guard share: its keys, its roster, its relay, its policy and its chain. */
import type { AgentKeys } from "../crypto/agent-keys.ts";
import { ClockSkewError, DeniedError } from "../errors.ts";
import type { Chain } from "../evidence/chain.ts";
import type { Policy } from "../policy/policy.ts";
import type { RelayClient } from "../relay/client.ts";
import type { RosterFollower } from "../relay/follower.ts";
import type { Watcher } from "../relay/watcher.ts";
import type { AgentRecord } from "../roster/records.ts";
import type { Roster } from "../roster/roster.ts";
import { clockTolerance } from "./clock.ts";
import type { Foreign } from "./foreign.ts";
import type { Ledger } from "./options.ts";
import type { DecidedEvent, Logger, PendingEvent } from "./types.ts";

export interface Context {
  readonly app: string;
  readonly agent: string;
  readonly keys: AgentKeys;
  readonly client: RelayClient;
  readonly follower: RosterFollower;
  readonly watcher: Watcher;
  readonly policy: Policy;
  readonly chain: Chain;
  readonly ledger: Ledger | null;
  readonly foreign: Foreign | null;
  readonly selfApproval: ReadonlySet<string>;
  readonly useWithin: { readonly wait: number; readonly suspend: number };
  readonly rosterMaxAge: number;
  readonly executionTimeout: number;
  readonly capture: "digest" | "full";
  readonly logger: Logger;
  readonly now: () => number;
  /** {@link now}, or what it would show had nobody set it back since the guard was opened. */
  readonly latest: () => number;
  /** Fetches what is new on the roster behind the caller's back, now and then (retry-storm). */
  refreshRoster(): void;
  notifyPending(event: PendingEvent): void;
  notifyDecided(event: DecidedEvent): void;
}

/** How old the relay's last word may be before it is asked again in the background; also between two attempts. */
export const refreshAfter = 30_000;

/**
 * Stage "identify": this agent, on a roster that is recent enough, with the keys that this process has, and
 * not suspended. @throws DeniedError
 */
export async function identify(context: Context): Promise<AgentRecord> {
  const { follower, latest } = context;
  let roster = follower.current();
  requireClock(context, roster);
  if (latest() - roster.time > context.rosterMaxAge) {
    roster = await follower.sync();
    requireFresh(context, roster);
  } else if ((follower.sinceSync() ?? Number.POSITIVE_INFINITY) > refreshAfter) {
    // Suspensions arrive without making an allowed call wait for the relay.
    context.refreshRoster();
  }
  return requireActive(context, follower.current());
}

/** An age cannot be judged by a clock that shows a time before the roster's newest entry (clock-rollback). */
function requireClock({ now }: Context, roster: Roster): void {
  if (roster.time - now() <= clockTolerance) return;
  throw new ClockSkewError(
    `This machine's clock says ${new Date(now()).toISOString()}, but the roster's newest entry was signed at ` +
      `${new Date(roster.time).toISOString()}. Set the clock.`,
  );
}

function requireFresh(context: Context, roster: Roster): void {
  const age = context.latest() - roster.time;
  if (age <= context.rosterMaxAge) return;
  throw new DeniedError(
    `The roster's newest entry is ${Math.floor(age / 86_400_000)} days old, so a revocation could be hidden. ` +
      'The owner runs "guard renew".',
    { reasons: ["the roster is too old (rosterMaxAge)"] },
  );
}

/** @throws DeniedError where the agent is not on the roster, revoked, suspended, or has other keys there. */
export function requireActive(context: Context, roster: Roster): AgentRecord {
  const { agent, keys } = context;
  const record = roster.agent(agent);
  const deny = (why: string, todo: string) =>
    new DeniedError(`Agent ${agent} ${why}. ${todo}`, { reasons: [`the agent ${why}`] });
  if (!record) throw deny("is not on the roster", `The owner runs "guard agent ${agent}".`);
  if (record.revoked) throw deny("is revoked", "Use another agent's connection.");
  const own = keys.signer.key;
  if (
    own.kind === "webauthn" ||
    record.key.publicKey !== own.publicKey ||
    record.encryptionKey !== keys.decryption.publicKey
  ) {
    throw deny("has other keys on the roster than in its connection", "Check GUARD_CONNECTION.");
  }
  if (record.suspended) throw deny("is suspended", `The owner runs "guard lift ${agent}" to let it go on.`);
  return record;
}
