/**
 * The three kinds of signing keys: `ed25519` (RFC 8032), `p256` (ECDSA with SHA-256, raw r‖s) and `webauthn`
 * (an assertion over the SHA-256 of the bytes, WebAuthn Level 3 §7.2).
 *
 * Guarantees: the algorithm comes from the signer's roster entry, never from the message; a malformed
 * signature is `false`, never an exception and never a default.
 */
import * as z from "zod/mini";
import { bytesPattern, bytesSchema } from "./bytes-schema.ts";
import { type Bytes, base64url, concat, fromBase64url, fromUtf8 } from "./encoding.ts";
import { sha256 } from "./hash.ts";

/** A public signing key as the roster names it; byte strings are base64url. */
export type SigningKey =
  | { readonly kind: "ed25519"; readonly publicKey: string }
  | { readonly kind: "p256"; readonly publicKey: string }
  | {
      readonly kind: "webauthn";
      readonly alg: "ES256" | "EdDSA";
      readonly publicKey: string;
      readonly credentialId: string;
      readonly rpId: string;
      readonly origins: readonly string[];
    };

/** A WebAuthn assertion; all three members are base64url. */
export interface Assertion {
  readonly authenticatorData: string;
  readonly clientDataJSON: string;
  readonly signature: string;
}

/** base64url of 64 bytes, or an assertion where the key is a passkey. */
export type Signature = string | Assertion;

/** Who can sign: a public key and the act of signing with its private half, wherever that is kept. */
export interface Signer {
  readonly key: SigningKey;
  sign(bytes: Uint8Array): Promise<Signature>;
}

// An uncompressed point starts with 04 (SEC 1 §2.3.3). Some platforms also read the hybrid forms 06 and 07, which
// would be other spellings of the same key, and one key two people (one-person-quorum).
const pointPattern = new RegExp(bytesPattern(65).source.replace("^", "^(?=B[A-P])"));
const publicKeyOf = { ES256: pointPattern, EdDSA: bytesPattern(32) };

export const signingKeySchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("ed25519"), publicKey: bytesSchema(32) }),
  z.strictObject({ kind: z.literal("p256"), publicKey: z.string().check(z.regex(pointPattern)) }),
  z
    .strictObject({
      kind: z.literal("webauthn"),
      alg: z.enum(["ES256", "EdDSA"]),
      publicKey: z.string(),
      credentialId: z.string().check(z.minLength(1), z.maxLength(1400)),
      rpId: z.string().check(z.minLength(1), z.maxLength(253)),
      origins: z.array(z.string().check(z.maxLength(300))).check(z.minLength(1), z.maxLength(20)),
    })
    // One spelling of one key: a compressed point would be the same key under another name.
    .check(
      z.refine((key) => publicKeyOf[key.alg].test(key.publicKey), {
        error: "a public key of the wrong length",
        path: ["publicKey"],
      }),
    ),
]);

const assertionSchema = z.strictObject({
  authenticatorData: z.string().check(z.maxLength(4096)),
  clientDataJSON: z.string().check(z.maxLength(8192)),
  signature: z.string().check(z.maxLength(200)),
});
export const signatureSchema = z.union([z.string().check(z.maxLength(100)), assertionSchema]);

/** Whether `signature` is `key`'s over `data`. Malformed input is false. */
export async function verifySignature(
  key: SigningKey,
  data: Uint8Array,
  signature: Signature,
): Promise<boolean> {
  try {
    if (key.kind === "webauthn") {
      const assertion = z.safeParse(assertionSchema, signature);
      return assertion.success && (await verifyAssertion(key, data, assertion.data));
    }
    if (typeof signature !== "string") return false;
    return await verifyRaw(key.kind, fromBase64url(key.publicKey), data, fromBase64url(signature, 64));
  } catch {
    return false;
  }
}

const algorithms = {
  ed25519: { name: "Ed25519" },
  p256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
} as const;

async function verifyRaw(
  kind: "ed25519" | "p256",
  publicKey: Bytes,
  data: Uint8Array,
  signature: Bytes,
): Promise<boolean> {
  const key = await importPublic(kind, publicKey);
  return crypto.subtle.verify(algorithms[kind], key, signature, Uint8Array.from(data));
}

// A roster names few keys and each verifies many signatures; importing costs as much as verifying.
const imported = new Map<string, Promise<CryptoKey>>();

function importPublic(kind: "ed25519" | "p256", publicKey: Bytes): Promise<CryptoKey> {
  const id = `${kind}:${base64url(publicKey)}`;
  let key = imported.get(id);
  if (!key) {
    if (imported.size >= 1000) imported.clear();
    key = crypto.subtle.importKey("raw", publicKey, algorithms[kind], true, ["verify"]);
    imported.set(id, key);
    key.catch(() => imported.delete(id));
  }
  return key;
}

const userPresent = 0x01;
const userVerified = 0x04;

/** WebAuthn Level 3 §7.2, steps 11 to 21, with `data`'s SHA-256 as the challenge. The counter is advisory. */
async function verifyAssertion(
  key: SigningKey & { kind: "webauthn" },
  data: Uint8Array,
  assertion: Assertion,
): Promise<boolean> {
  const clientDataBytes = fromBase64url(assertion.clientDataJSON);
  const client = JSON.parse(fromUtf8(clientDataBytes)) as Record<string, unknown>;
  if (client.type !== "webauthn.get") return false;
  if (client.challenge !== base64url(sha256(data))) return false;
  if (typeof client.origin !== "string" || !key.origins.includes(client.origin)) return false;
  if (client.crossOrigin === true || client.topOrigin !== undefined) return false;
  const authenticator = fromBase64url(assertion.authenticatorData);
  if (authenticator.length < 37) return false;
  const rpIdHash = base64url(sha256(new TextEncoder().encode(key.rpId)));
  if (base64url(authenticator.subarray(0, 32)) !== rpIdHash) return false;
  const flags = authenticator[32] as number;
  if ((flags & userPresent) === 0 || (flags & userVerified) === 0) return false;
  const signed = concat(authenticator, sha256(clientDataBytes));
  const signature = fromBase64url(assertion.signature);
  const publicKey = fromBase64url(key.publicKey);
  return key.alg === "EdDSA"
    ? verifyRaw("ed25519", publicKey, signed, signature)
    : verifyRaw("p256", publicKey, signed, rawFromDer(signature));
}

/** ECDSA-Sig-Value (RFC 3279 §2.2.3) to r‖s, strict DER. */
function rawFromDer(der: Bytes): Bytes {
  const raw = new Uint8Array(64);
  let offset = 2;
  if (der[0] !== 0x30 || der[1] !== der.length - 2) throw new RangeError("not a DER sequence");
  for (const end of [32, 64]) {
    const length = der[offset + 1] as number;
    let value = der.subarray(offset + 2, offset + 2 + length);
    if (der[offset] !== 0x02 || length === 0 || value.length !== length)
      throw new RangeError("not a DER integer");
    if (value[0] === 0 && value.length > 1) {
      if ((value[1] as number) < 0x80) throw new RangeError("not minimal");
      value = value.subarray(1);
    } else if ((value[0] as number) >= 0x80) throw new RangeError("negative");
    if (value.length > 32) throw new RangeError("too long");
    raw.set(value, end - value.length);
    offset += 2 + length;
  }
  if (offset !== der.length) throw new RangeError("trailing bytes");
  return raw;
}

// RFC 8410 §7: the fixed PKCS #8 prefix of an Ed25519 private key.
const ed25519Pkcs8 = Uint8Array.of(
  0x30,
  0x2e,
  0x02,
  0x01,
  0,
  0x30,
  0x05,
  0x06,
  0x03,
  0x2b,
  0x65,
  0x70,
  0x04,
  0x22,
  0x04,
  0x20,
);

/** The Ed25519 signer of a 32-byte seed (RFC 8032 §5.1.5). */
export async function ed25519Signer(seed: Uint8Array): Promise<Signer> {
  const algorithm = algorithms.ed25519;
  const pkcs8 = concat(ed25519Pkcs8, seed);
  const extractable = await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]);
  const { x } = await crypto.subtle.exportKey("jwk", extractable);
  const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
  return cryptoKeySigner({ kind: "ed25519", publicKey: x as string }, privateKey);
}

/** A signer over a WebCrypto key, which may be non-extractable. `key` has to be its public half. */
export function cryptoKeySigner(
  key: SigningKey & { kind: "ed25519" | "p256" },
  privateKey: CryptoKey,
): Signer {
  return {
    key,
    async sign(data) {
      const raw = await crypto.subtle.sign(algorithms[key.kind], privateKey, Uint8Array.from(data));
      return base64url(new Uint8Array(raw));
    },
  };
}
