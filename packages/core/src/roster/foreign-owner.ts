/** The owner's side of another system's wire: how it is switched on, and whose devices get onto the roster. */
import * as z from "zod/mini";
import type { Signer } from "../crypto/signature.ts";
import { type Signed, signedSchema, signObject, verifySigned } from "../crypto/signed.ts";
import { VerificationError } from "../errors.ts";
import type { RelayClient } from "../relay/client.ts";
import type { Change } from "./entry.ts";
import { type ForeignApp, type ForeignDeviceView, foreignDevicesSchema, readForeignApp } from "./foreign.ts";
import type { Roster } from "./roster.ts";

const empty = z.object({});
const settingsSchema: z.ZodMiniType<{ readonly app: Signed | null }> = z.object({
  app: z.nullable(signedSchema),
});

/** What the owner decides about another system's wire. */
export type ForeignSettings = Pick<
  ForeignApp,
  "wire" | "name" | "signingSecret" | "open" | "quota" | "suspended"
>;

export interface ForeignOwner {
  /** Switches another system's wire on for this app, or changes how it is; the last one posted holds. */
  setForeign(settings: ForeignSettings): Promise<void>;
  /** What was posted last, verified to be the root's or an admin's word; null where nothing was. */
  foreignSettings(): Promise<ForeignApp | null>;
  /** What registered over such wires, newest first. */
  foreignDevices(): Promise<readonly ForeignDeviceView[]>;
  /** Puts such a device on the roster, after the owner compared its fingerprint with what it shows. */
  confirmForeign(device: ForeignDeviceView, name: string): Promise<void>;
}

/** @param options.by `root`, or the name of the admin whose key `signer` is */
export function foreignOwner(options: {
  readonly client: RelayClient;
  readonly app: string;
  readonly signer: Signer;
  readonly by: string;
  readonly now: () => number;
  sync(): Promise<Roster>;
  append(change: Change): Promise<Roster>;
  addIdentity(identity: string): Promise<string>;
}): ForeignOwner {
  const { client, app, signer, by, now } = options;
  return {
    async setForeign(settings) {
      const posted: ForeignApp = { type: "guard/v1/foreign-app", app, ...settings, time: now(), by };
      const body = { app: await signObject(signer, posted) };
      await client.call("POST", "/v1/foreign", { body, schema: empty });
    },
    async foreignSettings() {
      const { value } = await client.call("GET", "/v1/foreign", { schema: settingsSchema });
      if (value.app === null) return null;
      const settings = readForeignApp(value.app);
      const roster = await options.sync();
      const key = settings.by === "root" ? roster.rootKey : roster.admin(settings.by)?.key;
      // It holds the secret and what is open: signed anew, a relay's own words would become the owner's.
      if (settings.app === app && key && (await verifySigned(key, value.app))) return settings;
      throw new VerificationError(
        "What the relay has on the foreign wire was not signed by this app's owner.",
      );
    },
    async foreignDevices() {
      const found = await client.call("GET", "/v1/foreign/devices", { schema: foreignDevicesSchema });
      return found.value.devices;
    },
    async confirmForeign({ device, wire, publicKey, kemKey, ...posted }, name) {
      const identity = await options.addIdentity(posted.identity);
      await options.append({ kind: "foreign", device, identity, wire, publicKey, kemKey, name });
    },
  };
}
