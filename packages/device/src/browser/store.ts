/**
 * Profiles in IndexedDB, shared by the tabs of one origin.
 *
 * Guarantees: a seed is kept only as AES-256-GCM ciphertext under a key that cannot leave the browser; of two
 * rosters that tabs saw the longer one stays, and two histories are an error, never overwritten.
 */
import {
  base64url,
  ConfigurationError,
  fromBase64url,
  idOf,
  type RosterStore,
  type Signed,
  UnavailableError,
  utf8,
  VerificationError,
} from "@guard/core";
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import * as z from "zod/mini";
import {
  type DeviceProfile,
  type DeviceStore,
  idOfProfile,
  keptRosterSchema,
  openMembers,
} from "../profile.ts";

export interface BrowserDeviceStore extends DeviceStore {
  /** Calls `listener` when another tab saved or removed a profile, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

const wrappedSchema = z.strictObject({
  iv: z.instanceof(Uint8Array),
  ciphertext: z.instanceof(ArrayBuffer),
});
const keySchema = z.custom<CryptoKey>((value) => value instanceof CryptoKey);
const keptSchema = z.strictObject({
  ...openMembers,
  secrets: z.strictObject({
    signing: z.nullable(z.union([keySchema, wrappedSchema])),
    encryption: z.union([keySchema, wrappedSchema]),
  }),
});
type Wrapped = { iv: Uint8Array<ArrayBuffer>; ciphertext: ArrayBuffer };

interface Schema extends DBSchema {
  /** By `idOfProfile`. What comes back is checked: an older page, or a browser with less, may have written it. */
  profile: { key: string; value: unknown };
  roster: { key: string; value: unknown };
  key: { key: "wrapping"; value: CryptoKey };
}

const channelName = "guard/devices";

/** Opens the store of this page's origin. */
export async function openBrowserStore(): Promise<BrowserDeviceStore> {
  let opened: Promise<IDBPDatabase<Schema>> | null = null;
  // Browsers end connections of pages that slept, and a newer page asks for its turn: the next use opens again.
  const database = (): Promise<IDBPDatabase<Schema>> => {
    if (opened) return opened;
    const opening = openDB<Schema>("guard", 1, {
      upgrade(db) {
        db.createObjectStore("profile");
        db.createObjectStore("roster");
        db.createObjectStore("key");
      },
      blocking(_current, _blocked, event) {
        opened = null;
        (event.target as IDBDatabase).close();
      },
      terminated() {
        opened = null;
      },
    });
    opened = opening.catch((cause: unknown) => {
      opened = null;
      throw new UnavailableError(
        "This browser's storage cannot be opened. Reload the page; a private window may have none.",
        { cause },
      );
    });
    return opened;
  };
  await database();
  const channel = new BroadcastChannel(channelName);

  return {
    async list() {
      const db = await database();
      const key = await wrappingKey(db);
      return Promise.all((await db.getAll("profile")).map((kept) => unwrapped(key, kept)));
    },
    async save(profile) {
      const db = await database();
      const key = await wrappingKey(db);
      await db.put("profile", await wrapped(key, profile), idOfProfile(profile));
      channel.postMessage(null);
    },
    async remove(id) {
      const db = await database();
      const work = db.transaction(["profile", "roster"], "readwrite");
      await Promise.all([
        work.objectStore("profile").delete(idOfProfile(id)),
        work.objectStore("roster").delete(idOfProfile(id)),
        work.done,
      ]);
      channel.postMessage(null);
    },
    roster: (id) => rosterOf(database, idOfProfile(id)),
    onChange(listener) {
      channel.addEventListener("message", listener);
      return () => channel.removeEventListener("message", listener);
    },
  };
}

function rosterOf(database: () => Promise<IDBPDatabase<Schema>>, id: string): RosterStore {
  return {
    async load() {
      const kept = await (await database()).get("roster", id);
      return kept === undefined ? null : readRosterEntries(kept);
    },
    async save(entries) {
      const work = (await database()).transaction(["profile", "roster"], "readwrite");
      const rosters = work.objectStore("roster");
      const [profile, kept] = await Promise.all([work.objectStore("profile").getKey(id), rosters.get(id)]);
      const before = kept === undefined ? [] : readRosterEntries(kept);
      const shared = Math.min(before.length, entries.length);
      const forked = before.slice(0, shared).some((entry, i) => idOf(entry) !== idOf(entries[i] as Signed));
      // Another tab forgot the device meanwhile: nothing of it is written again.
      if (!forked && profile !== undefined && entries.length > before.length) await rosters.put(entries, id);
      await work.done;
      if (forked) {
        throw new VerificationError(
          "The roster forked: another tab keeps another history. Somebody signed both, or the relay lies. The owner has to look into it.",
        );
      }
    },
  };
}

function readRosterEntries(kept: unknown): readonly Signed[] {
  const entries = z.safeParse(keptRosterSchema, kept);
  if (!entries.success) throw damaged(entries.error);
  return entries.data;
}

/** The origin's AES key: made by whichever tab comes first. */
async function wrappingKey(db: IDBPDatabase<Schema>): Promise<CryptoKey> {
  const kept = await db.get("key", "wrapping");
  if (kept) return kept;
  // Made before the transaction, which would end while WebCrypto works.
  const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, [
    "encrypt",
    "decrypt",
  ]);
  const work = db.transaction("key", "readwrite");
  const meanwhile = await work.store.get("wrapping");
  if (!meanwhile) await work.store.put(made, "wrapping");
  await work.done;
  return meanwhile ?? made;
}

/** Binds a ciphertext to its profile and its use, so that none opens in another's place. */
const aad = (profile: Pick<DeviceProfile, "relay" | "app" | "identity">, use: string) =>
  utf8(`${use} ${idOfProfile(profile)}`);

async function wrapped(key: CryptoKey, profile: DeviceProfile): Promise<unknown> {
  const wrap = async (secret: string | CryptoKey, use: string): Promise<Wrapped | CryptoKey> => {
    if (typeof secret !== "string") return secret;
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const algorithm = { name: "AES-GCM", iv, additionalData: aad(profile, use) };
    return { iv, ciphertext: await crypto.subtle.encrypt(algorithm, key, fromBase64url(secret, 32)) };
  };
  const { signing, encryption } = profile.secrets;
  return {
    ...profile,
    secrets: {
      signing: signing === null ? null : await wrap(signing, "signing"),
      encryption: await wrap(encryption, "encryption"),
    },
  };
}

async function unwrapped(key: CryptoKey, kept: unknown): Promise<DeviceProfile> {
  const parsed = z.safeParse(keptSchema, kept);
  if (!parsed.success) throw damaged(parsed.error);
  const profile = parsed.data;
  const unwrap = async (secret: CryptoKey | Wrapped, use: string): Promise<string | CryptoKey> => {
    if (secret instanceof CryptoKey) return secret;
    const algorithm = { name: "AES-GCM", iv: secret.iv, additionalData: aad(profile, use) };
    try {
      return base64url(new Uint8Array(await crypto.subtle.decrypt(algorithm, key, secret.ciphertext)));
    } catch (cause) {
      throw damaged(cause);
    }
  };
  const { signing, encryption } = profile.secrets;
  return {
    ...profile,
    secrets: {
      signing: signing === null ? null : await unwrap(signing as CryptoKey | Wrapped, "signing"),
      encryption: await unwrap(encryption as CryptoKey | Wrapped, "encryption"),
    },
  };
}

function damaged(cause: unknown): ConfigurationError {
  return new ConfigurationError(
    "What this browser kept of a device is damaged. Clear this page's storage and enrol again.",
    { cause },
  );
}
