import { base64url, ed25519Signer, foreignDeviceIdOf, openOwner, randomBytes, signObject } from "@guard/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decisionOutcome, devicesOf } from "../domain/decisions.ts";
import {
  type IdentityType,
  type Registration,
  registerDevice,
  revokeDevice,
  rotateDevice,
} from "../domain/foreign-devices.ts";
import { foreignOffice, macOf, newKeys, secret } from "./foreign.fixture.ts";

let place: Awaited<ReturnType<typeof foreignOffice>>;
beforeEach(async () => {
  place = await foreignOffice();
});
afterEach(() => place.close());
const alices = async () => devicesOf(place.context, await place.principal(), place.alice.identity);

describe("noxy-open-registration", () => {
  it("noxy-open-registration: without the owner's word the wire is off, for devices and agents alike", async () => {
    for (const app of [place.app.app, base64url(randomBytes(32)), ""]) {
      await expect(place.register({}, secret, app)).rejects.toMatchObject({
        reason: "no_app",
        code: "not_found",
      });
    }
    await expect(place.authenticate(newKeys() as Registration)).rejects.toMatchObject({ reason: "no_app" });
    await expect(alices()).rejects.toThrow(/guard noxy enable/);
    expect((await place.call(place.app.owner, "GET", "/v1/foreign/devices")).status).toBe(404);
  });

  it("noxy-open-registration: who knows the app's id registers, waits, and gets nothing", async () => {
    await place.enable();
    const eve = await place.register({}, null);
    expect(eve.state).toBe("waiting");
    expect(await place.authenticate(eve.registration)).toMatchObject({
      device: eve.device,
      state: "waiting",
    });
    expect(await alices()).toEqual([]);
    expect(await place.route(eve, "d1")).toEqual({ status: "no_devices", decision: "" });
    expect(await place.devices()).toMatchObject([
      { device: eve.device, identity: place.alice.identity, state: "waiting", type: "telegram" },
    ]);
  });

  it.each<[IdentityType, string]>([
    ["email", "Alice@Example.com"],
    ["wallet", "0xABCDEF0000000000000000000000000000000001"],
    ["phone", "+1 (555) 010"],
    ["user_id", "u-7"],
  ])(
    "noxy-open-registration: the MAC of the secret activates: %s %s, as the client spells it",
    async (identityType, identity) => {
      await place.enable();
      const device = await place.register({ identity, identityType });
      expect(device.state).toBe("active");
      const { publicKey, kemKey } = device.registration;
      expect(await devicesOf(place.context, await place.principal(), identity)).toEqual([
        { device: device.device, publicKey, kemKey },
      ]);
      const keys = { publicKey: base64url(publicKey), kemKey: base64url(kemKey) };
      const named = { app: place.app.app, wire: "noxy", identity: device.identity } as const;
      expect(device.device).toBe(foreignDeviceIdOf({ ...named, ...keys }));
    },
  );

  it("noxy-open-registration: a MAC is of this app, identity, type and keys, by this secret", async () => {
    await place.enable();
    const right: Registration = {
      ...newKeys(),
      identity: place.alice.identity,
      identityType: "email",
      type: "ios",
      mac: null,
    };
    const mac = macOf(place.app.app, secret, right);
    const others: Partial<Registration>[] = [
      { identity: "bob@example.com" },
      { identity: "Alice@example.com" },
      { identityType: "user_id" },
      { type: "telegram" },
      { publicKey: randomBytes(32) },
      { kemKey: randomBytes(1184) },
      { mac: randomBytes(32) },
      { mac: macOf(place.app.app, `${secret}!`, right) },
      { mac: macOf(base64url(randomBytes(32)), secret, right) },
    ];
    for (const other of others) {
      const lie = registerDevice(place.context, place.app.app, { ...right, mac, ...other });
      await expect(lie).rejects.toMatchObject({ reason: "mac" });
    }
    for (const short of [mac.subarray(1), new Uint8Array(), randomBytes(65)])
      expect((await registerDevice(place.context, place.app.app, { ...right, mac: short })).state).toBe(
        "waiting",
      );
    // The one that waits shows it later, and is the same device.
    const shown = await registerDevice(place.context, place.app.app, { ...right, mac });
    expect(shown.state).toBe("active");
    expect(await place.devices()).toHaveLength(1);
  });

  it("noxy-open-registration: the owner's confirmation activates, and tells who is connected", async () => {
    await place.enable({ signingSecret: null });
    // Without a secret nobody has shown anything.
    const phone = await place.register();
    expect(phone.state).toBe("waiting");
    const { told } = place.connect(phone);
    await place.confirm(phone);
    expect(told).toEqual(["activated"]);
    expect(await place.authenticate(phone.registration)).toMatchObject({ state: "active" });
    expect(await place.route(phone, "d1")).toEqual({ status: "delivered", decision: "d1" });
    // Confirmed before it registered: it is active at once.
    const registration = { ...phone.registration, ...newKeys() };
    const named = { app: place.app.app, wire: "noxy", identity: place.alice.identity } as const;
    const keys = { publicKey: base64url(registration.publicKey), kemKey: base64url(registration.kemKey) };
    await place.confirm({ device: foreignDeviceIdOf({ ...named, ...keys }), registration });
    expect((await place.register(registration, null)).state).toBe("active");
  });

  it("noxy-open-registration: open is for whoever comes, for as long as the owner says so", async () => {
    await place.enable({ open: true });
    const guest = await place.register({}, null);
    expect(guest.state).toBe("active");
    const { told } = place.connect(guest);
    await place.enable();
    expect(told).toEqual(["end: waiting"]);
    expect(await place.route(guest, "d1")).toEqual({ status: "no_devices", decision: "" });
  });

  it("noxy-open-registration: a changed secret ends what was shown by the one before", async () => {
    await place.enable();
    const phone = await place.register();
    const { told } = place.connect(phone);
    await place.enable({ signingSecret: "another secret, after a leak" });
    expect(told).toEqual(["end: waiting"]);
    // It is told to register, not that it waits: only so it can show the new one.
    expect(await place.authenticate(phone.registration)).toBeNull();
    await expect(place.register(phone.registration)).rejects.toMatchObject({ reason: "mac" });
    const again = await place.register(phone.registration, "another secret, after a leak");
    expect(again).toMatchObject({ device: phone.device, state: "active", registeredAt: phone.registeredAt });
  });

  it("quota-exhaustion: strangers push out strangers, and nobody who was let in", async () => {
    await place.close();
    place = await foreignOffice({ limits: { foreignWaiting: 3, foreignDevices: 2, foreignOfIdentity: 2 } });
    await place.enable();
    const phone = await place.register();
    const confirmed = await place.register({ identity: place.alice.identity }, null);
    await place.confirm(confirmed);
    for (let i = 0; i < 20; i++) await place.register({ identity: `stranger-${i % 7}` }, null);
    for (let i = 0; i < 20; i++) await place.register({}, null);
    const devices = await place.devices();
    expect(devices.length).toBeLessThanOrEqual(5);
    expect((await alices()).map(({ device }) => device)).toEqual([phone.device, confirmed.device]);
    const third = place.register({ identity: "bob@example.com", identityType: "user_id" });
    await expect(third).rejects.toMatchObject({ code: "too_many_open" });
    // What is there already is no newcomer.
    expect((await place.register(phone.registration)).state).toBe("active");
  });

  it("nothing that is no device is stored", async () => {
    await place.enable();
    for (const over of [
      { publicKey: randomBytes(31) },
      { kemKey: randomBytes(1216) },
      { kemKey: new Uint8Array() },
      { identity: "" },
      { identity: "аlice@example.com" },
      { identity: "a\u200bb" },
      { identity: "x".repeat(321) },
      { type: "" },
      { type: "x".repeat(51) },
    ])
      await expect(place.register(over)).rejects.toMatchObject({ code: "invalid" });
    expect(await place.devices()).toEqual([]);
  });
});

describe("what switches the wire on", () => {
  it("is the root's or an admin's word, of this app, and the newest one", async () => {
    const admin = await ed25519Signer(randomBytes(32));
    await place.app.append({ kind: "admin", admin: "ann", key: admin.key });
    expect((await place.post({}, admin)).status).toBe(400);
    expect((await place.post({ by: "bob" })).status).toBe(400);
    expect((await place.post({ app: base64url(randomBytes(32)) })).status).toBe(404);
    expect((await place.post({ time: place.clock.now - 600_000 })).body.error.code).toBe("clock_skew");
    for (const token of [place.agent.token, place.alice.token])
      expect((await place.call(token, "POST", "/v1/foreign", {})).status).toBe(403);
    expect((await place.call(place.agent.token, "GET", "/v1/foreign/devices")).status).toBe(403);
    expect((await place.post({ by: "ann", open: true }, admin)).status).toBe(201);
    place.clock.now += 1000;
    const late = await place.post({ time: place.clock.now - 2000 });
    expect(late).toMatchObject({ status: 400, body: { error: { code: "invalid" } } });
    expect((await place.post({ open: false })).status).toBe(201);
    await place.app.append({ kind: "revoke", target: { kind: "admin", id: "ann" }, reason: null });
    expect((await place.post({ by: "ann" }, admin)).status).toBe(400);
  });

  it("kill-switch: a suspended wire stops agents and devices, who waits and who is connected", async () => {
    await place.enable();
    const phone = await place.register();
    const { told } = place.connect(phone);
    await place.route(phone, "d1");
    const asked = { decision: "d1", identity: place.alice.identity, wait: 50_000 };
    const waiting = decisionOutcome(place.context, await place.principal(), asked);
    const refused = expect(waiting).rejects.toMatchObject({ code: "suspended" });
    await place.enable({ suspended: true });
    await refused;
    expect(told).toEqual(["d1", "end: waiting"]);
    await expect(place.route(phone, "d2")).rejects.toMatchObject({ code: "suspended" });
    await expect(place.authenticate(phone.registration)).rejects.toMatchObject({ code: "suspended" });
    await expect(place.register()).rejects.toMatchObject({ code: "suspended" });
  });
});

describe("the owner's side", () => {
  const settings = {
    wire: "noxy",
    name: "Shop",
    signingSecret: "a secret of sixteen",
    open: false,
    quota: 7,
    suspended: false,
  } as const;
  const opened = (over: object = {}, read: (body: string) => string = (body) => body) =>
    openOwner({
      relay: "http://127.0.0.1",
      app: place.app.app,
      token: place.app.owner,
      signer: place.app.root,
      now: () => place.clock.now,
      async fetch(url, init) {
        const response = await place.front.fetch(new Request(url, init));
        return new Response(read(await response.text()), response);
      },
      ...over,
    });

  it("says, reads back, lists, confirms, and gives an agent a new token", async () => {
    const owner = await opened();
    expect(await owner.foreignSettings()).toBeNull();
    await owner.setForeign(settings);
    expect(await owner.foreignSettings()).toMatchObject({ ...settings, app: place.app.app, by: "root" });
    const phone = await place.register({}, null);
    const [listed] = await owner.foreignDevices();
    expect(listed).toMatchObject({ device: phone.device, state: "waiting" });
    if (listed) await owner.confirmForeign(listed, "phone");
    expect((await owner.foreignDevices())[0]?.state).toBe("active");
    const token = await owner.grantToken(place.agent.name);
    await expect(place.principal()).rejects.toThrow();
    expect(await place.principal(token)).toMatchObject({ agent: place.agent.name });
    await expect(owner.grantToken("nobody")).rejects.toMatchObject({ relayCode: "invalid" });
    for (const other of [token, place.alice.token])
      expect((await place.call(other, "GET", "/v1/foreign")).status).toBe(403);
  });

  it("key-substitution: a relay gets no keys confirmed but those of the id, and its own settings signed by nobody", async () => {
    await place.enable();
    const phone = await place.register({}, null);
    const [device] = await (await opened()).foreignDevices();
    if (!device) throw new Error("Nothing is listed.");
    const owner = await opened();
    const lies = [
      { kemKey: base64url(randomBytes(1184)) },
      { publicKey: base64url(randomBytes(32)) },
      { identity: "bob" },
    ];
    for (const lie of lies)
      await expect(owner.confirmForeign({ ...device, ...lie }, "phone")).rejects.toThrow(
        /digest of its keys/,
      );
    expect(owner.roster().foreign(phone.device)).toBeUndefined();
    const forged = JSON.stringify({
      app: await signObject(await ed25519Signer(randomBytes(32)), {
        type: "guard/v1/foreign-app",
        app: place.app.app,
        ...settings,
        open: true,
        time: place.clock.now,
        by: "root",
      }),
    });
    const told = await opened({}, (body) => (body.startsWith('{"app"') ? forged : body));
    await expect(told.foreignSettings()).rejects.toMatchObject({ code: "verification_failed" });
  });
});

describe("cross-tenant", () => {
  it("cross-tenant: a device, its keys and its MAC are of one app", async () => {
    const { app: other, agent } = await place.app2();
    await place.enable();
    await place.enable({}, other);
    const phone = await place.register();
    expect(await place.authenticate(phone.registration, other.app)).toBeNull();
    const stranger = await place.principal(agent.token);
    expect(await devicesOf(place.context, stranger, place.alice.identity)).toEqual([]);
    expect(await place.route(phone, "d1", {}, agent.token)).toEqual({ status: "no_devices", decision: "" });
    const { registration } = phone;
    const mac = macOf(place.app.app, secret, registration);
    await expect(registerDevice(place.context, other.app, { ...registration, mac })).rejects.toMatchObject({
      reason: "mac",
    });
    expect((await place.call(other.owner, "GET", "/v1/foreign/devices")).body).toEqual({ devices: [] });
  });

  it("identity-switch: keys that are one identity's are never another's", async () => {
    await place.enable();
    const phone = await place.register();
    for (const by of [null, secret]) {
      const lie = place.register({ ...phone.registration, identity: "bob@example.com" }, by);
      await expect(lie).rejects.toMatchObject({ code: "invalid" });
    }
  });
});

describe("revoked-device", () => {
  it("revoked-device: what the roster revoked is never active, whatever the secret says, and its line ends", async () => {
    await place.enable({ open: true });
    const phone = await place.register();
    const { told } = place.connect(phone);
    await place.confirm(phone);
    await place.revoke(phone.device);
    expect(told).toEqual(["end: revoked"]);
    expect(await alices()).toEqual([]);
    await expect(place.authenticate(phone.registration)).rejects.toMatchObject({ reason: "revoked" });
    await expect(place.register(phone.registration)).rejects.toMatchObject({ reason: "revoked" });
    expect((await place.devices())[0].state).toBe("revoked");
  });

  it("revoked-device: goes with its identity, and comes back under no other", async () => {
    await place.enable({ open: true });
    const phone = await place.register();
    const { told } = place.connect(phone);
    const target = { kind: "identity", id: place.alice.identity } as const;
    await place.app.append({ kind: "revoke", target, reason: null });
    expect(told).toEqual(["end: revoked"]);
    const lie = place.register({ ...phone.registration, identity: "alice-2" });
    await expect(lie).rejects.toMatchObject({ reason: "revoked" });
    await expect(place.register()).rejects.toMatchObject({ reason: "revoked" });
  });

  it("revoked-device: a device that ends itself is ended for good, on every line", async () => {
    await place.enable();
    const [phone, tablet] = [await place.register(), await place.register()];
    const [one, two] = [place.connect(phone), place.connect(phone)];
    const other = place.connect(tablet);
    one.leave();
    await revokeDevice(place.context, phone);
    expect([one.told, two.told, other.told]).toEqual([[], ["end: revoked"], []]);
    await expect(place.register(phone.registration)).rejects.toMatchObject({ reason: "revoked" });
    expect((await alices()).map(({ device }) => device)).toEqual([tablet.device]);
  });

  it("key-substitution: new keys are another device, which nobody let in yet", async () => {
    await place.enable();
    const phone = await place.register();
    await expect(rotateDevice(place.context, phone, phone.registration)).rejects.toMatchObject({
      code: "invalid",
    });
    const keys = newKeys();
    await rotateDevice(place.context, phone, keys);
    expect(await alices()).toEqual([]);
    expect(await place.authenticate({ ...phone.registration, ...keys })).toBeNull();
    expect((await place.register({ ...phone.registration, ...keys }, null)).state).toBe("waiting");
    expect((await place.register({ ...phone.registration, ...keys })).state).toBe("active");
  });
});
