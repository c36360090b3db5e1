/** A Noxy device's keys, and how its decisions are sealed: ML-KEM-768 (FIPS 203), HKDF-SHA256, AES-256-GCM. */
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  decapsulate,
  encapsulate,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
} from "node:crypto";

/** What stands before the key in its SubjectPublicKeyInfo (RFC 9935). */
const spki = Buffer.from("308204b2300b0609608648016503040402038204a100", "hex");
const tagLength = 16;

export interface Sealed {
  readonly kyberCt: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

export function newDeviceKeys() {
  const kem = generateKeyPairSync("ml-kem-768");
  const signing = generateKeyPairSync("ed25519");
  const publicKey = new Uint8Array(signing.publicKey.export({ format: "der", type: "spki" }).subarray(-32));
  const der = kem.publicKey.export({ format: "der", type: "spki" });
  return {
    publicKey,
    pqPublicKey: new Uint8Array(der.subarray(spki.length)),
    open({ kyberCt, nonce, ciphertext }: Sealed): string {
      const key = contentKey(decapsulate(kem.privateKey, kyberCt));
      const cipher = createDecipheriv("aes-256-gcm", key, nonce);
      cipher.setAuthTag(ciphertext.subarray(-tagLength));
      const text = Buffer.concat([cipher.update(ciphertext.subarray(0, -tagLength)), cipher.final()]);
      return text.toString("utf8");
    },
  };
}
export type DeviceKeys = ReturnType<typeof newDeviceKeys>;

export function seal(pqPublicKey: Uint8Array, plaintext: string): Sealed {
  const key = createPublicKey({ key: Buffer.concat([spki, pqPublicKey]), format: "der", type: "spki" });
  const { sharedKey, ciphertext: kyberCt } = encapsulate(key);
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", contentKey(sharedKey), nonce);
  const ciphertext = Buffer.concat([cipher.update(plaintext, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return { kyberCt, nonce, ciphertext };
}

const contentKey = (shared: Uint8Array) => Buffer.from(hkdfSync("sha256", shared, new Uint8Array(), "", 32));
