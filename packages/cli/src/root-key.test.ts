import { mkdtemp, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError } from "@guard/core";
import { expect, test } from "vitest";
import { lockSeed, readRootKey, unlockSeed, writeRootKey } from "./root-key.ts";

const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
const cheap = { N: 2 ** 10, r: 8, p: 1 };

test("a locked seed opens with its passphrase and no other", async () => {
  const kept = await lockSeed(seed, "correct horse", cheap);
  expect(await unlockSeed(kept, async () => "correct horse")).toEqual(seed);
  await expect(unlockSeed(kept, async () => "correct house")).rejects.toThrow(
    /not the root key's passphrase/,
  );
});

test("secret-leak: the file holds neither the seed nor the passphrase", async () => {
  const kept = await lockSeed(seed, "correct horse", cheap);
  expect(kept).not.toContain(Buffer.from(seed).toString("base64url"));
  expect(kept).not.toContain("correct");
  expect(await lockSeed(seed, "correct horse", cheap)).not.toBe(kept);
});

test.each(["N", "salt", "nonce", "sealed"])("a changed %s does not open", async (name) => {
  const kept = JSON.parse(await lockSeed(seed, "correct horse", cheap));
  const changed = { ...kept, [name]: name === "N" ? 2 ** 11 : flip(kept[name]) };
  await expect(unlockSeed(JSON.stringify(changed), async () => "correct horse")).rejects.toThrow();
});

test.each(["", "{}", "[]", '{"type":"guard/v1/root-key"}', "null", "\u0000"])(
  "damage is named: %j",
  async (text) => {
    await expect(unlockSeed(text, async () => "x")).rejects.toThrow(/damaged/);
  },
);

test("a file must not make us allocate at will", async () => {
  const kept = JSON.parse(await lockSeed(seed, "correct horse", cheap));
  await expect(unlockSeed(JSON.stringify({ ...kept, N: 2 ** 30 }), async () => "x")).rejects.toThrow(
    /damaged/,
  );
});

test.each([{ N: 3 }, { N: 1023 }, { N: 2 ** 17, r: 1 }])(
  "costs that scrypt does not know are damage: %j",
  async (costs) => {
    const kept = JSON.parse(await lockSeed(seed, "correct horse", cheap));
    const opened = unlockSeed(JSON.stringify({ ...kept, ...costs }), async () => "correct horse");
    await expect(opened).rejects.toBeInstanceOf(ConfigurationError);
  },
);

test("a short passphrase is refused", async () => {
  await expect(lockSeed(seed, "short", cheap)).rejects.toThrow(/8 characters/);
});

test("the file and its directory are the owner's alone", async () => {
  const directory = join(await mkdtemp(join(tmpdir(), "guard-")), "home");
  const file = join(directory, "root.key");
  await writeRootKey(file, seed, "correct horse");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  expect(await readRootKey(file, async () => "correct horse")).toEqual(seed);
  expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ kdf: "scrypt", N: 2 ** 17 });
  await expect(readRootKey(join(directory, "none"), async () => "")).rejects.toThrow(/no root key at/);
});

const flip = (text: string) => (text.startsWith("A") ? "B" : "A") + text.slice(1);
