/**
 * Signers of all three kinds with fixed keys and fixed signatures. The nonces of ECDSA come from the message
 * (in the manner of RFC 6979), because WebCrypto's are random and vectors have to be comparable.
 */
import { createECDH, createHash, createHmac } from "node:crypto";
import {
  type Assertion,
  base64url,
  ed25519Signer,
  fromBase64url,
  type Signer,
  type SigningKey,
  utf8,
} from "../../packages/core/src/index.ts";
import { seed } from "./random.ts";

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const number = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
const bytes = (value: bigint) => Buffer.from(value.toString(16).padStart(64, "0"), "hex");
export const sha256 = (data: Uint8Array) => Uint8Array.from(createHash("sha256").update(data).digest());

function publicPoint(secret: bigint): Uint8Array {
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(bytes(secret));
  return Uint8Array.from(curve.getPublicKey());
}

function inverse(value: bigint): bigint {
  let [power, result] = [value, 1n];
  for (let exponent = order - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * power) % order;
    power = (power * power) % order;
  }
  return result;
}

function ecdsa(secret: bigint, data: Uint8Array): { r: bigint; s: bigint } {
  const digest = sha256(data);
  const nonce = (number(createHmac("sha256", bytes(secret)).update(digest).digest()) % (order - 1n)) + 1n;
  const r = number(publicPoint(nonce).subarray(1, 33)) % order;
  return { r, s: (inverse(nonce) * (number(digest) + r * secret)) % order };
}

/** ECDSA-Sig-Value in DER, as authenticators write it. */
function der({ r, s }: { r: bigint; s: bigint }): Uint8Array {
  const integer = (value: bigint) => {
    const hex = value.toString(16);
    const even = hex.length % 2 === 0 ? hex : `0${hex}`;
    const raw = Buffer.from(Number.parseInt(even.slice(0, 2), 16) >= 0x80 ? `00${even}` : even, "hex");
    return Buffer.concat([Uint8Array.of(2, raw.length), raw]);
  };
  const body = Buffer.concat([integer(r), integer(s)]);
  return Uint8Array.from(Buffer.concat([Uint8Array.of(0x30, body.length), body]));
}

export const software = (label: string) => ed25519Signer(seed(`ed25519 ${label}`));

export function p256(label: string): Signer {
  const secret = number(seed(`p256 ${label}`));
  return {
    key: { kind: "p256", publicKey: base64url(publicPoint(secret)) },
    async sign(data) {
      const { r, s } = ecdsa(secret, data);
      return base64url(Buffer.concat([bytes(r), bytes(s)]));
    },
  };
}

/** What an assertion says; each member can be changed to something that must be refused. */
export interface Lies {
  readonly client?: Record<string, unknown>;
  readonly rpId?: string;
  readonly flags?: number;
  readonly authenticator?: (bytes: Uint8Array) => Uint8Array;
}
export interface Passkey extends Signer {
  readonly key: SigningKey & { readonly kind: "webauthn" };
  assert(data: Uint8Array, lies?: Lies): Promise<Assertion>;
}

export async function passkey(label: string, alg: "ES256" | "EdDSA"): Promise<Passkey> {
  const rpId = "approve.example.com";
  const origin = `https://${rpId}`;
  const secret = number(seed(`p256 ${label}`));
  const edwards = await software(label);
  const publicKey = alg === "ES256" ? base64url(publicPoint(secret)) : edwards.key.publicKey;
  const credentialId = base64url(seed(`credential ${label}`).subarray(0, 16));
  const key = { kind: "webauthn", alg, publicKey, credentialId, rpId, origins: [origin] } as const;
  async function assert(data: Uint8Array, lies: Lies = {}): Promise<Assertion> {
    const client = utf8(
      JSON.stringify({
        type: "webauthn.get",
        challenge: base64url(sha256(data)),
        origin,
        crossOrigin: false,
        ...lies.client,
      }),
    );
    const honest = Buffer.concat([
      sha256(utf8(lies.rpId ?? rpId)),
      Uint8Array.of(lies.flags ?? 0x05, 0, 0, 0, 7),
    ]);
    const authenticator = lies.authenticator?.(honest) ?? honest;
    const signed = Buffer.concat([authenticator, sha256(client)]);
    const signature =
      alg === "ES256" ? der(ecdsa(secret, signed)) : fromBase64url((await edwards.sign(signed)) as string);
    return {
      authenticatorData: base64url(authenticator),
      clientDataJSON: base64url(client),
      signature: base64url(signature),
    };
  }
  return { key, assert, sign: (data) => assert(data) };
}
