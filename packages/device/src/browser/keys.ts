/**
 * A device's keys, made in a browser. The signing key is a passkey, or never leaves WebCrypto; the encryption
 * key does not either, where the browser can keep such a key, and is a seed that its store wraps where it cannot.
 */
import {
  base64url,
  ConfigurationError,
  cryptoKeySigner,
  decryptionKey,
  kemProvider,
  randomBytes,
  type Signer,
} from "@guard/core";
import type { MadeKeys } from "../keys.ts";
import { createPasskey, passkeySigner } from "./passkey.ts";

export interface BrowserKeysOptions {
  /** Signs with a new passkey, made for this identity and device name. */
  readonly passkey?: { readonly identity: string; readonly name: string };
}

/**
 * Makes a device's keys: `enrol`'s `keys`.
 * @throws CancelledError where the person closed the passkey's prompt; ConfigurationError where the browser is too old.
 */
export async function createBrowserKeys(options: BrowserKeysOptions = {}): Promise<MadeKeys> {
  const { passkey } = options;
  const ed25519 = await ed25519Pair();
  const encryption = (await keptEncryptionKey()) ?? randomBytes(32);
  const decryption = await decryptionKey(encryption);
  const { signing, signer } = passkey
    ? { signing: null, signer: passkeySigner(await createPasskey(passkey)) }
    : await newSigningKey(ed25519);
  return {
    secrets: {
      signing,
      encryption: encryption instanceof Uint8Array ? base64url(encryption) : encryption,
    },
    keys: { signer, decryption },
  };
}

async function newSigningKey(ed25519: CryptoKeyPair): Promise<{ signing: CryptoKey; signer: Signer }> {
  const pair = isKept(ed25519.privateKey) ? ed25519 : await generate({ name: "ECDSA", namedCurve: "P-256" });
  const raw = await crypto.subtle.exportKey("raw", pair.publicKey);
  const kind = pair.publicKey.algorithm.name === "Ed25519" ? "ed25519" : "p256";
  const key = { kind, publicKey: base64url(new Uint8Array(raw)) } as const;
  return { signing: pair.privateKey, signer: cryptoKeySigner(key, pair.privateKey) };
}

const generate = (algorithm: EcKeyGenParams | Algorithm) =>
  crypto.subtle.generateKey(algorithm, false, ["sign", "verify"]) as Promise<CryptoKeyPair>;

/** An Ed25519 key. Without that algorithm no device can be: agents and owners sign with it. */
async function ed25519Pair(): Promise<CryptoKeyPair> {
  try {
    return await generate({ name: "Ed25519" });
  } catch (cause) {
    if (!(cause instanceof DOMException) || cause.name !== "NotSupportedError") throw cause;
    throw new ConfigurationError(
      "This browser has no Ed25519, so it cannot verify what agents sign. Update it (Chrome 137, Firefox 129, Safari 17), or use another.",
      { cause },
    );
  }
}

/** A private key of the KEM in WebCrypto; null where this browser has none, or cannot keep one. */
async function keptEncryptionKey(): Promise<CryptoKey | null> {
  if (kemProvider() !== "webcrypto") return null;
  const use = ["encapsulateBits", "decapsulateBits"] as unknown as KeyUsage[];
  const pair = (await crypto.subtle.generateKey({ name: "MLKEM768-X25519" }, false, use)) as CryptoKeyPair;
  return isKept(pair.privateKey) ? pair.privateKey : null;
}

/** IndexedDB keeps structured clones. Chromium 156 makes null of a clone of this KEM's keys, without an error. */
function isKept(key: CryptoKey): boolean {
  try {
    return structuredClone(key) instanceof CryptoKey;
  } catch (error) {
    if (error instanceof DOMException && error.name === "DataCloneError") return false;
    throw error;
  }
}
