/** AES-256-GCM (NIST SP 800-38D) by WebCrypto, with the 16-byte tag appended. */
import type { Bytes } from "./encoding.ts";

/** A key encrypts one message only wherever this nonce is used: content keys are made for one paper each. */
export const singleUseNonce: Bytes = new Uint8Array(12);

const importKey = (key: Uint8Array, use: KeyUsage) =>
  crypto.subtle.importKey("raw", Uint8Array.from(key), "AES-GCM", false, [use]);

export async function aesGcmSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  aad: Uint8Array,
): Promise<Bytes> {
  const algorithm = { name: "AES-GCM", iv: Uint8Array.from(nonce), additionalData: Uint8Array.from(aad) };
  const sealed = await crypto.subtle.encrypt(
    algorithm,
    await importKey(key, "encrypt"),
    Uint8Array.from(plaintext),
  );
  return new Uint8Array(sealed);
}

/** @throws OperationError (WebCrypto) where key, nonce, ciphertext and AAD do not belong together. */
export async function aesGcmOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  ciphertext: Uint8Array,
  aad: Uint8Array,
): Promise<Bytes> {
  const algorithm = { name: "AES-GCM", iv: Uint8Array.from(nonce), additionalData: Uint8Array.from(aad) };
  const opened = await crypto.subtle.decrypt(
    algorithm,
    await importKey(key, "decrypt"),
    Uint8Array.from(ciphertext),
  );
  return new Uint8Array(opened);
}
