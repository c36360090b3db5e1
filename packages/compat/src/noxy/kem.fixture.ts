/** A device's ML-KEM-768 keys, as both implementations read them. */
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";

export function kemKeys(): { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array } {
  return ml_kem768.keygen();
}
