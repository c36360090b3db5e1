/**
 * All keys of an agent, derived from one 32-byte seed by HKDF labels: any process with the connection can
 * reopen the agent's own requests after a restart, and nothing but the seed has to be kept.
 */
import { canonicalJson } from "../action/canonical.ts";
import { type Bytes, base64url, utf8 } from "./encoding.ts";
import { hkdf, hmacSha256 } from "./hash.ts";
import { type DecryptionKey, decryptionKey } from "./hpke.ts";
import { ed25519Signer, type Signer } from "./signature.ts";

export interface AgentKeys {
  readonly signer: Signer;
  /** Opens the replies of devices. */
  readonly decryption: DecryptionKey;
  /** base64url of 32 bytes: makes the digests of one idempotency key's actions unguessable. */
  salt(app: string, key: string): string;
  /** What the relay joins duplicates on: HMAC(secret; app, key). */
  keyId(app: string, key: string): string;
  /** HMAC(secret; key id, round). */
  requestId(keyId: string, round: number): string;
  /** The key that encrypts the one paper with this nonce. */
  contentKey(nonce: string): Bytes;
}

/** Derives an agent's keys from its seed (32 bytes). */
export async function agentKeys(seed: Uint8Array): Promise<AgentKeys> {
  const derive = (label: string) => hkdf(seed, `guard/v1/agent/${label}`, 32);
  const [signer, decryption] = await Promise.all([
    ed25519Signer(derive("sign")),
    decryptionKey(derive("reply")),
  ]);
  const secrets = {
    salt: derive("salt"),
    keyId: derive("key-id"),
    requestId: derive("request-id"),
    content: derive("content"),
  };
  // Canonical JSON separates the parts: no two inputs have one reading (delimiter-ambiguity).
  const mac = (secret: Uint8Array, ...parts: (string | number)[]) =>
    hmacSha256(secret, utf8(canonicalJson(parts)));
  return {
    signer,
    decryption,
    salt: (app, key) => base64url(mac(secrets.salt, app, key)),
    keyId: (app, key) => base64url(mac(secrets.keyId, app, key)),
    requestId: (keyId, round) => base64url(mac(secrets.requestId, keyId, round)),
    contentKey: (nonce) => mac(secrets.content, nonce),
  };
}
