/**
 * Devices of another system: who registered, and which of them are active. A registration alone makes nobody
 * active (noxy-open-registration): that takes the MAC of the app's secret, the owner's confirmation on the
 * roster, or an app that its owner opened. What the roster revoked is never active.
 *
 * A device authenticates by its public keys alone, because the wire has nothing better: see docs/noxy.md.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import {
  base64url,
  type ForeignApp,
  type ForeignDeviceView,
  foreignDeviceIdOf,
  kemKeyLength,
  normaliseIdentity,
  type Roster,
} from "@guard/core";
import type { KnownDeviceRow } from "../store/foreign.ts";
import type { ForeignDeviceRow } from "../store/schema.ts";
import type { Tables, Unit } from "../store/store.ts";
import { type Context, type Principal, withRoster } from "./context.ts";
import { rosterOf, settingsOf, usableSettings } from "./foreign-apps.ts";
import { ForeignRefusal } from "./foreign-refusal.ts";
import { readable, refuse } from "./refusal.ts";

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

const macLength = 32;
const longestType = 50;
const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes);
const keysDigest = ({ publicKey, kemKey }: DeviceKeys) =>
  sha256(publicKey).update(kemKey).digest("base64url");

/** What a device is by the roster, the app's settings, and what it showed. */
export function stateOf(row: KnownDeviceRow, settings: ForeignApp, roster: Roster): DeviceState {
  const record = roster.foreign(row.device);
  if (row.revoked === 1 || record?.revoked || roster.identity(row.identity)?.revoked) return "revoked";
  const proven = row.proof !== null && row.proof === secretDigest(settings);
  return record || proven || settings.open ? "active" : "waiting";
}

/** So that a secret that was changed ends what was shown by the one before. */
function secretDigest({ signingSecret }: ForeignApp): string | null {
  return signingSecret === null ? null : sha256(signingSecret.trim()).digest("base64url");
}

/** The device's row, where it is active. @throws ForeignRefusal */
export function activeDevice(
  tables: Pick<Tables, "foreign">,
  { app, device }: ForeignDevice,
  roster: Roster,
): KnownDeviceRow {
  const settings = usableSettings(tables, app);
  const row = tables.foreign.find(app, device);
  if (!row)
    throw new ForeignRefusal("no_device", "This device is not registered any more. Register it again.");
  const state = stateOf(row, settings, roster);
  if (state === "revoked") return revoked();
  if (state === "waiting")
    throw new ForeignRefusal("waiting", "This device waits for the owner's confirmation.");
  return row;
}

/**
 * The device that has these keys; null where it has to register (again).
 * @throws Refusal where it was revoked, or the app is unknown, not switched on, or suspended
 */
export async function authenticateDevice(
  context: Context,
  app: string,
  keys: DeviceKeys,
): Promise<AdmittedDevice | null> {
  checkKeys(keys);
  const roster = await rosterOf(context, app);
  const settings = usableSettings(context.store, app);
  const row = context.store.foreign.findKeys(app, keysDigest(keys));
  if (!row) return null;
  const state = stateOf(row, settings, roster);
  if (state === "revoked") return revoked();
  // What it showed once does not count any more, and only registering shows it anew.
  if (state === "waiting" && row.proof !== null) return null;
  return { app, device: row.device, identity: row.identity, state };
}

/**
 * Registers a device; the same again is a lost reply, or shows the MAC that was missing.
 * @throws Refusal `mac` where a MAC of 32 bytes is not the app's
 */
export async function registerDevice(
  context: Context,
  app: string,
  registration: Registration,
): Promise<AdmittedDevice & { readonly registeredAt: number }> {
  checkKeys(registration);
  const { publicKey, kemKey, type } = registration;
  const identity = readable(() => normaliseIdentity(registration.identity));
  if (type.length < 1 || type.length > longestType)
    refuse("invalid", `A device's type has 1 to ${longestType} characters.`);
  await rosterOf(context, app);
  return withRoster(context, app, (roster) => (unit) => {
    const settings = usableSettings(unit, app);
    const named = { app, identity, wire: settings.wire } as const;
    const device = foreignDeviceIdOf({
      ...named,
      publicKey: base64url(publicKey),
      kemKey: base64url(kemKey),
    });
    const proof = proofOf(settings, registration);
    const keys = keysDigest(registration);
    const there = unit.foreign.findKeys(app, keys);
    // Revoked keys come back under no other name either.
    if (there && stateOf(there, settings, roster) === "revoked") return revoked();
    if (there && there.device !== device)
      return refuse("invalid", "These keys are registered for another identity. Make new ones.");
    const row: ForeignDeviceRow = {
      number: 0,
      app,
      device,
      keys,
      identity,
      public_key: publicKey,
      kem_key: kemKey,
      type,
      proof: proof ?? there?.proof ?? null,
      kept: roster.foreign(device) ? 1 : 0,
      revoked: 0,
      registered_at: there?.registered_at ?? context.clock(),
    };
    const state = stateOf(row, settings, roster);
    if (state === "revoked") return revoked();
    const forgotten =
      !there || (there.proof === null && row.proof !== null && there.kept === 0)
        ? makeRoom(context, unit, row)
        : [];
    if (!there) unit.foreign.add(row);
    else if (proof !== null) unit.foreign.prove(app, device, proof);
    unit.after(() => reviewDevices(context, roster, [device, ...forgotten]));
    return { app, device, identity, state, registeredAt: row.registered_at };
  });
}

/**
 * Strangers can fill the room of those that wait, and push each other out of it, but nobody out of the other.
 * @returns the devices that were pushed out
 */
function makeRoom({ limits }: Context, unit: Unit, row: ForeignDeviceRow): string[] {
  const { app, identity, proof, kept } = row;
  const { foreign } = unit;
  if (proof !== null || kept === 1) {
    const full =
      foreign.count("proven", app) >= limits.foreignDevices ||
      foreign.count("proven", app, identity) >= limits.foreignOfIdentity;
    if (full) refuse("too_many_open", "This app, or this identity, has as many devices as the relay allows.");
    return [];
  }
  const out = foreign.count("unproven", app) >= limits.foreignWaiting ? foreign.forget(app) : [];
  const full = foreign.count("unproven", app, identity) >= limits.foreignOfIdentity;
  return full ? [...out, ...foreign.forget(app, identity)] : out;
}

/** The digest of the secret that the registration shows; null where it shows none, or the app has none. */
function proofOf(settings: ForeignApp, registration: Registration): string | null {
  const { signingSecret, app } = settings;
  const { mac, identity, identityType, publicKey, kemKey, type } = registration;
  if (signingSecret === null || mac?.length !== macLength) return null;
  const message = [
    "NOXY_DEVICE_REGISTER_V1",
    app,
    identityType,
    identity,
    sha256(publicKey).digest("hex"),
    sha256(kemKey).digest("hex"),
    type,
  ];
  const expected = createHmac("sha256", signingSecret.trim()).update(message.join("\u001f")).digest();
  if (!timingSafeEqual(expected, mac))
    throw new ForeignRefusal("mac", "The registration's signature is not the one of this app's secret.");
  return secretDigest(settings);
}

/**
 * Ends a device by its own wish, for good. Its other connections end; the one that asks leaves `deliveries`
 * before it calls this, answers, and ends itself.
 */
export async function revokeDevice(context: Context, { app, device }: ForeignDevice): Promise<void> {
  await withRoster(context, app, (roster) => (unit) => {
    unit.foreign.revoke(app, device);
    unit.after(() => reviewDevices(context, roster, [device]));
  });
}

/**
 * Ends a device for new keys, like {@link revokeDevice}. The new keys are another device: they authenticate and
 * register like any others, because nothing on the wire shows that the old keys' holder chose them
 * (key-substitution).
 */
export async function rotateDevice(
  context: Context,
  device: ForeignDevice,
  keys: DeviceKeys,
): Promise<{ readonly rotatedAt: number }> {
  checkKeys(keys);
  const row = context.store.foreign.find(device.app, device.device);
  if (row?.keys === keysDigest(keys)) refuse("invalid", "The new keys are the ones that the device has.");
  await revokeDevice(context, device);
  return { rotatedAt: context.clock() };
}

/**
 * Ends the connections of devices that this roster or the settings stop, and tells those that are active now: of
 * all, or where only these changed, of these.
 */
export function reviewDevices(context: Context, roster: Roster, devices?: readonly string[]): void {
  const { app } = roster;
  const signed = context.store.foreign.app(app);
  const settings = signed && settingsOf(context.store, app);
  const state = (device: string) => {
    const row = context.store.foreign.find(app, device);
    return settings && !settings.suspended && row ? stateOf(row, settings, roster) : null;
  };
  context.deliveries.review(app, state, devices);
}

const mostListed = 1000;

/** What the owner looks at, newest first; what the roster has beyond the newest 1000 is on the roster. */
export async function listDevices(
  context: Context,
  { app }: Principal,
): Promise<{ devices: ForeignDeviceView[] }> {
  const roster = await context.rosters.get(app);
  const settings = settingsOf(context.store, app);
  const devices = context.store.foreign.newest(app, mostListed).map((row) => ({
    device: row.device,
    identity: row.identity,
    wire: settings.wire,
    publicKey: base64url(row.public_key),
    kemKey: base64url(row.kem_key),
    type: row.type,
    state: stateOf(row, settings, roster),
    registeredAt: row.registered_at,
  }));
  return { devices };
}

function checkKeys({ publicKey, kemKey }: DeviceKeys): void {
  if (publicKey.length !== 32 || kemKey.length !== kemKeyLength)
    refuse(
      "invalid",
      `A device has an Ed25519 key of 32 bytes and an ML-KEM-768 key of ${kemKeyLength} bytes.`,
    );
}

function revoked(): never {
  throw new ForeignRefusal(
    "revoked",
    "This device was revoked, which is for good. Make new keys for another one.",
  );
}
