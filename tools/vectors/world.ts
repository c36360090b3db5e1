/**
 * The app of the vectors: its keys, its people, and its roster in two lengths. `calm` (16 entries) has everybody
 * on it; `later` goes on to suspend, lift, revoke and rotate.
 */
import {
  type AgentKeys,
  agentKeys,
  appendEntry,
  type Change,
  type DecryptionKey,
  decryptionKey,
  deviceIdOf,
  foundRoster,
  type Head,
  possessionText,
  type Roster,
  type Signer,
  signEntry,
  utf8,
} from "../../packages/core/src/index.ts";
import { seed } from "./random.ts";
import { type Passkey, p256, passkey, software } from "./signers.ts";

export const day = 86_400_000;
/** 2027-01-15T08:00:00Z: everything is asked around here; the roster is a day older. */
export const now = 1_800_000_000_000;
export const relayUrl = "https://relay.example.com";

export interface Person {
  readonly identity: string;
  readonly device: string;
  readonly signer: Signer | Passkey;
  readonly decryption: DecryptionKey;
  readonly change: Change & { readonly kind: "device" };
}

export interface World {
  readonly app: string;
  readonly root: Signer;
  readonly newRoot: Signer;
  readonly admin: Signer;
  readonly relay: Signer;
  readonly agent: AgentKeys;
  readonly other: AgentKeys;
  readonly people: Readonly<Record<"alice" | "bob" | "carol" | "dave" | "mallory", Person>>;
  readonly calm: Roster;
  readonly later: Roster;
  /** The head of entry `seq`. */
  head(seq: number): Head;
}

export async function person(app: string, name: string, signer: Signer): Promise<Person> {
  const identity = `${name}@example.com`;
  const decryption = await decryptionKey(seed(`device encryption ${name}`));
  const keys = { identity, key: signer.key, encryptionKey: decryption.publicKey };
  const device = deviceIdOf({ app, ...keys });
  const origin = signer.key.kind === "webauthn" ? "https://approve.example.com" : "terminal";
  const change = { kind: "device", device, ...keys, name: `${name}'s device`, origin } as const;
  return { identity, device, signer, decryption, change };
}

export async function makeWorld(): Promise<World> {
  const [root, newRoot, admin, relay] = await Promise.all(
    ["root", "new root", "admin", "relay"].map(software),
  );
  if (!root || !newRoot || !admin || !relay) throw new Error("unreachable");
  const agent = await agentKeys(seed("agent billing"));
  const other = await agentKeys(seed("agent other"));
  const start = now - day;
  let roster = await appendEntry(null, await foundRoster(root, start));
  const { app } = roster;
  const add = async (change: Change, signer: Signer = root, by = "root") => {
    const entry = await signEntry(roster, change, { signer, by, now: start + roster.head.seq * 1000 });
    roster = await appendEntry(roster, entry);
  };
  const byAdmin = (change: Change) => add(change, admin, "ops");
  const people = {
    alice: await person(app, "alice", await software("alice")),
    bob: await person(app, "bob", p256("bob")),
    carol: await person(app, "carol", await passkey("carol", "ES256")),
    dave: await person(app, "dave", await passkey("dave", "EdDSA")),
    mallory: await person(app, "mallory", await software("mallory")),
  };
  const agentChange = (name: string, keys: AgentKeys): Change => ({
    kind: "agent",
    agent: name,
    key: keys.signer.key,
    encryptionKey: keys.decryption.publicKey,
  });
  await add({ kind: "relay", relay: "relay", key: relay.key });
  await add({ kind: "admin", admin: "ops", key: admin.key });
  await byAdmin(agentChange("billing", agent));
  for (const { identity, change } of Object.values(people)) {
    await byAdmin({ kind: "identity", identity });
    await byAdmin(change);
  }
  await add(agentChange("other", other));
  await add({ kind: "renew" });
  const calm = roster;

  await byAdmin({ kind: "suspend", agent: "billing", reason: "odd refunds" });
  await byAdmin({ kind: "lift", agent: "billing" });
  await byAdmin({ kind: "revoke", target: { kind: "device", id: people.alice.device }, reason: "stolen" });
  await byAdmin({ kind: "revoke", target: { kind: "identity", id: people.bob.identity }, reason: null });
  const seq = roster.head.seq + 1;
  const possession = (await newRoot.sign(utf8(possessionText(app, seq, newRoot.key)))) as string;
  await add({ kind: "root", key: newRoot.key, possession });
  await add({ kind: "revoke", target: { kind: "admin", id: "ops" }, reason: "left" }, newRoot);
  await add({ kind: "revoke", target: { kind: "relay", id: "relay" }, reason: null }, newRoot);
  await add({ kind: "revoke", target: { kind: "agent", id: "other" }, reason: null }, newRoot);
  const later = roster;
  return {
    ...{ app, root, newRoot, admin, relay, agent, other, people, calm, later },
    head: (at) => later.at(at).head,
  };
}

/** A vector file: what is in it, and its parts. */
export type VectorFile = { readonly description: string } & Record<string, unknown>;
