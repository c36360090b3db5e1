/**
 * The roster: one app's signed, append-only list of who may do what.
 *
 * Guarantees: every entry links to the one before it, is judged by the roster before it, and is signed by the
 * root or an admin of that moment (root and admin entries by the root alone). A roster is immutable: appending
 * returns another one. Nothing that was revoked comes back, and an id means one thing for ever.
 */
import { utf8 } from "../crypto/encoding.ts";
import { type Signer, type SigningKey, verifySignature } from "../crypto/signature.ts";
import { type Head, idOf, type Signed, signObject, verifySigned } from "../crypto/signed.ts";
import { VerificationError } from "../errors.ts";
import { type Change, type RosterEntry, readEntry } from "./entry.ts";
import {
  type AdminRecord,
  type AgentRecord,
  appOf,
  type DeviceRecord,
  type ForeignDeviceRecord,
  type IdentityRecord,
  type Lifetime,
  possessionText,
  type RelayRecord,
  type State,
} from "./records.ts";
import { signerKey, tableOf, whyNot } from "./rules.ts";

/** A roster as of its head. Look-ups return revoked records too, marked as such. */
export interface Roster {
  readonly app: string;
  readonly head: Head;
  /** Time of the last entry: how old the newest word of root or admins is. */
  readonly time: number;
  readonly rootKey: SigningKey;
  /** All entries, as signed. */
  readonly entries: readonly Signed[];
  /** The roster as it was with entry `seq` as its head. @throws VerificationError where it is not that long. */
  at(seq: number): Roster;
  agent(name: string): AgentRecord | undefined;
  device(id: string): DeviceRecord | undefined;
  /** A device of another system. */
  foreign(id: string): ForeignDeviceRecord | undefined;
  relay(id: string): RelayRecord | undefined;
  admin(name: string): AdminRecord | undefined;
  identity(identity: string): IdentityRecord | undefined;
  /** Devices on which `identity` can decide now: neither they nor it revoked. */
  devicesOf(identity: string): readonly DeviceRecord[];
  /** Devices of other systems on which `identity` can be asked now. Nothing that they answer is signed. */
  foreignOf(identity: string): readonly ForeignDeviceRecord[];
  agents(): readonly AgentRecord[];
  relays(): readonly RelayRecord[];
  devices(): readonly DeviceRecord[];
  identities(): readonly IdentityRecord[];
}

/**
 * Judges and appends one entry; `roster` is null for the first.
 * @throws VerificationError where the entry is malformed, does not follow, or its signer may not say this.
 */
export async function appendEntry(roster: Roster | null, signed: Signed): Promise<Roster> {
  const before = roster === null ? null : stateOf(roster);
  const entry = readEntry(signed);
  const refuse = (why: string): never => {
    throw new VerificationError(`Roster entry ${entry.seq} (${entry.change.kind}) is refused: ${why}.`);
  };
  if (before === null) {
    if (entry.change.kind !== "root") return refuse("a roster starts with a root entry");
    if (entry.seq !== 0 || entry.prev !== null)
      return refuse("the first entry has sequence number 0 and no predecessor");
    if (entry.app !== appOf(entry.change.key)) return refuse("the app id is not the digest of its root key");
  } else {
    if (entry.app !== before.app) return refuse("it belongs to another app");
    if (entry.seq !== before.head.seq + 1 || entry.prev !== before.head.hash)
      return refuse("it does not follow the head");
    if (entry.time < before.time) return refuse("its time is before its predecessor's");
  }
  const signer = before === null ? (entry.change as Change & { kind: "root" }).key : signerKey(before, entry);
  if (signer === null) return refuse(`"${entry.by}" may not sign it`);
  if (!(await verifySigned(signer, signed))) return refuse("its signature is not the signer's");
  if (entry.change.kind === "root") {
    const { key, possession } = entry.change;
    const proven = await verifySignature(key, utf8(possessionText(entry.app, entry.seq, key)), possession);
    if (!proven) return refuse("nobody showed that they hold the new root key");
  }
  const problem = before === null ? null : whyNot(before, entry.change);
  if (problem !== null) return refuse(problem);
  return viewOf(applied(before, entry, signed));
}

/**
 * Reads a whole roster from its first entry.
 * @param expected.app the app id it has to be of (pinned by whoever reads)
 * @throws VerificationError
 */
export async function readRoster(entries: readonly Signed[], expected: { app: string }): Promise<Roster> {
  let roster: Roster | null = null;
  for (const entry of entries) {
    roster = await appendEntry(roster, entry);
    if (roster.app !== expected.app) throw new VerificationError("The roster is another app's.");
  }
  if (roster === null) throw new VerificationError("The roster is empty.");
  return roster;
}

/** Signs the next entry of `roster`; `by` is `root` or the signing admin's name. */
export async function signEntry(
  roster: Roster,
  change: Change,
  options: { signer: Signer; by: string; now: number },
): Promise<Signed> {
  return signObject(options.signer, {
    type: "guard/v1/roster",
    app: roster.app,
    seq: roster.head.seq + 1,
    prev: roster.head.hash,
    // An admin whose clock is ahead must not stop the others.
    time: Math.max(options.now, roster.time),
    by: options.by,
    change,
  } satisfies RosterEntry);
}

/** Signs the first entry of a new app. */
export async function foundRoster(signer: Signer, now: number): Promise<Signed> {
  const app = appOf(signer.key);
  const possession = (await signer.sign(utf8(possessionText(app, 0, signer.key)))) as string;
  return signObject(signer, {
    type: "guard/v1/roster",
    app,
    seq: 0,
    prev: null,
    time: now,
    by: "root",
    change: { kind: "root", key: signer.key, possession },
  } satisfies RosterEntry);
}

function applied(before: State | null, entry: RosterEntry, signed: Signed): State {
  const { change } = entry;
  const lifetime: Lifetime = {
    since: entry.seq,
    enrolledAt: entry.time,
    enrolledBy: entry.by,
    revoked: false,
  };
  const state = {
    app: entry.app,
    rootKey: change.kind === "root" ? change.key : (before as State).rootKey,
    entries: [...(before?.entries ?? []), signed],
    head: { seq: entry.seq, hash: idOf(signed) },
    time: entry.time,
    agents: new Map(before?.agents),
    devices: new Map(before?.devices),
    foreign: new Map(before?.foreign),
    relays: new Map(before?.relays),
    admins: new Map(before?.admins),
    people: new Map(before?.people),
  };
  switch (change.kind) {
    case "admin":
      state.admins.set(change.admin, { ...lifetime, admin: change.admin, key: change.key });
      break;
    case "identity":
      state.people.set(change.identity, { ...lifetime, identity: change.identity });
      break;
    case "agent": {
      const { agent, key, encryptionKey } = change;
      state.agents.set(agent, { ...lifetime, agent, key, encryptionKey, suspended: false });
      break;
    }
    case "relay":
      state.relays.set(change.relay, { ...lifetime, relay: change.relay, key: change.key });
      break;
    case "device": {
      const { device, identity, key, encryptionKey, name, origin } = change;
      state.devices.set(device, { ...lifetime, device, identity, key, encryptionKey, name, origin });
      break;
    }
    case "foreign": {
      const { device, identity, wire, publicKey, kemKey, name } = change;
      state.foreign.set(device, { ...lifetime, device, identity, wire, publicKey, kemKey, name });
      break;
    }
    case "revoke": {
      const table = tableOf(state, change.target.kind) as Map<string, Lifetime>;
      table.set(change.target.id, { ...(table.get(change.target.id) as Lifetime), revoked: true });
      break;
    }
    case "suspend":
    case "lift": {
      const agent = state.agents.get(change.agent) as AgentRecord;
      state.agents.set(change.agent, { ...agent, suspended: change.kind === "suspend" });
      break;
    }
  }
  return state;
}

const states = new WeakMap<Roster, State>();

function stateOf(roster: Roster): State {
  const state = states.get(roster);
  if (!state) throw new TypeError("Not a roster of this package.");
  return state;
}

function viewOf(state: State): Roster {
  const roster: Roster = {
    app: state.app,
    head: state.head,
    time: state.time,
    rootKey: state.rootKey,
    entries: state.entries,
    at(seq) {
      if (seq === state.head.seq) return roster;
      // The entries were judged when they were appended; what held then needs no second look.
      let earlier: State | null = null;
      for (const entry of state.entries.slice(0, seq + 1))
        earlier = applied(earlier, readEntry(entry), entry);
      if (earlier?.head.seq !== seq) throw new VerificationError(`The roster has no entry ${seq}.`);
      return viewOf(earlier);
    },
    agent: (name) => state.agents.get(name),
    device: (id) => state.devices.get(id),
    foreign: (id) => state.foreign.get(id),
    relay: (id) => state.relays.get(id),
    admin: (name) => state.admins.get(name),
    identity: (identity) => state.people.get(identity),
    devicesOf(identity) {
      if (state.people.get(identity)?.revoked !== false) return [];
      return [...state.devices.values()].filter((device) => device.identity === identity && !device.revoked);
    },
    foreignOf(identity) {
      if (state.people.get(identity)?.revoked !== false) return [];
      return [...state.foreign.values()].filter((device) => device.identity === identity && !device.revoked);
    },
    agents: () => [...state.agents.values()],
    relays: () => [...state.relays.values()],
    devices: () => [...state.devices.values()],
    identities: () => [...state.people.values()],
  };
  states.set(roster, state);
  return roster;
}
