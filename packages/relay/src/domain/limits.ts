/** What one client may use of the relay, so that none starves the rest (quota-exhaustion). */
import { ConfigurationError } from "@guard/core";

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export interface Limits {
  /** Bytes of one request body. */
  readonly body: number;
  /** Calls of one token; each 16 KiB of a body count as one more. */
  readonly tokenRate: Rate;
  /** Calls of one address without a valid token. */
  readonly addressRate: Rate;
  /** Calls that write and are worked on at once; when one is done, the next app in the round is next. */
  readonly working: number;
  /** Calls that write and wait for their turn, of one app. */
  readonly waiting: number;
  /** Pending, approved and running requests of one agent. */
  readonly openRequests: number;
  /** Closed requests that are listed at once. */
  readonly listed: number;
  /** Unexpired invitations of one app. */
  readonly openInvitations: number;
  /** Entries of one app's roster, which is kept in memory. */
  readonly rosterEntries: number;
  /** Streams of one token. */
  readonly streams: number;
  /** Held polls of one token; further ones are answered at once. */
  readonly waits: number;
  /** Bytes that a stream may fall behind. */
  readonly streamBuffer: number;
  /** Statements that one device may leave on one request, late ones too. */
  readonly statements: number;
  /** Pending decisions of one agent. */
  readonly openDecisions: number;
  /** Decisions that wait for one foreign device. */
  readonly foreignQueue: number;
  /** Foreign devices of one app that showed its secret or were confirmed. */
  readonly foreignDevices: number;
  /** Foreign devices of one app that did neither; past it the oldest is forgotten. */
  readonly foreignWaiting: number;
  /** Foreign devices of one identity, of either sort. */
  readonly foreignOfIdentity: number;
  /** Messages over a foreign wire of one app, its agents' and its devices'; each 16 KiB count as one more. */
  readonly foreignRate: Rate;
  /** Messages of one app's devices, from one address, before the relay knows which device it is. */
  readonly foreignFirstRate: Rate;
  /** Messages of one device's connection. */
  readonly foreignConnectionRate: Rate;
}

const defaults: Limits = {
  body: 512 * 1024,
  tokenRate: { perSecond: 100, burst: 400 },
  addressRate: { perSecond: 10, burst: 60 },
  working: 128,
  waiting: 1000,
  openRequests: 1000,
  listed: 200,
  openInvitations: 100,
  rosterEntries: 100_000,
  streams: 16,
  waits: 1000,
  streamBuffer: 256 * 1024,
  statements: 8,
  openDecisions: 5000,
  foreignQueue: 1000,
  foreignDevices: 10_000,
  foreignWaiting: 1000,
  foreignOfIdentity: 100,
  foreignRate: { perSecond: 200, burst: 200 },
  foreignFirstRate: { perSecond: 5, burst: 50 },
  foreignConnectionRate: { perSecond: 20, burst: 20 },
};

/** @throws ConfigurationError for unknown names and for what is not a positive number. */
export function limitsOf(given: Partial<Limits> = {}): Limits {
  const limits = { ...defaults, ...given };
  const positive = (value: unknown) => typeof value === "number" && Number.isFinite(value) && value > 0;
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(defaults, name)) {
      throw new ConfigurationError(
        `There is no limit called "${name}". The limits are ${Object.keys(defaults).join(", ")}.`,
      );
    }
    const numbers = typeof value === "object" && value !== null ? [value.perSecond, value.burst] : [value];
    if (!numbers.every(positive))
      throw new ConfigurationError(`The limit ${name} has to be a positive number.`);
  }
  return limits;
}
