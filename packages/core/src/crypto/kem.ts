/**
 * The KEM of Guard's one suite: MLKEM768-X25519 (0x647a, "X-Wing"; draft-connolly-cfrg-xwing-kem), as a
 * provider for the `hpke` package.
 *
 * Where the process has node:crypto with ML-KEM (Node 24 and later) the primitives are native and print no
 * warning; browsers that know the algorithm use WebCrypto; elsewhere `@noble/post-quantum` is loaded. All three
 * make the same bytes.
 */
import { KEM_MLKEM768_X25519 } from "hpke";
import { builtin } from "./builtin.ts";
import type { Bytes } from "./encoding.ts";
import { type KemCrypto, nodeKem } from "./kem-node.ts";
import { type Kem, xwing } from "./xwing.ts";

export type KemProvider = "node" | "webcrypto" | "noble";

/** Which provider this runtime has, best first. */
export function kemProvider(): KemProvider {
  const node = builtin<KemCrypto>("node:crypto");
  if (node) return typeof node.encapsulate === "function" ? "node" : "noble";
  // Called on its class: it is a static method that looks at `this`.
  const subtle = globalThis.SubtleCrypto as { supports?(use: string, name: string): boolean } | undefined;
  return subtle?.supports?.("generateKey", xwing.name) ? "webcrypto" : "noble";
}

/** The KEM, by `provider` or by the best one that is there. */
export async function loadKem(provider: KemProvider = kemProvider()): Promise<Kem> {
  switch (provider) {
    case "node":
      return nodeKem(builtin<KemCrypto>("node:crypto") as KemCrypto);
    case "webcrypto":
      return { factory: KEM_MLKEM768_X25519, publicKeyOf: webcryptoPublicKey };
    case "noble":
      return (await import("./kem-noble.ts")).nobleKem();
  }
}

// Newer than the type definitions: https://wicg.github.io/webcrypto-modern-algos/
type ModernSubtle = {
  importKey(
    format: string,
    key: Uint8Array,
    name: object,
    extractable: boolean,
    use: string[],
  ): Promise<CryptoKey>;
  getPublicKey(key: CryptoKey, use: string[]): Promise<CryptoKey>;
  exportKey(format: string, key: CryptoKey): Promise<ArrayBuffer>;
};
const modern = () => crypto.subtle as unknown as ModernSubtle;

async function webcryptoPublicKey(seed: Uint8Array): Promise<Bytes> {
  const use = ["decapsulateBits"];
  return nativePublicKey(
    await modern().importKey("raw-seed", Uint8Array.from(seed), { name: xwing.name }, true, use),
  );
}

/** The raw public key of WebCrypto's private key, also of a non-extractable one. */
export async function nativePublicKey(privateKey: CryptoKey): Promise<Bytes> {
  const publicKey = await modern().getPublicKey(privateKey, []);
  return new Uint8Array(await modern().exportKey("raw-public", publicKey));
}
