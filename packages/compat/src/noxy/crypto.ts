/**
 * How a decision is sealed to one device, byte for byte as Noxy's clients do it: ML-KEM-768 (FIPS 203), HKDF-SHA-256
 * (RFC 5869, no salt, no info) and AES-256-GCM with its 16-byte tag behind the ciphertext and no additional data.
 *
 * Guarantees: what opens is what was sealed, to the byte; everything else is an error that says what is wrong.
 * Nothing says who sealed it: anybody who has a device's public key can.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";
import { ValidationError, VerificationError } from "@guard/core";
import { type KemProvider, loadKem, sizes } from "./kem.ts";

const nonceSize = 12;
const tagSize = 16;

/** One device's copy of a decision. */
export interface SealedDecision {
  /** ML-KEM-768's ciphertext, 1088 bytes (`kyber_ct` on the wire). */
  readonly kemCiphertext: Uint8Array;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  /** AES-256-GCM's ciphertext with the tag behind it: at least 16 bytes. */
  readonly ciphertext: Uint8Array;
}

export interface SealingOptions {
  /** For tests: which implementation of ML-KEM. Default: node:crypto where it has it. */
  readonly provider?: KemProvider;
}

/**
 * Seals `plaintext` to the device whose ML-KEM-768 public key is `publicKey` (1184 bytes).
 *
 * @throws ValidationError where that is no ML-KEM-768 public key
 */
export async function sealDecision(
  publicKey: Uint8Array,
  plaintext: Uint8Array,
  { provider }: SealingOptions = {},
): Promise<SealedDecision> {
  if (publicKey.length !== sizes.publicKey) {
    throw new ValidationError(
      `An ML-KEM-768 public key has ${sizes.publicKey} bytes; this one has ${publicKey.length}. The device has to register anew.`,
    );
  }
  const kem = await loadKem(provider);
  let made: ReturnType<typeof kem.encapsulate>;
  try {
    made = kem.encapsulate(publicKey);
  } catch (cause) {
    throw new ValidationError(
      "This is no ML-KEM-768 public key: a coefficient is not below the modulus (FIPS 203 §7.2). The device has to register anew.",
      { cause },
    );
  }
  const nonce = randomBytes(nonceSize);
  const cipher = createCipheriv("aes-256-gcm", keyOf(made.sharedSecret), nonce);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  return { kemCiphertext: plain(made.ciphertext), nonce: plain(nonce), ciphertext: plain(ciphertext) };
}

/**
 * What was sealed to the device whose ML-KEM-768 secret key is `secretKey` (2400 bytes).
 *
 * @throws ValidationError where that is no ML-KEM-768 secret key
 * @throws VerificationError where nothing was sealed to it, or what was sealed has been changed
 */
export async function openDecision(
  secretKey: Uint8Array,
  { kemCiphertext, nonce, ciphertext }: SealedDecision,
  { provider }: SealingOptions = {},
): Promise<Uint8Array> {
  checkLength("secret key", secretKey, sizes.secretKey, ValidationError);
  checkLength("kemCiphertext", kemCiphertext, sizes.ciphertext, VerificationError);
  checkLength("nonce", nonce, nonceSize, VerificationError);
  if (ciphertext.length < tagSize) {
    throw new VerificationError(
      `ciphertext has ${ciphertext.length} bytes: less than AES-256-GCM's tag. It was cut on the way.`,
    );
  }
  const kem = await loadKem(provider);
  let sharedSecret: Uint8Array;
  try {
    sharedSecret = kem.decapsulate(secretKey, kemCiphertext);
  } catch (cause) {
    throw new ValidationError("This is no ML-KEM-768 secret key, or it is damaged (FIPS 203 §7.3).", {
      cause,
    });
  }
  const opened = unsealed(keyOf(sharedSecret), nonce, ciphertext);
  if (opened !== null) return opened;
  if (unsealed(keyOf(roundThree(sharedSecret, kemCiphertext)), nonce, ciphertext) !== null) {
    throw new VerificationError(
      "This decision was sealed with Kyber of round 3, a draft of ML-KEM-768 that is not FIPS 203, so it is not opened. " +
        "The agent has to use an ML-KEM-768 client: Noxy's published agent SDKs of version 2 (Python with kybercffi, Rust with pqcrypto-kyber 0.8), or this one. " +
        "pqcrypto-kyber before 0.8 and crystals-kyber-js before 2 are round 3.",
    );
  }
  throw new VerificationError(
    "This decision was not sealed to this device's key, or it was changed on the way. Has the device rotated its keys since?",
  );
}

const keyOf = (sharedSecret: Uint8Array) =>
  new Uint8Array(hkdfSync("sha256", sharedSecret, new Uint8Array(0), new Uint8Array(0), 32));

/**
 * What round 3 of Kyber (specification 3.02, algorithm 9) makes of the same encapsulation: its secret is
 * SHAKE-256(K̄ ‖ SHA3-256(c)), where K̄ is the whole secret in FIPS 203. Only to tell it apart.
 */
function roundThree(sharedSecret: Uint8Array, kemCiphertext: Uint8Array): Uint8Array {
  const hash = createHash("sha3-256").update(kemCiphertext).digest();
  return createHash("shake256", { outputLength: 32 }).update(sharedSecret).update(hash).digest();
}

function unsealed(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array): Uint8Array | null {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagSize });
  decipher.setAuthTag(ciphertext.subarray(-tagSize));
  const begun = decipher.update(ciphertext.subarray(0, -tagSize));
  try {
    return plain(Buffer.concat([begun, decipher.final()]));
  } catch {
    return null; // The tag is another key's or another text's; the caller says so.
  }
}

function checkLength(
  what: string,
  bytes: Uint8Array,
  length: number,
  Wrong: typeof ValidationError | typeof VerificationError,
): void {
  if (bytes.length !== length) {
    throw new Wrong(
      `${what} has ${bytes.length} bytes and not the ${length} that ML-KEM-768 on this wire has.`,
    );
  }
}

/** Bytes that own their memory: Buffers share a pool, and compare as another type. */
const plain = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes);
