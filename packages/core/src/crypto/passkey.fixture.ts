/** A passkey for tests: makes WebAuthn assertions as an authenticator and a browser do, or nearly so. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { base64url, concat, fromBase64url, utf8 } from "./encoding.ts";
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
  assert(data: Uint8Array, lies?: Lies): Assertion;
}

function publicBytes(alg: "ES256" | "EdDSA", key: KeyObject): Uint8Array {
  const { x, y } = key.export({ format: "jwk" }) as { x: string; y?: string };
  if (alg === "EdDSA") return fromBase64url(x);
  return concat(Uint8Array.of(4), fromBase64url(x), fromBase64url(y as string));
}

export function passkey(alg: "ES256" | "EdDSA" = "ES256"): Passkey {
  const { publicKey, privateKey } =
    alg === "ES256" ? generateKeyPairSync("ec", { namedCurve: "P-256" }) : generateKeyPairSync("ed25519");
  const assert = (data: Uint8Array, lies: Lies = {}): Assertion => {
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
    const signature = sign(
      alg === "ES256" ? "sha256" : null,
      concat(authenticator, sha256(client)),
      privateKey,
    );
    return {
      authenticatorData: base64url(authenticator),
      clientDataJSON: base64url(client),
      signature: base64url(lies.signature?.(signature) ?? signature),
    };
  };
  const key = {
    kind: "webauthn" as const,
    alg,
    publicKey: base64url(publicBytes(alg, publicKey)),
    credentialId: "Y3JlZGVudGlhbA",
    rpId,
    origins: [origin],
  };
  return { key, assert, sign: async (data) => assert(data) };
}
