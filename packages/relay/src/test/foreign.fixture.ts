/** For tests: the relay's domain with the Guard wire in front, an app whose owner switched a foreign wire on, and its devices. */
import { createHash, createHmac } from "node:crypto";
import { base64url, ed25519Signer, type ForeignApp, randomBytes, signObject } from "@guard/core";
import type { AgentPrincipal, Context } from "../domain/context.ts";
import { routeDecision } from "../domain/decisions.ts";
import { newDeliveries } from "../domain/deliveries.ts";
import {
  type AdmittedDevice,
  authenticateDevice,
  type Registration,
  registerDevice,
} from "../domain/foreign-devices.ts";
import { newHub } from "../domain/hub.ts";
import { type Limits, limitsOf } from "../domain/limits.ts";
import { openRosters } from "../domain/rosters.ts";
import { authenticate } from "../domain/tokens.ts";
import { httpApp } from "../server/app.ts";
import { openStore } from "../store/store.ts";
import { office, operatorToken } from "./fixture.ts";

export const secret = " the secret of the app \n";

interface Options {
  readonly database?: string;
  readonly clock?: { now: number };
  readonly limits?: Partial<Limits>;
}

/** Everything that a relay is made of, with its rules in reach. */
export async function behind({ database = ":memory:", clock = { now: Date.now() }, limits }: Options = {}) {
  const store = openStore(database);
  const context: Context = {
    store,
    clock: () => clock.now,
    limits: limitsOf(limits),
    rosters: openRosters(store),
    hub: newHub(),
    deliveries: newDeliveries(),
    signer: await ed25519Signer(new Uint8Array(32).fill(7)),
    onWanted: null,
  };
  const { fetch } = httpApp({ context, operatorToken, allowedOrigins: [], page: null, logger: null });
  return { context, clock, front: { fetch, key: context.signer.key }, close: () => store.close() };
}

export function newKeys() {
  return { publicKey: randomBytes(32), kemKey: randomBytes(1184) };
}

/** What a client that knows the secret sends with its registration. */
export function macOf(app: string, by: string, { mac: _, ...fields }: Registration): Uint8Array {
  const hex = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const { identityType, identity, publicKey, kemKey, type } = fields;
  const parts = ["NOXY_DEVICE_REGISTER_V1", app, identityType, identity, hex(publicKey), hex(kemKey), type];
  return createHmac("sha256", by.trim()).update(parts.join("\x1f"), "utf8").digest();
}

export const sealed = () => ({
  kemCiphertext: randomBytes(1088),
  nonce: randomBytes(12),
  ciphertext: randomBytes(40),
});

export async function foreignOffice(options: Options = {}) {
  const place = await behind(options);
  const { context, clock, front } = place;
  const { call, app2, app, agent, alice } = await office({ clock, front });

  type Settings = Partial<Omit<ForeignApp, "type">>;
  async function signedSettings(of: typeof app, over: Settings = {}, by = of.root) {
    return signObject(by, {
      type: "guard/v1/foreign-app",
      app: of.app,
      wire: "noxy",
      name: "Shop",
      signingSecret: secret,
      open: false,
      quota: null,
      suspended: false,
      time: clock.now,
      by: "root",
      ...over,
    } satisfies ForeignApp);
  }
  const post = async (over: Settings = {}, by = app.root, of = app) =>
    call(of.owner, "POST", "/v1/foreign", { app: await signedSettings(of, over, by) });
  async function enable(over: Settings = {}, of = app): Promise<void> {
    const { status, body } = await post(over, of.root, of);
    if (status !== 201) throw new Error(JSON.stringify(body));
  }

  async function principal(token = agent.token): Promise<AgentPrincipal> {
    const found = await authenticate(context, token);
    if (found?.kind !== "agent") throw new Error("No agent's token.");
    return found;
  }

  /** Registers a device of Alice's; with the secret's MAC unless `by` is null. */
  async function register(over: Partial<Registration> = {}, by: string | null = secret, of = app.app) {
    const registration: Registration = {
      ...newKeys(),
      identity: alice.identity,
      identityType: "email",
      type: "telegram",
      mac: null,
      ...over,
    };
    const mac = by === null ? registration.mac : macOf(of, by, registration);
    const device = await registerDevice(context, of, { ...registration, mac });
    return { ...device, registration };
  }

  const route = async (device: { device: string }, decision: string, over: object = {}, token?: string) =>
    routeDecision(context, await principal(token), {
      device: device.device,
      decision,
      ttlSeconds: 0,
      ...sealed(),
      ...over,
    });

  /** A connection that counts as subscribed and remembers what it was told. */
  function connect(device: AdmittedDevice, subscribed = true) {
    const told: string[] = [];
    const leave = context.deliveries.connect(device, {
      send({ decision }) {
        if (subscribed) told.push(decision);
        return subscribed;
      },
      activated: () => void told.push("activated"),
      end: (reason) => void told.push(`end: ${reason}`),
    });
    return { told, leave };
  }

  /** The owner's word that this is Alice's device. */
  async function confirm({ device, registration }: { device: string; registration: Registration }) {
    const { publicKey, kemKey, identity } = registration;
    await app.append({
      kind: "foreign",
      device,
      identity,
      wire: "noxy",
      publicKey: base64url(publicKey),
      kemKey: base64url(kemKey),
      name: "phone",
    });
  }
  const revoke = (device: string) =>
    app.append({ kind: "revoke", target: { kind: "foreign", id: device }, reason: null });

  return {
    ...place,
    app,
    app2,
    agent,
    alice,
    call,
    post,
    enable,
    principal,
    register,
    route,
    connect,
    confirm,
    revoke,
    authenticate: (keys: Registration, of = app.app) => authenticateDevice(context, of, keys),
    devices: async () => (await call(app.owner, "GET", "/v1/foreign/devices")).body.devices,
  };
}
