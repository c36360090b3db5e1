/**
 * What the calls and sessions of this wire share: the relay's rules, and how much of it one app, one address
 * and one connection may use (quota-exhaustion).
 */
import type { Logger } from "pino";
import type { Context } from "../../domain/context.ts";
import type { ForeignDevice } from "../../domain/foreign-devices.ts";
import { Refusal } from "../../domain/refusal.ts";
import { type Rates, rates } from "../../server/rates.ts";
import { type Seen, seenNonces } from "./fresh.ts";

/** A session that is open, or still at work on its last request. */
export interface Open {
  /** Ends its connection. */
  end(): void;
  /** Resolves when it is at work on nothing. */
  idle(): Promise<void>;
}

export interface Wire {
  readonly context: Context;
  readonly logger: Logger | null;
  readonly sessions: Set<Open>;
  /** Counts one connection of a device; past the limit the oldest of them ends. @returns what takes it off again */
  enter(device: ForeignDevice, session: Open): () => void;
  readonly rates: {
    /** By app: agents' calls and known devices' messages. */
    readonly app: Rates;
    /** By app and address: what comes before a device is known. */
    readonly first: Rates;
    /** By address: calls without a valid token. */
    readonly address: Rates;
  };

  firstNonces(app: string): Seen;
}

/** How much of a message one call pays for. */
const bytesPerCall = 16 * 1024;
const remembered = 10 * 60;

export function newWire(context: Context, logger: Logger | null): Wire {
  const { limits } = context;
  const nonces = new Map<string, Seen>();
  const connections = new Map<string, Set<Open>>();
  return {
    context,
    logger,
    sessions: new Set(),
    enter({ app, device }, session) {
      const name = `${app} ${device}`;
      const open = connections.get(name) ?? new Set();
      connections.set(name, open.add(session));
      if (open.size > limits.streams) open.values().next().value?.end();
      return () => {
        open.delete(session);
        if (open.size === 0) connections.delete(name);
      };
    },
    rates: {
      app: rates(limits.foreignRate),
      first: rates(limits.foreignFirstRate),
      address: rates(limits.addressRate),
    },
    firstNonces(app) {
      const seen = nonces.get(app) ?? seenNonces(noncesOf(limits.foreignRate));
      nonces.set(app, seen);
      return seen;
    },
  };
}

/** As many as may come by `rate` while a nonce is remembered. */
export const noncesOf = ({ perSecond, burst }: { perSecond: number; burst: number }): number =>
  Math.ceil(burst + perSecond * remembered);

/** @throws Refusal with `retryAfter` where the bucket has not enough left */
export function pay(buckets: Rates, id: string, bytes = 0): void {
  const wait = buckets.take(id, performance.now(), 1 + Math.floor(bytes / bytesPerCall));
  if (wait > 0) throw new Refusal("rate_limited", "Too many calls. Slow down.", { retryAfter: wait });
}
