/**
 * The root key at rest: its 32-byte seed under a passphrase, by scrypt (RFC 7914) and AES-256-GCM, in a file
 * that only its owner can read. Whoever holds it decides who may approve, so it is kept in no other form;
 * the one exception, a seed in the clear, is what `guard dev` makes for itself.
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { base64url, ConfigurationError, canonicalJson, fromBase64url } from "@guard/core";
import { writePrivately } from "@guard/device/node";
import * as z from "zod/mini";

// OWASP's scrypt parameters: 128 MiB and about half a second for each guess.
const strong = { N: 2 ** 17, r: 8, p: 1 };

const lockedSchema = z.strictObject({
  type: z.literal("guard/v1/root-key"),
  kdf: z.literal("scrypt"),
  // Bounds: a file must not make us allocate at will (128 · N · r bytes).
  N: z.int().check(z.gte(2), z.lte(2 ** 20)),
  r: z.int().check(z.gte(1), z.lte(8)),
  p: z.int().check(z.gte(1), z.lte(16)),
  salt: z.string(),
  cipher: z.literal("aes-256-gcm"),
  nonce: z.string(),
  sealed: z.string(),
});
const openSchema = z.strictObject({ type: z.literal("guard/v1/root-key-in-the-clear"), seed: z.string() });
const fileSchema = z.discriminatedUnion("type", [lockedSchema, openSchema]);

/** The kept form of a seed. `passphrase: null` keeps it in the clear, for development only. */
export async function lockSeed(seed: Uint8Array, passphrase: string | null, cost = strong): Promise<string> {
  if (passphrase === null) {
    return canonicalJson({ type: "guard/v1/root-key-in-the-clear", seed: base64url(seed) });
  }
  if (passphrase.length < 8) throw new ConfigurationError("The passphrase needs 8 characters or more.");
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const header = {
    type: "guard/v1/root-key",
    kdf: "scrypt",
    ...cost,
    salt: base64url(salt),
    cipher: "aes-256-gcm",
    nonce: base64url(nonce),
  };
  const cipher = createCipheriv("aes-256-gcm", await stretch(passphrase, salt, cost), nonce);
  cipher.setAAD(Buffer.from(canonicalJson(header)));
  const sealed = Buffer.concat([cipher.update(seed), cipher.final(), cipher.getAuthTag()]);
  return canonicalJson({ ...header, sealed: base64url(sealed) });
}

/** @throws GuardError where the file is damaged or the passphrase is another one. */
export async function unlockSeed(text: string, passphrase: () => Promise<string>): Promise<Uint8Array> {
  const parsed = z.safeParse(fileSchema, jsonOrNull(text));
  if (!parsed.success)
    throw new ConfigurationError("The root key file is damaged. Restore it from your copy.");
  if (parsed.data.type === "guard/v1/root-key-in-the-clear") return fromBase64url(parsed.data.seed, 32);
  const { sealed, ...header } = parsed.data;
  const bytes = fromBase64url(sealed, 48);
  const [salt, typed] = [fromBase64url(header.salt, 16), await passphrase()];
  const key = await stretch(typed, salt, header).catch(() => {
    throw new ConfigurationError(
      "The root key file names costs that scrypt does not know. Restore it from your copy.",
    );
  });
  const decipher = createDecipheriv("aes-256-gcm", key, fromBase64url(header.nonce, 12));
  decipher.setAAD(Buffer.from(canonicalJson(header)));
  decipher.setAuthTag(bytes.subarray(32));
  try {
    return Uint8Array.from(Buffer.concat([decipher.update(bytes.subarray(0, 32)), decipher.final()]));
  } catch {
    // Nothing of the cause is passed on: it says nothing, and the key is near.
    throw new ConfigurationError("That is not the root key's passphrase (or the file was changed).");
  }
}

/** Writes the root key. @throws ConfigurationError where the passphrase is too short. */
export async function writeRootKey(file: string, seed: Uint8Array, passphrase: string | null): Promise<void> {
  await writePrivately(file, await lockSeed(seed, passphrase), dirname(file));
}

/** @throws ConfigurationError where there is none, or it cannot be opened. */
export async function readRootKey(file: string, passphrase: () => Promise<string>): Promise<Uint8Array> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new ConfigurationError(
      `There is no root key at ${file}. Run this where the owner's directory is, or name it with --home.`,
    );
  }
  return unlockSeed(text, passphrase);
}

function stretch(
  passphrase: string,
  salt: Uint8Array,
  { N, r, p }: { N: number; r: number; p: number },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { N, r, p, maxmem: 256 * (N + p + 2) * r };
    // NFC: the same passphrase, typed on another keyboard.
    scrypt(passphrase.normalize("NFC"), salt, 32, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // Refused by the schema, like every other damage.
  }
}
