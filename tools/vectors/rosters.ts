/** Vectors of rosters: one long good chain, and entries that must not follow it. */
import {
  appOf,
  base64url,
  type Change,
  foreignDeviceIdOf,
  foundRoster,
  fromBase64url,
  idOf,
  possessionText,
  type Roster,
  type RosterEntry,
  type Signed,
  type Signer,
  type SigningKey,
  signEntry,
  signObject,
  utf8,
} from "../../packages/core/src/index.ts";
import { seed } from "./random.ts";
import { p256, passkey, software } from "./signers.ts";
import { day, now, person, type VectorFile, type World } from "./world.ts";

interface Case {
  readonly name: string;
  /** How many entries of the good chain come before `entries`. */
  readonly after: number;
  readonly entries: readonly Signed[];
  readonly valid: boolean;
  readonly firstBad?: number;
  readonly why?: string;
}

/** The same point in the form of X9.62 that tells y twice: another spelling of one key (section 2.4). */
function hybrid<Key extends SigningKey>(key: Key): Key {
  const point = fromBase64url(key.publicKey);
  point[0] = 6 + ((point.at(-1) as number) & 1);
  return { ...key, publicKey: base64url(point) };
}

export async function rosters(w: World): Promise<VectorFile> {
  const { calm, root, admin, people, app } = w;
  const start = calm.time;
  const stranger = await software("stranger");
  const cases: Case[] = [];
  const sign = (change: Change, signer: Signer = root, by = "root", on: Roster = calm) =>
    signEntry(on, change, { signer, by, now: start });
  const bad = (name: string, why: string, entry: Signed, after = calm.entries.length) =>
    cases.push({ name, after, entries: [entry], valid: false, firstBad: after, why });
  const good = (name: string, entry: Signed, after = calm.entries.length) =>
    cases.push({ name, after, entries: [entry], valid: true });
  /** The next entry with something else in it. */
  const forged = (members: Partial<RosterEntry> & Record<string, unknown>, signer = root) =>
    signObject(signer, {
      type: "guard/v1/roster",
      app,
      seq: calm.head.seq + 1,
      prev: calm.head.hash,
      time: start,
      by: "root",
      change: { kind: "renew" },
      ...members,
    } as { type: string });
  const possession = async (signer: Signer, text: string) => (await signer.sign(utf8(text))) as string;
  const rootChange = async (key: Signer, text = possessionText(app, 16, key.key)) =>
    ({ kind: "root", key: key.key, possession: await possession(key, text) }) as Change;

  cases.push({ name: "everything: 24 entries of every kind", after: 24, entries: [], valid: true });
  good("renew", await sign({ kind: "renew" }));
  good("by an admin", await sign({ kind: "renew" }, admin, "ops"));
  good("at the same time as the entry before", await forged({ time: start }));
  good("root rotation to a P-256 key", await sign(await rootChange(p256("root"))));
  const eve = await person(app, "eve", await software("eve"));
  const eveId = await sign({ kind: "identity", identity: eve.identity });
  good("an identity", eveId);

  bad("key-substitution: signed by somebody else", "signature", await sign({ kind: "renew" }, stranger));
  bad("key-substitution: in an admin's name", "signature", await sign({ kind: "renew" }, stranger, "ops"));
  bad("by an admin that is none", "signer", await sign({ kind: "renew" }, stranger, "nobody"));
  bad("an agent's key signs", "signer", await sign({ kind: "renew" }, w.agent.signer, "billing"));
  bad(
    "an admin makes an admin",
    "signer",
    await sign({ kind: "admin", admin: "evil", key: stranger.key }, admin, "ops"),
  );
  bad("an admin rotates the root", "signer", await sign(await rootChange(stranger), admin, "ops"));
  bad(
    "an admin revokes an admin",
    "signer",
    await sign({ kind: "revoke", target: { kind: "admin", id: "ops" }, reason: null }, admin, "ops"),
  );
  bad(
    "a new root key without possession",
    "possession",
    await sign(await rootChange(stranger, "something else")),
  );
  bad(
    "possession for another sequence number",
    "possession",
    await sign(await rootChange(stranger, possessionText(app, 15, stranger.key))),
  );
  const last = w.later.entries.length;
  bad(
    "the old root after its rotation",
    "signature",
    await sign({ kind: "renew" }, root, "root", w.later),
    last,
  );
  bad("an admin that was revoked", "signer", await sign({ kind: "renew" }, admin, "ops", w.later), last);

  bad("a gap in the numbers", "link", await forged({ seq: 17 }));
  bad(
    "roster-fork: another entry with a known number",
    "link",
    await forged({ seq: 15, prev: w.head(14).hash }),
  );
  bad("another predecessor", "link", await forged({ prev: w.head(14).hash }));
  bad("no predecessor", "link", await forged({ prev: null }));
  bad("cross-tenant: another app's entry", "app", await forged({ app: appOf(stranger.key) }));
  bad("clock-rollback: older than its predecessor", "time", await forged({ time: start - 1 }));
  bad("downgrade: another version", "type", await forged({ type: "guard/v2/roster" } as never));
  bad("an unknown member", "shape", await forged({ note: "hello" }));
  bad("an unknown kind", "shape", await forged({ change: { kind: "delegate", agent: "billing" } as never }));
  bad(
    "an unknown member of the change",
    "shape",
    await forged({ change: { kind: "renew", by: "root" } as never }),
  );
  bad("a sequence number that is no integer", "shape", await forged({ seq: 16.5 }));
  const renewal = await forged({});
  bad("not canonical", "canonical", { body: ` ${renewal.body}`, signature: renewal.signature });
  bad("the signature of another entry", "signature", { body: renewal.body, signature: eveId.signature });
  bad("a signature with padding", "signature", { body: renewal.body, signature: `${renewal.signature}==` });

  bad(
    "one-person-quorum: an identity that is not normalised",
    "normalised",
    await sign({ kind: "identity", identity: "Eve@example.com" }),
  );
  bad(
    "one-person-quorum: an identity that is there",
    "there",
    await sign({ kind: "identity", identity: people.alice.identity }),
  );
  bad(
    "one-person-quorum: a look-alike (Cyrillic а)",
    "look-alike",
    await sign({ kind: "identity", identity: "аӏісе@example.com" }),
  );
  bad(
    "hidden-characters: a zero-width space",
    "normalised",
    await sign({ kind: "identity", identity: "ali\u200bce2@example.com" }),
  );
  bad("mixed scripts", "normalised", await sign({ kind: "identity", identity: "pаul@example.com" }));
  bad(
    "an agent's name again",
    "there",
    await sign({
      kind: "agent",
      agent: "billing",
      key: stranger.key,
      encryptionKey: people.alice.change.encryptionKey,
    }),
  );
  bad(
    "an agent with a passkey",
    "shape",
    await sign({
      kind: "agent",
      agent: "third",
      key: (await passkey("x", "EdDSA")).key,
      encryptionKey: people.alice.change.encryptionKey,
    }),
  );
  bad("a relay's name again", "there", await sign({ kind: "relay", relay: "relay", key: stranger.key }));
  bad("an admin called root", "name", await sign({ kind: "admin", admin: "Root", key: stranger.key }));
  bad("a device of nobody", "identity", await sign(eve.change));
  bad(
    "a device whose id is not its digest",
    "id",
    await sign({ ...people.alice.change, device: people.bob.device }),
  );
  bad("a device that is there", "there", await sign(people.alice.change));
  const twin = await person(app, "carol", await software("alice"));
  bad("one-person-quorum: a key that another person's device has", "key", await sign(twin.change));
  const short = {
    ...eve.change,
    identity: people.alice.identity,
    encryptionKey: eve.change.encryptionKey.slice(4),
  };
  bad("an encryption key of another length", "shape", await sign(short));
  for (const signer of [p256("hybrid"), await passkey("hybrid", "ES256")]) {
    const twin = await person(app, "alice", { ...signer, key: hybrid(signer.key) });
    bad(`a point in its hybrid form (06 or 07): ${signer.key.kind}`, "shape", await sign(twin.change));
  }
  bad(
    "revoking what is not there",
    "target",
    await sign({ kind: "revoke", target: { kind: "device", id: people.alice.identity }, reason: null }),
  );
  bad(
    "revoking twice",
    "target",
    await sign(
      { kind: "revoke", target: { kind: "device", id: people.alice.device }, reason: null },
      w.newRoot,
      "root",
      w.later,
    ),
    last,
  );
  bad(
    "a device of a revoked identity",
    "identity",
    await sign({ ...(await person(app, "bob", await software("bob 2"))).change }, w.newRoot, "root", w.later),
    last,
  );
  bad(
    "a revoked device comes back",
    "there",
    await sign(people.alice.change, w.newRoot, "root", w.later),
    last,
  );
  bad(
    "suspending a suspended agent",
    "state",
    await sign({ kind: "suspend", agent: "billing", reason: null }, root, "root", w.later.at(16)),
    17,
  );
  bad("lifting what is not suspended", "state", await sign({ kind: "lift", agent: "billing" }));
  bad(
    "suspending a revoked agent",
    "target",
    await sign({ kind: "suspend", agent: "other", reason: null }, w.newRoot, "root", w.later),
    last,
  );

  const other = await foundRoster(stranger, now - day);
  const first = calm.entries[0] as Signed;
  bad("key-substitution: another app's roster", "app", other, 0);
  bad("a roster that does not start with its root", "root", await forged({ seq: 0, prev: null }), 0);
  bad(
    "a first entry with a predecessor",
    "link",
    await signObject(root, { ...(JSON.parse(first.body) as { type: string }), prev: idOf(first) } as {
      type: string;
    }),
    0,
  );
  const renamed = JSON.parse(first.body) as { type: string };
  bad(
    "an app id that is not the digest of the root key",
    "app",
    await signObject(root, { ...renamed, app: appOf(stranger.key) } as { type: string }),
    0,
  );
  await foreignCases();
  cases.push({ name: "nothing", after: 0, entries: [], valid: false, why: "empty" });

  /** Devices of another system: they are there or revoked, and are no devices. */
  async function foreignCases(): Promise<void> {
    const { identity } = people.alice;
    const kem = (label: string, length = 1184) => {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i += 32)
        bytes.set(seed(`kem ${label} ${i}`).subarray(0, Math.min(32, length - i)), i);
      return base64url(bytes);
    };
    const device = (label: string, over: Partial<Change & { kind: "foreign" }> = {}) => {
      const keys = { wire: "noxy", identity, publicKey: base64url(seed(label)), kemKey: kem(label) } as const;
      const named = { ...keys, ...over };
      const change = { kind: "foreign", name: label, device: foreignDeviceIdOf({ app, ...named }), ...named };
      return { ...change, ...over } as Change & { kind: "foreign" };
    };
    const after = calm.entries.length;
    /** Signs one after another, each on the one before, without judging any. */
    async function chained(...changes: readonly Change[]): Promise<Signed[]> {
      const entries: Signed[] = [];
      for (const change of changes) {
        const prev = idOf((entries.at(-1) ?? calm.entries.at(-1)) as Signed);
        entries.push(await forged({ seq: after + entries.length, prev, change }));
      }
      return entries;
    }
    const taken = async (name: string, ...changes: readonly Change[]) =>
      cases.push({ name, after, entries: await chained(...changes), valid: true });
    const refused = async (name: string, why: string, ...changes: readonly Change[]) => {
      const firstBad = after + changes.length - 1;
      cases.push({ name, after, entries: await chained(...changes), valid: false, firstBad, why });
    };
    const revoked = (
      target: Change & { kind: "foreign" },
      kind: "foreign" | "device" = "foreign",
    ): Change => ({
      kind: "revoke",
      target: { kind, id: target.device },
      reason: null,
    });
    const [phone, tablet] = [device("phone"), device("tablet")];
    const gone: Change = { kind: "revoke", target: { kind: "identity", id: identity }, reason: null };

    await taken("foreign: a device of another system", phone);
    await taken("foreign: two of one person, by one signing key", phone, {
      ...device("tablet", { publicKey: phone.publicKey }),
    });
    await taken("foreign: revoked", phone, tablet, revoked(phone));
    good("foreign: by an admin", await sign(phone, admin, "ops"));
    await refused("foreign: of nobody", "identity", device("eve", { identity: eve.identity }));
    await refused("revoked-device: foreign, of an identity that was revoked", "identity", gone, phone);
    await refused("foreign: whose id is not its digest", "id", { ...phone, device: tablet.device });
    await refused("key-substitution: foreign, with another key under its id", "id", {
      ...phone,
      kemKey: tablet.kemKey,
    });
    await refused("foreign: that is there", "there", phone, phone);
    await refused(
      "foreign: a key that another one has",
      "key",
      phone,
      device("tablet", { kemKey: phone.kemKey }),
    );
    await refused("revoked-device: foreign, and it comes back", "there", phone, revoked(phone), phone);
    await refused("foreign: revoked twice", "target", phone, revoked(phone), revoked(phone));
    await refused("foreign: revoked before it is there", "target", revoked(phone));
    await refused("foreign: revoked as if it were a device", "target", phone, revoked(phone, "device"));
    await refused("foreign: a device revoked as if it were foreign", "target", {
      kind: "revoke",
      target: { kind: "foreign", id: people.alice.device },
      reason: null,
    });
    for (const length of [1183, 1185, 1216])
      await refused(
        `foreign: a KEM key of ${length} bytes`,
        "shape",
        device("odd", { kemKey: kem("odd", length) }),
      );
    await refused("foreign: of an unknown wire", "shape", device("other", { wire: "other" as "noxy" }));
    await refused("foreign: without a name", "shape", device("nameless", { name: "" }));
    await refused("foreign: with an unknown member", "shape", { ...phone, origin: "terminal" } as Change);
  }

  return {
    description:
      "Rosters (section 3). `chain` is a good one. The roster of a case is the first `after` entries of `chain`, then its `entries`. `valid`: whether all of it is taken, as a roster of `app`; `firstBad`: the index of the first entry that is refused; `why` is a hint. `people` names the devices, `state` is what the whole chain says.",
    app,
    rootKey: root.key,
    head: w.later.head,
    chain: w.later.entries,
    people: Object.fromEntries(
      Object.entries(people).map(([name, { identity, device }]) => [name, { identity, device }]),
    ),
    state: {
      agents: w.later.agents().map(({ agent, revoked, suspended }) => ({ agent, revoked, suspended })),
      devices: w.later.devices().map(({ device, identity, revoked }) => ({ device, identity, revoked })),
      identities: w.later.identities().map(({ identity, revoked }) => ({ identity, revoked })),
      relays: w.later.relays().map(({ relay, revoked }) => ({ relay, revoked })),
      rootKey: w.later.rootKey,
    },
    cases,
  };
}
