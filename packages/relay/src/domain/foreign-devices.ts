/**
 * Devices of another system: who registered, and which of them are active. A registration alone makes nobody
 * active (noxy-open-registration): that takes the MAC of the app's secret, the owner's confirmation on the
 * roster, or an app that its owner opened. What the roster revoked is never active.
 */
import type { Context } from "./context.ts";

/** A device as its connection was admitted. */
export interface ForeignDevice {
  readonly app: string;
  readonly device: string;
  readonly identity: string;
}

export type DeviceState = "waiting" | "active" | "revoked";

export interface AdmittedDevice extends ForeignDevice {
  readonly state: "waiting" | "active";
}

export interface DeviceKeys {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** ML-KEM-768, 1184 bytes. */
  readonly kemKey: Uint8Array;
}

/** The words of the registration's MAC. */
export type IdentityType = "wallet" | "email" | "phone" | "user_id";

export interface Registration extends DeviceKeys {
  /** As the client sent it: the MAC is over this spelling. */
  readonly identity: string;
  readonly identityType: IdentityType;
  /** browser, ios, telegram and so on: 1 to 50 characters. */
  readonly type: string;
  /** HMAC-SHA256 of the app's secret; null (or other than 32 bytes) where the client cannot make one. */
  readonly mac: Uint8Array | null;
}

/**
 * The device that has these keys; null where it has to register (again).
 * @throws Refusal where it was revoked, or the app is unknown, not switched on, or suspended
 */
export async function authenticateDevice(
  _context: Context,
  _app: string,
  _keys: DeviceKeys,
): Promise<AdmittedDevice | null> {
  throw new Error("follows");
}

/**
 * Registers a device; the same again is a lost reply, or shows the MAC that was missing.
 * @throws Refusal `mac` where a MAC of 32 bytes is not the app's
 */
export async function registerDevice(
  _context: Context,
  _app: string,
  _registration: Registration,
): Promise<AdmittedDevice & { readonly registeredAt: number }> {
  throw new Error("follows");
}

/**
 * Ends a device by its own wish, for good. Its other connections end; the one that asks leaves `deliveries`
 * before it calls this, answers, and ends itself.
 */
export async function revokeDevice(_context: Context, _device: ForeignDevice): Promise<void> {
  throw new Error("follows");
}

/**
 * Ends a device for new keys, like {@link revokeDevice}. The new keys are another device: they authenticate and
 * register like any others, because nothing on the wire shows that the old keys' holder chose them
 * (key-substitution).
 */
export async function rotateDevice(
  _context: Context,
  _device: ForeignDevice,
  _keys: DeviceKeys,
): Promise<{ readonly rotatedAt: number }> {
  throw new Error("follows");
}
