/**
 * ML-KEM-768 (FIPS 203): by node:crypto where it has it (Node 24 and later), else by `@noble/post-quantum`, which is
 * loaded only then. Both make and read the same bytes, and both check keys as §7.2 and §7.3 ask: a public key's
 * coefficients are below the modulus, a secret key's hash is that of the public key within it.
 */
import * as crypto from "node:crypto";

/** Bytes of ML-KEM-768's keys and ciphertext; the secret key is FIPS 203's expanded decapsulation key. */
export const sizes = { publicKey: 1184, secretKey: 2400, ciphertext: 1088 } as const;

export interface Kem {
  /** @throws any error where `publicKey` is none */
  encapsulate(publicKey: Uint8Array): { sharedSecret: Uint8Array; ciphertext: Uint8Array };
  /** @throws any error where `secretKey` is none; another sender's ciphertext gives an unrelated secret */
  decapsulate(secretKey: Uint8Array, ciphertext: Uint8Array): Uint8Array;
}

export type KemProvider = "node" | "noble";

/** The KEM calls are newer than the type definitions of the oldest supported Node. */
type KemCrypto = typeof crypto & {
  encapsulate?(key: crypto.KeyObject): { sharedKey: Uint8Array; ciphertext: Uint8Array };
  decapsulate?(key: crypto.KeyObject, ciphertext: Uint8Array): Uint8Array;
};
const { encapsulate, decapsulate } = crypto as KemCrypto;

// What stands before the raw key in SubjectPublicKeyInfo and in PKCS #8 with the expanded key alone (RFC 9935).
const spki = Buffer.from("308204b2300b0609608648016503040402038204a100", "hex");
const pkcs8 = Buffer.from("30820978020100300b060960864801650304040204820964" + "04820960", "hex");

export function kemProvider(): KemProvider {
  return encapsulate === undefined ? "noble" : "node";
}

export async function loadKem(provider: KemProvider = kemProvider()): Promise<Kem> {
  if (provider === "node" && encapsulate && decapsulate) {
    return {
      encapsulate(publicKey) {
        const key = Buffer.concat([spki, publicKey]);
        const made = encapsulate(crypto.createPublicKey({ key, format: "der", type: "spki" }));
        return { sharedSecret: made.sharedKey, ciphertext: made.ciphertext };
      },
      decapsulate(secretKey, ciphertext) {
        const key = Buffer.concat([pkcs8, secretKey]);
        return decapsulate(crypto.createPrivateKey({ key, format: "der", type: "pkcs8" }), ciphertext);
      },
    };
  }
  const { ml_kem768: noble } = await import("@noble/post-quantum/ml-kem.js");
  return {
    encapsulate(publicKey) {
      const { sharedSecret, cipherText: ciphertext } = noble.encapsulate(Uint8Array.from(publicKey));
      return { sharedSecret, ciphertext };
    },
    decapsulate: (secretKey, ciphertext) =>
      noble.decapsulate(Uint8Array.from(ciphertext), Uint8Array.from(secretKey)),
  };
}
