import type { Signed } from "@guard/core";
import { openDB } from "idb";
import { beforeEach, expect, it } from "vitest";
import { createDeviceKeys, deviceKeys } from "../keys.ts";
import type { DeviceProfile } from "../profile.ts";
import { createBrowserKeys } from "./keys.ts";
import { inPage } from "./page.fixture.ts";
import { openBrowserStore } from "./store.ts";

async function profile(identity: string, make = createDeviceKeys): Promise<DeviceProfile> {
  const { secrets, keys } = await make();
  const { key } = keys.signer;
  const encryptionKey = keys.decryption.publicKey;
  const named = { relay: "https://relay.example.com", app: "app", identity, device: "device", name: "page" };
  return { version: 1, ...named, origin: "page", key, encryptionKey, token: "token", secrets };
}

const entry = (body: string): Signed => ({ body, signature: "AAAA" });
const raw = () =>
  openDB("guard", 1, { blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close() });

inPage("profiles in IndexedDB", () => {
  beforeEach(async () => {
    const store = await openBrowserStore();
    for (const kept of await store.list()) await store.remove(kept);
  });

  it("are the same for every tab, one for each relay, app and identity", async () => {
    const [one, two] = [await openBrowserStore(), await openBrowserStore()];
    const [alice, bob] = [await profile("alice"), await profile("bob")];
    await one.save(alice);
    await two.save(bob);
    await one.save({ ...alice, token: "newer" });
    const listed = [...(await two.list())].sort((a, b) => (a.identity < b.identity ? -1 : 1));
    expect(listed).toEqual([{ ...alice, token: "newer" }, bob]);
    await two.remove(alice);
    expect(await one.list()).toEqual([bob]);
  });

  it("two tabs that begin at the same time make one wrapping key", async () => {
    const db = await raw();
    await db.delete("key", "wrapping");
    const stores = await Promise.all(Array.from({ length: 5 }, openBrowserStore));
    await Promise.all(stores.map(async (store, i) => store.save(await profile(`alice${i}`))));
    expect(await (await openBrowserStore()).list()).toHaveLength(5);
  });

  it("another tab hears of what was saved and removed; the tab itself does not", async () => {
    const [one, two] = [await openBrowserStore(), await openBrowserStore()];
    const alice = await profile("alice");
    const heard = () => new Promise<void>((resolve) => two.onChange(resolve));
    let own = 0;
    const stop = one.onChange(() => own++);
    for (const work of [() => one.save(alice), () => one.remove(alice)]) await Promise.all([heard(), work()]);
    expect(own).toBe(0);
    await Promise.all([new Promise<void>((resolve) => one.onChange(resolve)), two.save(alice)]);
    expect(own).toBe(1);
    stop();
    await Promise.all([new Promise<void>((resolve) => one.onChange(resolve)), two.save(alice)]);
    expect(own).toBe(1);
  });

  it("secret-leak: no seed is at rest, and the key that wraps it cannot leave the browser", async () => {
    const store = await openBrowserStore();
    const alice = await profile("alice");
    await store.save(alice);
    const db = await raw();
    const [kept] = await db.getAll("profile");
    const { signing, encryption } = alice.secrets;
    const bytes = [kept.secrets.signing, kept.secrets.encryption].map(({ iv, ciphertext }) => {
      expect(iv).toHaveLength(12);
      expect(ciphertext.byteLength).toBe(48);
      return JSON.stringify([...new Uint8Array(ciphertext)]);
    });
    expect(new Set(bytes).size).toBe(2);
    for (const seed of [signing, encryption]) expect(JSON.stringify(kept)).not.toContain(seed);
    const wrapping = (await db.get("key", "wrapping")) as CryptoKey;
    expect(wrapping.extractable).toBe(false);
    await expect(crypto.subtle.exportKey("raw", wrapping)).rejects.toThrow();
    // Another device's, or another use's, ciphertext in its place does not open.
    await db.put("profile", { ...kept, secrets: { ...kept.secrets, signing: kept.secrets.encryption } }, "x");
    await expect(store.list()).rejects.toThrow(/damaged/);
    await db.put("profile", { ...kept, identity: "bob" }, "x");
    await expect(store.list()).rejects.toThrow(/damaged/);
    await db.delete("profile", "x");
    expect(await store.list()).toEqual([alice]);
  });

  it("a key that the browser turned into null is told, not used", async () => {
    const store = await openBrowserStore();
    const alice = await profile("alice", createBrowserKeys);
    await store.save(alice);
    const db = await raw();
    const [kept] = await db.getAll("profile");
    await db.put("profile", { ...kept, secrets: { ...kept.secrets, encryption: null } }, "x");
    await expect(store.list()).rejects.toThrow(/damaged.*enrol again/);
    await db.delete("profile", "x");
  });

  it("keys made in the browser still sign and open when they come back", async () => {
    const store = await openBrowserStore();
    const alice = await profile("alice", createBrowserKeys);
    expect(alice.secrets.signing).toBeInstanceOf(CryptoKey);
    await store.save(alice);
    const [kept] = (await (await openBrowserStore()).list()) as [DeviceProfile];
    expect((kept.secrets.signing as CryptoKey).extractable).toBe(false);
    const { signer, decryption } = await deviceKeys(kept);
    expect(signer.key).toEqual(alice.key);
    expect(decryption.publicKey).toBe(alice.encryptionKey);
  });

  it("roster-fork, stale-roster: of two tabs' rosters the longer stays, and a fork is an error", async () => {
    const [one, two] = [await openBrowserStore(), await openBrowserStore()];
    const alice = await profile("alice");
    await one.save(alice);
    const [a, b, c, other] = ["a", "b", "c", "other"].map(entry) as [Signed, Signed, Signed, Signed];
    expect(await one.roster(alice).load()).toBe(null);
    await one.roster(alice).save([a, b, c]);
    await two.roster(alice).save([a, b]);
    expect(await two.roster(alice).load()).toEqual([a, b, c]);
    for (const fork of [[a, other], [a, b, other], [a, b, other, c], [other]]) {
      await expect(two.roster(alice).save(fork)).rejects.toMatchObject({ code: "verification_failed" });
      expect(await one.roster(alice).load()).toEqual([a, b, c]);
    }
    await Promise.all([one.roster(alice).save([a, b, c, other]), two.roster(alice).save([a, b, c])]);
    expect(await two.roster(alice).load()).toEqual([a, b, c, other]);
    await one.remove(alice);
    expect(await two.roster(alice).load()).toBe(null);
    await two.roster(alice).save([a]);
    expect(await two.roster(alice).load()).toBe(null);
  });

  it("goes on after a newer page asked for its turn", async () => {
    const store = await openBrowserStore();
    const alice = await profile("alice");
    await store.save(alice);
    (await openDB("guard", 2)).close();
    // The newer page's version is there now; an older page says so instead of showing nothing.
    await expect(store.list()).rejects.toMatchObject({ code: "unavailable" });
    await new Promise<void>((resolve, reject) => {
      const gone = indexedDB.deleteDatabase("guard");
      gone.onsuccess = () => resolve();
      gone.onerror = () => reject(gone.error);
    });
    await store.save(alice);
    expect(await store.list()).toEqual([alice]);
  });
});
