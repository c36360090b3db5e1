import { mkdtemp, readdir, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createDeviceKeys } from "./keys.ts";
import { fileDeviceStore } from "./node.ts";
import type { DeviceProfile } from "./profile.ts";

async function profile(identity: string): Promise<DeviceProfile> {
  const { secrets, keys } = await createDeviceKeys();
  return {
    version: 1,
    relay: "http://127.0.0.1",
    app: "app",
    identity,
    device: "device",
    name: "test",
    origin: "terminal",
    key: keys.signer.key,
    encryptionKey: keys.decryption.publicKey,
    token: "token",
    secrets,
  };
}

const fresh = async () => join(await mkdtemp(join(tmpdir(), "guard-")), "devices");

test("profiles are kept one for each relay, app and identity, readable by their owner alone", async () => {
  const directory = await fresh();
  const store = fileDeviceStore(directory);
  expect(await store.list()).toEqual([]);
  const [alice, bob] = [await profile("alice"), await profile("bob")];
  await store.save(alice);
  await store.save(bob);
  await store.save({ ...alice, token: "newer" });
  expect((await store.list()).map(({ identity, token }) => `${identity} ${token}`).sort()).toEqual([
    "alice newer",
    "bob token",
  ]);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  for (const name of await readdir(directory)) {
    expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
    expect(name).not.toMatch(/tmp/);
  }
  await store.remove(alice);
  expect(await store.list()).toHaveLength(1);
});

test("a key that only its browser can keep is refused before anything is written", async () => {
  const directory = await fresh();
  const alice = await profile("alice");
  const use: KeyUsage[] = ["sign", "verify"];
  const { privateKey } = (await crypto.subtle.generateKey("Ed25519", false, use)) as CryptoKeyPair;
  for (const secrets of [
    { ...alice.secrets, signing: privateKey },
    { ...alice.secrets, encryption: privateKey },
  ]) {
    await expect(fileDeviceStore(directory).save({ ...alice, secrets })).rejects.toThrow(/openBrowserStore/);
  }
  expect(await fileDeviceStore(directory).list()).toEqual([]);
});

test("secret-leak: a damaged profile is named without its content", async () => {
  const directory = await fresh();
  const store = fileDeviceStore(directory);
  await store.save(await profile("alice"));
  const [name] = await readdir(directory);
  await writeFile(join(directory, name as string), '{"secrets":"canary"');
  await expect(store.list()).rejects.toThrow(/damaged/);
  await expect(store.list()).rejects.not.toThrow(/canary/);
});
