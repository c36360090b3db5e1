/**
 * SHA-256, HMAC-SHA-256 and HKDF (RFC 5869), synchronous everywhere: node:crypto where the process has it,
 * `@noble/hashes` elsewhere (WebCrypto's cost per call is several times the hash). Same bytes either way.
 */
import { hkdf as nobleHkdf } from "@noble/hashes/hkdf.js";
import { hmac as nobleHmac } from "@noble/hashes/hmac.js";
import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import { builtin } from "./builtin.ts";
import { type Bytes, base64url, utf8 } from "./encoding.ts";

type NodeCrypto = typeof import("node:crypto");

const node = builtin<NodeCrypto>("node:crypto");
const copy = (bytes: Uint8Array): Bytes => Uint8Array.from(bytes);

export function sha256(data: Uint8Array): Bytes {
  if (node) return copy(node.createHash("sha256").update(data).digest());
  return copy(nobleSha256(data));
}

/** SHA-256 of UTF-8 text as base64url: how Guard writes every digest of canonical JSON (43 characters). */
export function digestOf(text: string): string {
  if (node) return node.createHash("sha256").update(text, "utf8").digest("base64url");
  return base64url(nobleSha256(utf8(text)));
}

/** SHA-256 of UTF-8 text as 64 hex digits: the form that chains use, because `sha256sum` prints it. */
export function hexDigestOf(text: string): string {
  // A third of createHash's cost, which is what reading a long chain consists of.
  if (node?.hash) return node.hash("sha256", text, "hex");
  if (node) return node.createHash("sha256").update(text, "utf8").digest("hex");
  return Array.from(nobleSha256(utf8(text)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function hmacSha256(key: Uint8Array, data: Uint8Array): Bytes {
  if (node) return copy(node.createHmac("sha256", key).update(data).digest());
  return copy(nobleHmac(nobleSha256, key, data));
}

/** HKDF-SHA-256 with an empty salt; `label` separates the uses of one secret. */
export function hkdf(secret: Uint8Array, label: string, length: number): Bytes {
  if (node) return new Uint8Array(node.hkdfSync("sha256", secret, new Uint8Array(0), utf8(label), length));
  return copy(nobleHkdf(nobleSha256, secret, undefined, utf8(label), length));
}
