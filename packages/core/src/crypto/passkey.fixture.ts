/** A passkey for tests: makes WebAuthn assertions as an authenticator and a browser do, or nearly so. */
import { base64url, concat, utf8 } from "./encoding.ts";
import { sha256 } from "./hash.ts";
import type { Assertion, Signer, SigningKey } from "./signature.ts";

const rpId = "approve.example.com";
export const origin = "https://approve.example.com";

/** What an assertion says; each member can be changed to something that must be refused. */
export interface Lies {
  /** Merged into the client data; undefined drops a member. */
  readonly client?: Record<string, unknown>;
  readonly rpId?: string;
  readonly flags?: number;
  /** Applied to the DER (or EdDSA) signature. */
  readonly signature?: (bytes: Uint8Array) => Uint8Array;
  /** Applied to the authenticator data before it is signed. */
  readonly authenticator?: (bytes: Uint8Array) => Uint8Array;
}

export interface Passkey extends Signer {
  readonly key: SigningKey & { readonly kind: "webauthn" };
  assert(data: Uint8Array, lies?: Lies): Promise<Assertion>;
}

/** Authenticators write ES256 in DER (X.690), WebCrypto as r‖s. */
function der(raw: Uint8Array): Uint8Array {
  const integer = (bytes: Uint8Array) => {
    const short = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
    const positive = (short[0] as number) >= 0x80 ? concat(Uint8Array.of(0), short) : short;
    return concat(Uint8Array.of(0x02, positive.length), positive);
  };
  const [r, s] = [integer(raw.subarray(0, 32)), integer(raw.subarray(32))];
  return concat(Uint8Array.of(0x30, r.length + s.length), r, s);
}

export async function passkey(alg: "ES256" | "EdDSA" = "ES256"): Promise<Passkey> {
  const es256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const algorithm = alg === "ES256" ? es256 : { name: "Ed25519" };
  const pair = (await crypto.subtle.generateKey(algorithm, false, ["sign", "verify"])) as CryptoKeyPair;
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const assert = async (data: Uint8Array, lies: Lies = {}): Promise<Assertion> => {
    const client = utf8(
      JSON.stringify({
        type: "webauthn.get",
        challenge: base64url(sha256(data)),
        origin,
        crossOrigin: false,
        ...lies.client,
      }),
    );
    const honest = concat(sha256(utf8(lies.rpId ?? rpId)), Uint8Array.of(lies.flags ?? 0x05, 0, 0, 0, 7));
    const authenticator = lies.authenticator?.(honest) ?? honest;
    const signed = concat(authenticator, sha256(client));
    const raw = new Uint8Array(await crypto.subtle.sign(algorithm, pair.privateKey, signed));
    const signature = alg === "ES256" ? der(raw) : raw;
    return {
      authenticatorData: base64url(authenticator),
      clientDataJSON: base64url(client),
      signature: base64url(lies.signature?.(signature) ?? signature),
    };
  };
  const key = {
    kind: "webauthn" as const,
    alg,
    publicKey: base64url(publicKey),
    credentialId: "Y3JlZGVudGlhbA",
    rpId,
    origins: [origin],
  };
  return { key, assert, sign: async (data) => assert(data) };
}
