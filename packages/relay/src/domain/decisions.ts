/**
 * Decisions: what an agent asks on another system's devices. The first answer of any device that got it closes
 * it for the identity; expiry is decided once. Nothing here is signed: an agent that acts on it trusts this relay.
 */
import type { AgentPrincipal, Context } from "./context.ts";
import type { Delivery } from "./deliveries.ts";
import type { DeviceKeys, ForeignDevice } from "./foreign-devices.ts";

/** One decision, sealed to one device. */
export interface RoutedDecision {
  readonly device: string;
  /** The client's id, 1 to 128 characters; empty where the relay shall make one. */
  readonly decision: string;
  /** 0 is 600. The first of a decision's routings sets it. */
  readonly ttlSeconds: number;
  readonly kemCiphertext: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

export type DeliveryStatus = "delivered" | "queued" | "no_devices";

export type Outcome = "pending" | "approved" | "rejected" | "expired";

/**
 * Takes a decision for one device and sends it. The same decision to the same device again is a lost reply: the
 * first bytes stay. `decision` is empty with `no_devices`: nothing was stored.
 */
export async function routeDecision(
  _context: Context,
  _principal: AgentPrincipal,
  _routed: RoutedDecision,
): Promise<{ readonly status: DeliveryStatus; readonly decision: string }> {
  throw new Error("follows");
}

/** What became of a decision; with `wait` (ms), once it is settled or the time is over. */
export async function decisionOutcome(
  _context: Context,
  _principal: AgentPrincipal,
  _asked: {
    readonly decision: string;
    readonly identity: string;
    readonly wait?: number | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Outcome> {
  throw new Error("follows");
}

/** What is left of the month; `total` and `remaining` are the largest safe integer where nobody counts. */
export async function quotaOf(
  _context: Context,
  _principal: AgentPrincipal,
): Promise<{
  readonly name: string;
  readonly total: number;
  readonly remaining: number;
  readonly status: "active" | "suspended";
}> {
  throw new Error("follows");
}

/** The active devices of an identity, oldest first. */
export async function devicesOf(
  _context: Context,
  _principal: AgentPrincipal,
  _identity: string,
): Promise<readonly ({ readonly device: string } & DeviceKeys)[]> {
  throw new Error("follows");
}

/** A device's answer. `outcome` is the one that stands, `first` whether this answer is it. */
export async function answerDecision(
  _context: Context,
  _device: ForeignDevice,
  _answer: { readonly decision: string; readonly outcome: "approved" | "rejected" },
): Promise<{ readonly outcome: Outcome; readonly first: boolean }> {
  throw new Error("follows");
}

/** The device has it: it is not sent again. */
export async function acknowledge(
  _context: Context,
  _device: ForeignDevice,
  _decision: string,
): Promise<void> {
  throw new Error("follows");
}

/**
 * What waits for a device, oldest first: pending, neither answered nor acknowledged. Each is read when it is
 * its turn, so a queue of any length takes little memory, and what was closed meanwhile is left out. A connection that
 * counts as subscribed in the turn in which it gets this misses nothing and gets nothing twice.
 * @throws Refusal `waiting` or `revoked` where the device is not active
 */
export async function undelivered(_context: Context, _device: ForeignDevice): Promise<Iterable<Delivery>> {
  throw new Error("follows");
}
