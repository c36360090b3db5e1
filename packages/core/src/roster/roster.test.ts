import { beforeAll, describe, expect, it } from "vitest";
import { canonicalJson } from "../action/canonical.ts";
import { base64url, randomBytes, utf8 } from "../crypto/encoding.ts";
import { passkey } from "../crypto/passkey.fixture.ts";
import { type Signer, type SigningKey, verifySignature } from "../crypto/signature.ts";
import { idOf, type Signed, signObject } from "../crypto/signed.ts";
import { VerificationError } from "../errors.ts";
import { type Change, type RosterEntry, readEntry } from "./entry.ts";
import { appOf, deviceIdOf, possessionText } from "./records.ts";
import { anyEncryptionKey, type By, growingRoster, newSigner, start, type World } from "./roster.fixture.ts";
import { appendEntry, foundRoster, type Roster, readRoster, signEntry } from "./roster.ts";

const alice = "alice@example.com";
const encryptionKey = anyEncryptionKey;

/** Signs `change` on top of `roster`, with `lies` about the link. */
const entry = (roster: Roster, change: Change, { signer, by }: By, lies: Partial<RosterEntry> = {}) =>
  signObject(signer, {
    type: "guard/v1/roster",
    app: roster.app,
    seq: roster.head.seq + 1,
    prev: roster.head.hash,
    time: start,
    by,
    change,
    ...lies,
  } satisfies RosterEntry);

async function rotation(roster: Roster, next: Signer, seq = roster.head.seq + 1): Promise<Change> {
  const possession = (await next.sign(utf8(possessionText(roster.app, seq, next.key)))) as string;
  return { kind: "root", key: next.key, possession };
}

describe("a roster", () => {
  it("says who may do what, as of its head and as of any entry before", async () => {
    const world = await growingRoster();
    const admin = await world.addAdmin("ops");
    const keys = await world.addAgent("bot");
    const relay = await newSigner();
    await world.append({ kind: "relay", relay: "main", key: relay.key }, admin);
    const { device } = await world.enrol(alice);
    const before = world.roster;
    await world.append({ kind: "suspend", agent: "bot", reason: "odd refunds" }, admin);
    await world.append({ kind: "revoke", target: { kind: "device", id: device }, reason: null }, admin);
    await world.append({ kind: "renew" }, admin);
    const { roster } = world;

    expect(roster.agent("bot")).toMatchObject({ key: keys.signer.key, suspended: true, enrolledBy: "root" });
    expect(roster.relay("main")).toMatchObject({ key: relay.key, enrolledBy: "ops", enrolledAt: start });
    expect(roster.device(device)).toMatchObject({ identity: alice, revoked: true });
    expect(roster.devicesOf(alice)).toEqual([]);
    expect(before.devicesOf(alice).map((record) => record.device)).toEqual([device]);
    expect(before.agent("bot")?.suspended).toBe(false);

    const then = roster.at(before.head.seq);
    expect(then.head).toEqual(before.head);
    expect(then.devices()).toEqual(before.devices());
    expect(then.agents()).toEqual(before.agents());
    expect(roster.at(roster.head.seq)).toBe(roster);
    for (const wrong of [-1, -2, 1.5, Number.NaN, roster.head.seq + 1]) {
      expect(() => roster.at(wrong)).toThrow(VerificationError);
    }

    const again = await readRoster(roster.entries, { app: roster.app });
    expect(again.head).toEqual(roster.head);
    expect(again.identities()).toEqual(roster.identities());
    expect(again.relays()).toEqual(roster.relays());
    expect(again.admin("ops")?.revoked).toBe(false);
  });

  it("an entry appended to one view changes no other", async () => {
    const world = await growingRoster();
    const before = world.roster;
    await world.append({ kind: "identity", identity: alice });
    expect(before.identity(alice)).toBeUndefined();
    expect(before.entries).toHaveLength(1);
  });

  it("prototype-ids: nobody is called constructor or __proto__ by accident", async () => {
    const { roster } = await growingRoster();
    for (const id of ["constructor", "__proto__", "toString"]) {
      expect(
        roster.agent(id) ?? roster.device(id) ?? roster.identity(id) ?? roster.admin(id),
      ).toBeUndefined();
      expect(roster.devicesOf(id)).toEqual([]);
    }
  });
});

describe("key-substitution: a roster is read from the app id that is pinned", () => {
  it("another root's roster is refused", async () => {
    const [ours, theirs] = [await growingRoster(), await growingRoster()];
    await expect(readRoster(theirs.roster.entries, { app: ours.app })).rejects.toThrow(/another app/);
    await expect(readRoster([], { app: ours.app })).rejects.toThrow(/empty/);
  });

  it("the first entry has to be a root's, its own, with both proofs", async () => {
    const [root, other] = [await newSigner(), await newSigner()];
    const good = await foundRoster(root, start);
    const body = JSON.parse(good.body) as RosterEntry & { change: { possession: string } };
    const lie = (lies: object, signer = root) => signObject(signer, { ...body, ...lies });
    const refused = [
      lie({ change: { kind: "renew" } }),
      lie({ seq: 1 }),
      lie({ prev: idOf(good) }),
      lie({ app: appOf(other.key) }),
      lie({}, other),
      lie({ change: { ...body.change, possession: base64url(new Uint8Array(64)) } }),
      lie({ change: { ...body.change, key: other.key }, app: appOf(other.key) }, other),
    ];
    for (const signed of refused) {
      await expect(appendEntry(null, await signed)).rejects.toBeInstanceOf(VerificationError);
    }
    expect((await appendEntry(null, good)).app).toBe(appOf(root.key));
  });

  it("an entry that was changed, cut out, repeated or moved is refused", async () => {
    const world = await growingRoster();
    await world.addAdmin("ops");
    await world.enrol(alice);
    await world.enrol("bob@example.com");
    const { entries, app } = world.roster;
    for (let i = 0; i < entries.length; i++) {
      const at = entries[i] as Signed;
      const changed = { ...at, body: at.body.replace(String(start), String(start + 1)) };
      const swapped = entries.toSpliced(i, 1, {
        ...at,
        signature: (entries[(i + 1) % 6] as Signed).signature,
      });
      for (const wrong of [entries.toSpliced(i, 1, changed), entries.toSpliced(i, 0, at), swapped]) {
        await expect(readRoster(wrong, { app })).rejects.toBeInstanceOf(VerificationError);
      }
      if (i < entries.length - 1) {
        await expect(readRoster(entries.toSpliced(i, 1), { app })).rejects.toBeInstanceOf(VerificationError);
      }
    }
  });

  it("an entry of another app is refused, though one root signs both", async () => {
    const world = await growingRoster();
    const other = await growingRoster();
    const signed = await entry(world.roster, { kind: "renew" }, world.asRoot, { app: other.app });
    await expect(appendEntry(world.roster, signed)).rejects.toThrow(/another app/);
  });
});

describe("who may sign what", () => {
  let world: World;
  let admin: By;
  let revoked: By;
  const changes: [string, () => Promise<Change> | Change, boolean][] = [
    ["root", async () => rotation(world.roster, await newSigner()), false],
    ["admin", async () => ({ kind: "admin", admin: "new", key: (await newSigner()).key }), false],
    [
      "revoke an admin",
      () => ({ kind: "revoke", target: { kind: "admin", id: "ops" }, reason: null }),
      false,
    ],
    ["identity", () => ({ kind: "identity", identity: "carol@example.com" }), true],
    [
      "agent",
      async () => ({ kind: "agent", agent: "new", key: (await newSigner()).key, encryptionKey }),
      true,
    ],
    ["relay", async () => ({ kind: "relay", relay: "new", key: (await newSigner()).key }), true],
    ["device", async () => (await world.newDevice(alice)).change, true],
    ["passkey", async () => (await world.newDevice(alice, "webauthn")).change, true],
    ["revoke", () => ({ kind: "revoke", target: { kind: "identity", id: alice }, reason: "left" }), true],
    ["revoke an agent", () => ({ kind: "revoke", target: { kind: "agent", id: "bot" }, reason: null }), true],
    ["suspend", () => ({ kind: "suspend", agent: "bot", reason: null }), true],
    ["lift", () => ({ kind: "lift", agent: "idle" }), true],
    ["renew", () => ({ kind: "renew" }), true],
  ];

  beforeAll(async () => {
    world = await growingRoster();
    admin = await world.addAdmin("ops");
    revoked = await world.addAdmin("former");
    await world.addAgent("bot");
    await world.addAgent("idle");
    await world.append({ kind: "suspend", agent: "idle", reason: null });
    await world.enrol(alice);
    await world.append({ kind: "revoke", target: { kind: "admin", id: "former" }, reason: null });
  });

  it.each(changes)("%s", async (_name, make, adminMay) => {
    const { roster } = world;
    const change = await make();
    const ok = async (by: By) => {
      try {
        await appendEntry(roster, await entry(roster, change, by));
        return true;
      } catch (error) {
        expect(error).toBeInstanceOf(VerificationError);
        return false;
      }
    };
    expect(await ok(world.asRoot)).toBe(true);
    expect(await ok(admin)).toBe(adminMay);
    // A revoked admin, an unknown one, one that calls itself by another's name, an agent.
    expect(await ok(revoked)).toBe(false);
    expect(await ok({ ...admin, by: "nobody" })).toBe(false);
    expect(await ok({ ...admin, by: "root" })).toBe(false);
    expect(await ok({ ...revoked, by: "ops" })).toBe(false);
    expect(await ok({ ...world.asRoot, by: "ops" })).toBe(false);
    expect(await ok({ signer: await newSigner(), by: "bot" })).toBe(false);
    expect(await ok({ ...admin, by: "constructor" })).toBe(false);
  });
});

describe("rotation of the root", () => {
  it("needs the old root and possession of the new one; the app id stays", async () => {
    const world = await growingRoster();
    const { roster, app } = world;
    const next = await newSigner();
    const change = await rotation(roster, next);
    const asNext = { signer: next, by: "root" };
    await expect(appendEntry(roster, await entry(roster, change, asNext))).rejects.toThrow(/signature/);
    for (const wrong of [
      { ...change, key: (await newSigner()).key },
      await rotation(roster, next, roster.head.seq + 2),
      { ...change, possession: base64url(randomBytes(64)) },
    ]) {
      const signed = await entry(roster, wrong as Change, world.asRoot);
      await expect(appendEntry(roster, signed)).rejects.toThrow(/hold the new root key/);
    }
    const rotated = await world.append(change);
    expect(rotated.app).toBe(app);
    expect(rotated.rootKey).toEqual(next.key);
    const stale = await entry(rotated, { kind: "renew" }, world.asRoot);
    await expect(appendEntry(rotated, stale)).rejects.toThrow(/signature/);
    await appendEntry(rotated, await entry(rotated, { kind: "renew" }, asNext));
  });

  it("a passkey is a device's key only", async () => {
    const world = await growingRoster();
    const { key } = await passkey();
    for (const change of [
      { kind: "root", key, possession: base64url(new Uint8Array(64)) },
      { kind: "admin", admin: "ops", key },
      { kind: "agent", agent: "bot", key, encryptionKey },
      { kind: "relay", relay: "main", key },
    ] satisfies Change[]) {
      await expect(world.append(change)).rejects.toThrow(/passkey/);
    }
  });
});

describe("roster-fork: one successor for each head", () => {
  it("another entry with the same sequence number, or one that skips, is refused", async () => {
    const world = await growingRoster();
    const before = world.roster;
    const fork = await signEntry(
      before,
      { kind: "identity", identity: alice },
      { ...world.asRoot, now: start },
    );
    await world.append({ kind: "renew" });
    await expect(appendEntry(world.roster, fork)).rejects.toThrow(/does not follow/);
    for (const lies of [
      { seq: world.roster.head.seq },
      { seq: world.roster.head.seq + 2 },
      { prev: before.head.hash },
      { prev: null },
      { seq: before.head.seq, prev: before.head.hash },
    ]) {
      const signed = await entry(world.roster, { kind: "renew" }, world.asRoot, lies);
      await expect(appendEntry(world.roster, signed)).rejects.toThrow(/does not follow/);
    }
    // On its own branch the fork is well-made: two heads with one sequence number are how it is seen.
    const other = await appendEntry(before, fork);
    expect(other.head.seq).toBe(world.roster.head.seq);
    expect(other.head.hash).not.toBe(world.roster.head.hash);
  });

  it("clock-rollback: time does not go back, and a slow clock does not stop anybody", async () => {
    const world = await growingRoster();
    const signed = await entry(world.roster, { kind: "renew" }, world.asRoot, { time: start - 1 });
    await expect(appendEntry(world.roster, signed)).rejects.toThrow(/time is before/);
    const slow = await signEntry(world.roster, { kind: "renew" }, { ...world.asRoot, now: start - 9999 });
    expect((await appendEntry(world.roster, slow)).time).toBe(start);
  });
});

describe("what makes no sense is refused", () => {
  let world: World;
  let device: Awaited<ReturnType<World["newDevice"]>>;

  beforeAll(async () => {
    world = await growingRoster();
    await world.addAdmin("ops");
    await world.addAgent("bot");
    await world.append({ kind: "relay", relay: "main", key: (await newSigner()).key });
    await world.append({ kind: "identity", identity: alice });
    device = await world.newDevice(alice);
    await world.append(device.change);
  });

  const revoke = (kind: "admin" | "identity" | "agent" | "relay" | "device", id: string) =>
    ({ kind: "revoke", target: { kind, id }, reason: null }) as const;

  it.each<[string, () => Change | Promise<Change>, RegExp]>([
    [
      "an admin twice",
      async () => ({ kind: "admin", admin: "ops", key: (await newSigner()).key }),
      /of that name/,
    ],
    [
      "an admin called root",
      async () => ({ kind: "admin", admin: "root", key: (await newSigner()).key }),
      /root/,
    ],
    [
      "an admin called Root",
      async () => ({ kind: "admin", admin: "Root", key: (await newSigner()).key }),
      /root/,
    ],
    [
      "an admin without a name",
      async () => ({ kind: "admin", admin: "", key: (await newSigner()).key }),
      /1 to 63/,
    ],
    [
      "an agent twice",
      async () => ({ kind: "agent", agent: "bot", key: (await newSigner()).key, encryptionKey }),
      /agent of that name/,
    ],
    [
      "a relay twice",
      async () => ({ kind: "relay", relay: "main", key: (await newSigner()).key }),
      /relay of that name/,
    ],
    ["an identity twice", () => ({ kind: "identity", identity: alice }), /there already/],
    [
      "an identity in another spelling",
      () => ({ kind: "identity", identity: "Alice@example.com" }),
      /not normalised/,
    ],
    [
      "a look-alike in another script",
      () => ({ kind: "identity", identity: "аӏісе@example.com" }),
      /looks like alice/,
    ],
    [
      "a look-alike by an accent",
      () => ({ kind: "identity", identity: "alicé@example.com" }),
      /looks like alice/,
    ],
    ["mixed scripts", () => ({ kind: "identity", identity: "аlice@example.com" }), /not normalised/],
    ["a device twice", () => device.change, /there already/],
    [
      "a device of nobody",
      async () => (await world.newDevice("carol@example.com")).change,
      /not on the roster/,
    ],
    [
      "a device by another id",
      async () => ({ ...device.change, device: idOf({ body: "", signature: "" }) }),
      /digest of its keys/,
    ],
    [
      "a device with a swapped encryption key",
      () => ({ ...device.change, encryptionKey }),
      /digest of its keys/,
    ],
    ["a revocation of nobody", () => revoke("device", "nobody"), /there is no device/],
    ["prototype-ids: a revocation of __proto__", () => revoke("agent", "__proto__"), /there is no agent/],
    ["a suspension of nobody", () => ({ kind: "suspend", agent: "nobody", reason: null }), /no agent/],
    ["a lift without suspension", () => ({ kind: "lift", agent: "bot" }), /not suspended/],
    ["a kind to come", () => ({ kind: "delegate", agent: "bot" }) as unknown as Change, /malformed/],
    ["an extra member", () => ({ kind: "renew", force: true }) as unknown as Change, /malformed/],
  ])("%s", async (_name, make, message) => {
    const signed = await entry(world.roster, await make(), world.asRoot);
    await expect(appendEntry(world.roster, signed)).rejects.toThrow(message);
    await expect(appendEntry(world.roster, signed)).rejects.toBeInstanceOf(VerificationError);
  });

  it("one-person-quorum: one key is one device, under whichever name or kind", async () => {
    await world.append({ kind: "identity", identity: "bob@example.com" });
    const other = await passkey("EdDSA");
    const { publicKey } = device.signer.key;
    const keys: SigningKey[] = [device.signer.key, { ...other.key, publicKey }];
    for (const key of keys) {
      const change = { ...device.change, identity: "bob@example.com", key };
      const id = deviceIdOf({ app: world.app, ...change });
      const signed = await entry(world.roster, { ...change, device: id }, world.asRoot);
      await expect(appendEntry(world.roster, signed)).rejects.toThrow(/another device's/);
    }
  });

  it("revoked-device: nothing that was revoked comes back", async () => {
    const gone = await growingRoster();
    await gone.addAdmin("ops");
    await gone.addAgent("bot");
    await gone.append({ kind: "relay", relay: "main", key: (await newSigner()).key });
    await gone.append({ kind: "identity", identity: alice });
    const phone = await gone.newDevice(alice);
    await gone.append(phone.change);
    const entries = gone.roster.entries.slice(1).map((signed) => readEntry(signed).change);
    const targets = [
      revoke("device", phone.device),
      revoke("identity", alice),
      revoke("relay", "main"),
      revoke("agent", "bot"),
      revoke("admin", "ops"),
    ];
    for (const target of targets) await gone.append(target);
    for (const again of [...entries, ...targets]) {
      await expect(gone.append(again)).rejects.toBeInstanceOf(VerificationError);
    }
    await expect(gone.append({ kind: "suspend", agent: "bot", reason: null })).rejects.toThrow(/no agent/);
    const { change } = await gone.newDevice(alice);
    await expect(gone.append(change)).rejects.toThrow(/identity is not on the roster/);
    expect(gone.roster.devicesOf(alice)).toEqual([]);
  });
});

it("ids and possession are over canonical JSON, so no two inputs have one", async () => {
  const [signer, app] = [await newSigner(), "app"];
  const text = possessionText(app, 1, signer.key);
  expect(text).toBe(canonicalJson(JSON.parse(text)));
  expect(await verifySignature(signer.key, utf8(text), await signer.sign(utf8(text)))).toBe(true);
  const base = { app, identity: "a", key: signer.key, encryptionKey: "e" };
  const ids = [base, { ...base, app: "appa", identity: "" }, { ...base, identity: "ae", encryptionKey: "" }];
  expect(new Set(ids.map(deviceIdOf)).size).toBe(3);
});
