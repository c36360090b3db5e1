import { beforeEach, describe, expect, it } from "vitest";
import { base64url, randomBytes } from "../crypto/encoding.ts";
import { signObject } from "../crypto/signed.ts";
import type { Change } from "./entry.ts";
import { readForeignApp } from "./foreign.ts";
import { foreignDeviceIdOf } from "./records.ts";
import { growingRoster, newSigner, start, type World } from "./roster.fixture.ts";

const alice = "alice@example.com";
let world: World;
beforeEach(async () => {
  world = await growingRoster();
  await world.append({ kind: "identity", identity: alice });
});

function foreign(identity = alice, kemKey = base64url(randomBytes(1184))): Change & { kind: "foreign" } {
  const keys = { identity, wire: "noxy", publicKey: base64url(randomBytes(32)), kemKey } as const;
  const device = foreignDeviceIdOf({ app: world.app, ...keys });
  return { kind: "foreign", device, ...keys, name: "phone" };
}

describe("noxy-open-registration: a device of another system", () => {
  it("is there once the owner put it on the roster, and is no device that signs", async () => {
    const change = foreign();
    await world.append(change);
    const { kind, ...record } = change;
    expect(world.roster.foreign(change.device)).toMatchObject(record);
    expect(world.roster.foreignOf(alice).map(({ device }) => device)).toEqual([change.device]);
    expect(world.roster.devicesOf(alice)).toEqual([]);
    expect(world.roster.device(change.device)).toBeUndefined();
    expect(kind).toBe("foreign");
  });

  it("revoked-device: goes with its own revocation and with its identity's, for good", async () => {
    const [first, second] = [foreign(), foreign()];
    await world.append(first);
    await world.append(second);
    await world.append({ kind: "revoke", target: { kind: "foreign", id: first.device }, reason: null });
    expect(world.roster.foreignOf(alice).map(({ device }) => device)).toEqual([second.device]);
    await expect(world.append(first)).rejects.toThrow(/there already/);
    await world.append({ kind: "revoke", target: { kind: "identity", id: alice }, reason: null });
    expect(world.roster.foreignOf(alice)).toEqual([]);
    await expect(world.append(foreign())).rejects.toThrow(/identity is not on the roster/);
  });

  it("key-substitution: has the id of its own keys, and keys of its own", async () => {
    const change = foreign();
    await expect(world.append({ ...change, kemKey: base64url(randomBytes(1184)) })).rejects.toThrow(
      /digest of its keys/,
    );
    await expect(world.append({ ...change, identity: "bob@example.com" })).rejects.toThrow(
      /not on the roster/,
    );
    await world.append(change);
    await expect(world.append(foreign(alice, change.kemKey))).rejects.toThrow(/another device's/);
    for (const length of [0, 1183, 1185, 1216]) {
      await expect(world.append(foreign(alice, base64url(randomBytes(length))))).rejects.toThrow(/malformed/);
    }
  });
});

it("what switches a wire on is read strictly", async () => {
  const signer = await newSigner();
  const app = {
    type: "guard/v1/foreign-app",
    app: world.app,
    wire: "noxy",
    name: "Shop",
    signingSecret: "a secret of the app",
    open: false,
    quota: 1000,
    suspended: false,
    time: start,
    by: "root",
  } as const;
  expect(readForeignApp(await signObject(signer, app))).toEqual(app);
  for (const lie of [
    { signingSecret: "short" },
    { open: "yes" },
    { quota: -1 },
    { wire: "other" },
    { more: 1 },
  ]) {
    const signed = await signObject(signer, { ...app, ...lie } as unknown as typeof app);
    expect(() => readForeignApp(signed)).toThrow(/malformed/);
  }
});
