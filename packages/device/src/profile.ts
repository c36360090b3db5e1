/** What a device keeps between sessions, and where: one profile for each relay, app and identity. */
import { type RosterStore, type SigningKey, signedSchema, signingKeySchema } from "@guard/core";
import * as z from "zod/mini";
import type { DeviceSecrets } from "./keys.ts";

export interface DeviceProfile {
  readonly version: 1;
  /** Base URL of the relay. */
  readonly relay: string;
  /** The app id that came with the invitation: it pins the first root key. */
  readonly app: string;
  readonly identity: string;
  /** The device's id: digest of its app, identity and keys. */
  readonly device: string;
  readonly name: string;
  readonly origin: string;
  readonly key: SigningKey;
  readonly encryptionKey: string;
  /** The device's own bearer token. */
  readonly token: string;
  readonly secrets: DeviceSecrets;
}

/** Names a profile. */
export type ProfileId = Pick<DeviceProfile, "relay" | "app" | "identity">;

/** Where profiles are kept. What it returns is secret. */
export interface DeviceStore {
  list(): Promise<readonly DeviceProfile[]>;
  /** Adds a profile, or replaces the one of the same relay, app and identity. */
  save(profile: DeviceProfile): Promise<void>;
  remove(id: ProfileId): Promise<void>;
  /** Where the device keeps the highest roster it has seen, so that a relay cannot take it back. */
  roster(id: ProfileId): RosterStore;
}

/** The members of a kept profile but its secrets, which each store keeps in its own way. */
export const openMembers = {
  version: z.literal(1),
  relay: z.string(),
  app: z.string(),
  identity: z.string(),
  device: z.string(),
  name: z.string(),
  origin: z.string(),
  key: signingKeySchema,
  encryptionKey: z.string(),
  token: z.string(),
};

/** A profile whose secrets are seeds: what a file can hold. */
export const profileSchema: z.ZodMiniType<DeviceProfile> = z.strictObject({
  ...openMembers,
  secrets: z.strictObject({ signing: z.nullable(z.string()), encryption: z.string() }),
}) as unknown as z.ZodMiniType<DeviceProfile>;

/** The kept form of a roster. */
export const keptRosterSchema = z.array(signedSchema);

/** The one text that names a profile in its store. */
export const idOfProfile = (id: ProfileId) => JSON.stringify([id.relay, id.app, id.identity]);

/** Profiles in memory: for tests, and for processes that end with their device. */
export function memoryDeviceStore(): DeviceStore {
  const profiles = new Map<string, DeviceProfile>();
  const rosters = new Map<string, Awaited<ReturnType<RosterStore["load"]>>>();
  return {
    list: async () => [...profiles.values()],
    save: async (profile) => void profiles.set(idOfProfile(profile), profile),
    remove: async (id) => void profiles.delete(idOfProfile(id)),
    roster: (id) => ({
      load: async () => rosters.get(idOfProfile(id)) ?? null,
      save: async (entries) => void rosters.set(idOfProfile(id), entries),
    }),
  };
}
