/** A served relay, an app with the Noxy wire switched on, an agent on it, and what devices of it need. */
import { createHash, createHmac } from "node:crypto";
import { base64url, type ForeignApp, newToken, signObject } from "@guard/core";
import { type RelayOptions, serveRelay } from "../../index.ts";
import { world } from "../fixture.ts";
import { agentClient } from "./agent.fixture.ts";
import { connectDevice, type LegName, payloadOf, type SimulatedDevice } from "./device.fixture.ts";
import type { DeviceKeys } from "./seal.fixture.ts";

type World = Awaited<ReturnType<typeof world>>;
type App = Awaited<ReturnType<World["app"]>>;
type Settings = Partial<Pick<ForeignApp, "name" | "signingSecret" | "open" | "quota" | "suspended" | "time">>;
type PlaceOptions = Parameters<typeof world>[0] & { readonly settings?: Settings };

export const signingSecret = "a signing secret of the tests";
/** Tests are faster than people. */
const fast = { perSecond: 10_000, burst: 10_000 };
const quick: RelayOptions["limits"] = {
  foreignRate: fast,
  foreignFirstRate: fast,
  foreignConnectionRate: fast,
  addressRate: fast,
};
const identityTypes = ["wallet", "email", "phone", "user_id"] as const;

/** What a client that has the app's secret signs its registration with. */
export function registrationMac(
  app: string,
  keys: Pick<DeviceKeys, "publicKey" | "pqPublicKey">,
  { identity, identityType = 0, type = "browser", secret = signingSecret }: MacFields,
): Uint8Array {
  const hex = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const kind = identityTypes[identityType] as string;
  const parts = [
    "NOXY_DEVICE_REGISTER_V1",
    app,
    kind,
    identity,
    hex(keys.publicKey),
    hex(keys.pqPublicKey),
    type,
  ];
  return createHmac("sha256", secret.trim()).update(parts.join("\u001f")).digest();
}
interface MacFields {
  readonly identity: string;
  readonly identityType?: number;
  readonly type?: string;
  readonly secret?: string;
}

/** Posts what switches the wire on for an app. */
async function switchOn({ call, clock }: World, app: App, settings: Settings = {}) {
  const posted = {
    type: "guard/v1/foreign-app",
    app: app.app,
    wire: "noxy",
    name: "Tests",
    signingSecret,
    open: false,
    quota: null,
    suspended: false,
    time: clock.now,
    by: "root",
    ...settings,
  };
  return call(app.owner, "POST", "/v1/foreign", { app: await signObject(app.root, posted) });
}

export async function noxyPlace({ settings, limits, ...options }: PlaceOptions = {}) {
  const place = await world({ ...options, limits: { ...quick, ...limits } });
  const listening = await serveRelay(place.relay);
  const target = { address: listening.url.replace("http://", "") };
  const closing: (() => void)[] = [];

  function client(token: string | null) {
    const made = agentClient(target, token);
    closing.push(made.close);
    return made;
  }

  /** An app with an agent called "billing"; everything that follows is of it. */
  async function office(over: Settings = settings ?? {}) {
    const app = await place.app();
    const posted = await switchOn(place, app, over);
    if (posted.status !== 201) throw new Error(JSON.stringify(posted.body));
    const agent = await app.agent("billing");

    function device(leg: LegName = "stream", keys?: DeviceKeys): SimulatedDevice {
      const made = connectDevice({
        app: app.app,
        target,
        leg,
        now: () => place.clock.now,
        ...(keys && { keys }),
      });
      closing.push(made.close);
      return made;
    }
    /** A device that registered with the app's secret, or comes back with its keys, and has subscribed. */
    async function subscribed(identity: string, leg: LegName = "stream", keys?: DeviceKeys) {
      const made = device(leg, keys);
      const known = payloadOf(await made.authenticate(), "authenticate");
      const mac = registrationMac(app.app, made.keys, { identity });
      const id = known.requiresRegistration
        ? payloadOf(await made.register(identity, { signature: mac }), "registerDevice").deviceId
        : (known.deviceId as string);
      payloadOf(await made.subscribe(), "subscribeDecisions");
      return { ...made, id };
    }
    /** The owner's word on a device that waits. */
    async function confirm(identity: string, { id, keys }: { id: string; keys: DeviceKeys }) {
      if (!app.roster().identity(identity)) await app.append({ kind: "identity", identity });
      const [publicKey, kemKey] = [base64url(keys.publicKey), base64url(keys.pqPublicKey)];
      await app.append({
        kind: "foreign",
        wire: "noxy",
        device: id,
        identity,
        publicKey,
        kemKey,
        name: "test",
      });
    }
    return {
      app,
      agent,
      billing: client(agent.token),
      device,
      subscribed,
      confirm,
      settings: (next: Settings) => switchOn(place, app, next),
      async anotherAgent(name: string) {
        return client((await app.agent(name)).token);
      },
      revoke: (id: string) => app.append({ kind: "revoke", target: { kind: "foreign", id }, reason: null }),
    };
  }

  return {
    ...place,
    ...(await office()),
    office,
    /** An app without this wire. */
    plainApp: place.app,
    client,
    target,
    stranger: () => client(newToken()),
    async close() {
      for (const close of closing) close();
      await listening.close();
      await place.relay.close();
    },
  };
}
