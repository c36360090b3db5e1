/**
 * Who may put what on a roster: judged by the roster before the entry. Only the root signs root and admin
 * entries; nothing that was revoked comes back, an id means one thing for ever, and look-alikes are refused.
 */
import type { SigningKey } from "../crypto/signature.ts";
import type { Change, RosterEntry, Target } from "./entry.ts";
import { normaliseIdentity, skeleton } from "./identity.ts";
import { deviceIdOf, foreignDeviceIdOf, type Lifetime, type State } from "./records.ts";

/** The key that has to have signed `entry`, or null where its signer may not. */
export function signerKey(before: State, entry: RosterEntry): SigningKey | null {
  if (entry.by === "root") return before.rootKey;
  const { change } = entry;
  const rootOnly =
    change.kind === "root" ||
    change.kind === "admin" ||
    (change.kind === "revoke" && change.target.kind === "admin");
  if (rootOnly) return null;
  const admin = before.admins.get(entry.by);
  return admin && !admin.revoked ? admin.key : null;
}

/** Why a well-signed entry makes no sense after `before`, or null where it does. */
export function whyNot(before: State, change: Change): string | null {
  switch (change.kind) {
    case "root":
    case "renew":
      return null;
    case "admin":
      if (change.admin.toLowerCase() === "root") return "an admin cannot be called root";
      return before.admins.has(change.admin) ? "there is an admin of that name" : null;
    case "identity": {
      if (safeIdentity(change.identity) !== change.identity) return "the identity is not normalised";
      if (before.people.has(change.identity)) return "the identity is there already";
      const looks = skeleton(change.identity);
      for (const other of before.people.keys()) {
        if (skeleton(other) === looks) return `the identity looks like ${other}`;
      }
      return null;
    }
    case "agent":
      return before.agents.has(change.agent) ? "there is or was an agent of that name" : null;
    case "relay":
      return before.relays.has(change.relay) ? "there is or was a relay of that name" : null;
    case "device": {
      const person = before.people.get(change.identity);
      if (!person || person.revoked) return "its identity is not on the roster";
      if (change.device !== deviceIdOf({ app: before.app, ...change }))
        return "its id is not the digest of its keys";
      if (before.devices.has(change.device)) return "it is there already";
      for (const other of before.devices.values()) {
        // The bytes alone: calling a key by another kind, or another passkey's name, makes no second person.
        if (other.key.publicKey === change.key.publicKey) return "its key is another device's";
      }
      return null;
    }
    case "foreign": {
      const person = before.people.get(change.identity);
      if (!person || person.revoked) return "its identity is not on the roster";
      if (change.device !== foreignDeviceIdOf({ app: before.app, ...change }))
        return "its id is not the digest of its keys";
      if (before.foreign.has(change.device)) return "it is there already";
      for (const other of before.foreign.values()) {
        if (other.kemKey === change.kemKey) return "its key is another device's";
      }
      return null;
    }
    case "revoke": {
      const record = recordOf(before, change.target);
      if (!record) return `there is no ${change.target.kind} ${change.target.id}`;
      return record.revoked ? "it is revoked already" : null;
    }
    case "suspend":
    case "lift": {
      const agent = before.agents.get(change.agent);
      if (!agent || agent.revoked) return `there is no agent ${change.agent}`;
      if (agent.suspended === (change.kind === "suspend"))
        return `the agent is ${agent.suspended ? "" : "not "}suspended`;
      return null;
    }
  }
}

function safeIdentity(identity: string): string | null {
  try {
    return normaliseIdentity(identity);
  } catch {
    return null;
  }
}

function recordOf(state: State, target: Target): Lifetime | undefined {
  return tableOf(state, target.kind).get(target.id);
}

export function tableOf(state: State, kind: Target["kind"]): ReadonlyMap<string, Lifetime> {
  switch (kind) {
    case "admin":
      return state.admins;
    case "identity":
      return state.people;
    case "agent":
      return state.agents;
    case "relay":
      return state.relays;
    case "device":
      return state.devices;
    case "foreign":
      return state.foreign;
  }
}
