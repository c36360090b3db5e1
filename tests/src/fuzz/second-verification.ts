/** A second verification of signatures, by node:crypto and apart from Guard's: DER, raw r‖s and the WebAuthn checks spelled out. */
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import type { Signed, SigningKey } from "@guard/core";

const b64 = (text: string) => Buffer.from(text, "base64url");
const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest();

/** node:crypto's opinion, with DER, raw r‖s and the WebAuthn checks spelled out once more. */
export function verifiedBy(key: SigningKey, data: string, signature: Signed["signature"]): boolean {
  const check = (
    kind: "ed25519" | "p256",
    bytes: Buffer,
    made: Buffer,
    dsaEncoding: "der" | "ieee-p1363",
  ) => {
    const point = b64(key.publicKey);
    let publicKey: KeyObject;
    try {
      const jwk =
        kind === "ed25519"
          ? { kty: "OKP", crv: "Ed25519", x: point.toString("base64url") }
          : {
              kty: "EC",
              crv: "P-256",
              x: point.subarray(1, 33).toString("base64url"),
              y: point.subarray(33).toString("base64url"),
            };
      publicKey = createPublicKey({ key: jwk, format: "jwk" });
    } catch {
      return false;
    }
    return verify(
      kind === "ed25519" ? null : "sha256",
      bytes,
      kind === "ed25519" ? publicKey : { key: publicKey, dsaEncoding },
      made,
    );
  };
  const exact = (text: string) => b64(text).toString("base64url") === text;
  if (key.kind !== "webauthn") {
    if (typeof signature !== "string" || !exact(signature) || b64(signature).length !== 64) return false;
    return check(key.kind, Buffer.from(data), b64(signature), "ieee-p1363");
  }
  if (typeof signature !== "object") return false;
  const { authenticatorData, clientDataJSON, signature: made } = signature;
  if (![authenticatorData, clientDataJSON, made].every(exact)) return false;
  let client: Record<string, unknown>;
  try {
    client = JSON.parse(
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(b64(clientDataJSON)),
    );
  } catch {
    return false;
  }
  const authenticator = b64(authenticatorData);
  if (client?.type !== "webauthn.get" || client.challenge !== sha256(data).toString("base64url"))
    return false;
  if (
    !key.origins.includes(client.origin as string) ||
    client.crossOrigin === true ||
    client.topOrigin !== undefined
  )
    return false;
  if (authenticator.length < 37 || !authenticator.subarray(0, 32).equals(sha256(key.rpId))) return false;
  if (((authenticator[32] as number) & 5) !== 5) return false;
  const bytes = Buffer.concat([authenticator, sha256(b64(clientDataJSON))]);
  return check(key.alg === "EdDSA" ? "ed25519" : "p256", bytes, b64(made), "der");
}
