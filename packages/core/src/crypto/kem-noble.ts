/**
 * MLKEM768-X25519 in JavaScript, for runtimes that have it nowhere else. Loaded only where it is needed.
 * Correct, slower by an order of magnitude, and not constant-time (docs/security.md).
 */
import { ml_kem768_x25519 as hybrid } from "@noble/post-quantum/hybrid.js";
import type { KEM } from "hpke";
import { type Kem, type RawKey, xwing } from "./xwing.ts";

const algorithm = { name: xwing.name };
const copy = (bytes: Uint8Array) => Uint8Array.from(bytes);
const publicKey = (raw: Uint8Array): RawKey => ({
  type: "public",
  algorithm,
  extractable: true,
  raw: copy(raw),
});
const privateKey = (seed: Uint8Array, extractable: boolean): RawKey => ({
  type: "private",
  algorithm,
  extractable,
  raw: copy(seed),
});

const kem: KEM<RawKey> = {
  ...xwing,
  async DeriveKeyPair() {
    throw new TypeError("Not used: import the 32-byte seed with DeserializePrivateKey.");
  },
  async GenerateKeyPair(extractable) {
    const made = hybrid.keygen();
    return { privateKey: privateKey(made.secretKey, extractable), publicKey: publicKey(made.publicKey) };
  },
  async SerializePublicKey(key) {
    return copy(key.raw);
  },
  async DeserializePublicKey(raw) {
    return publicKey(raw);
  },
  async SerializePrivateKey(key) {
    return copy(key.raw);
  },
  async DeserializePrivateKey(seed, extractable) {
    return privateKey(seed, extractable);
  },
  async Encap(recipient) {
    const { cipherText, sharedSecret } = hybrid.encapsulate(recipient.raw);
    return { enc: copy(cipherText), shared_secret: copy(sharedSecret) };
  },
  async Decap(enc, own) {
    return copy(hybrid.decapsulate(enc, own.raw));
  },
};

export function nobleKem(): Kem {
  return {
    factory: () => kem as unknown as KEM,
    publicKeyOf: async (seed) => copy(hybrid.getPublicKey(seed)),
  };
}
