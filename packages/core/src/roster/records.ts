/** What a roster has on each agent, device, relay, admin and identity, and the ids that are digests of keys. */
import { canonicalJson } from "../action/canonical.ts";
import { digestOf } from "../crypto/hash.ts";
import type { SigningKey } from "../crypto/signature.ts";
import type { Head, Signed } from "../crypto/signed.ts";
import type { ForeignWire } from "./entry.ts";

export interface Lifetime {
  /** Sequence number of the entry that made it. */
  readonly since: number;
  /** Time of that entry. */
  readonly enrolledAt: number;
  /** Who signed that entry: `root` or an admin. */
  readonly enrolledBy: string;
  readonly revoked: boolean;
}

export interface AgentRecord extends Lifetime {
  readonly agent: string;
  readonly key: SigningKey;
  readonly encryptionKey: string;
  readonly suspended: boolean;
}
export interface DeviceRecord extends Lifetime {
  readonly device: string;
  readonly identity: string;
  readonly key: SigningKey;
  readonly encryptionKey: string;
  readonly name: string;
  readonly origin: string;
}
/** A device of another system that the owner confirmed: see {@link Change}. */
export interface ForeignDeviceRecord extends Lifetime {
  readonly device: string;
  readonly identity: string;
  readonly wire: ForeignWire;
  readonly publicKey: string;
  readonly kemKey: string;
  readonly name: string;
}
export interface RelayRecord extends Lifetime {
  readonly relay: string;
  readonly key: SigningKey;
}
export interface AdminRecord extends Lifetime {
  readonly admin: string;
  readonly key: SigningKey;
}
export interface IdentityRecord extends Lifetime {
  readonly identity: string;
}

/** Everything that is known as of one head. */
export interface State {
  readonly app: string;
  readonly rootKey: SigningKey;
  readonly entries: readonly Signed[];
  readonly head: Head;
  readonly time: number;
  readonly agents: ReadonlyMap<string, AgentRecord>;
  readonly devices: ReadonlyMap<string, DeviceRecord>;
  readonly foreign: ReadonlyMap<string, ForeignDeviceRecord>;
  readonly relays: ReadonlyMap<string, RelayRecord>;
  readonly admins: ReadonlyMap<string, AdminRecord>;
  readonly people: ReadonlyMap<string, IdentityRecord>;
}

/** The app id of a first root key: SHA-256 over canonical `{type, key}`. */
export function appOf(rootKey: SigningKey): string {
  return digestOf(canonicalJson({ type: "guard/v1/app", key: rootKey }));
}

/** The id of a device: SHA-256 over its canonical app, identity and keys. */
export function deviceIdOf(device: {
  app: string;
  identity: string;
  key: SigningKey;
  encryptionKey: string;
}): string {
  const { app, identity, key, encryptionKey } = device;
  return digestOf(canonicalJson({ type: "guard/v1/device", app, identity, key, encryptionKey }));
}

/** The id of another system's device: SHA-256 over its canonical app, identity and keys. */
export function foreignDeviceIdOf(device: {
  app: string;
  identity: string;
  wire: ForeignWire;
  publicKey: string;
  kemKey: string;
}): string {
  const { app, identity, wire, publicKey, kemKey } = device;
  return digestOf(canonicalJson({ type: "guard/v1/foreign-device", app, identity, wire, publicKey, kemKey }));
}

/** What a new root key signs to show that somebody holds it. */
export function possessionText(app: string, seq: number, key: SigningKey): string {
  return canonicalJson({ type: "guard/v1/possession", app, seq, key });
}
