/**
 * The KEM of Guard's one suite: MLKEM768-X25519 (0x647a, "X-Wing"; draft-connolly-cfrg-xwing-kem), as a
 * provider for the `hpke` package.
 *
 * Where the process has node:crypto with ML-KEM (Node 24 and later) the primitives are native and print no
 * warning; browsers that know the algorithm use WebCrypto; elsewhere `@panva/hpke-noble` is loaded. All three
 * make the same bytes.
 */
import type { KEM, Key, KeyPair } from "hpke";
import { builtin } from "./builtin.ts";
import { type Bytes, concat } from "./encoding.ts";

type NodeCrypto = typeof import("node:crypto");
type KeyObject = import("node:crypto").KeyObject;
// The KEM calls are newer than the type definitions of the oldest supported Node.
type KemCrypto = NodeCrypto & {
  encapsulate(key: KeyObject): { sharedKey: Uint8Array; ciphertext: Uint8Array };
  decapsulate(key: KeyObject, ciphertext: Uint8Array): Uint8Array;
};

export type KemProvider = "node" | "webcrypto" | "noble";

const mlkemPublic = 1184;
const mlkemCiphertext = 1088;
const label = Uint8Array.of(0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c);
const algorithm = { name: "MLKEM768-X25519" };

/** Which provider this runtime has, best first. */
export function kemProvider(): KemProvider {
  const node = builtin<KemCrypto>("node:crypto");
  if (node) return typeof node.encapsulate === "function" ? "node" : "noble";
  const supports = (
    globalThis.SubtleCrypto as { supports?: (use: string, name: string) => boolean } | undefined
  )?.supports;
  return supports?.("generateKey", algorithm.name) ? "webcrypto" : "noble";
}

/** A KEM for `hpke`, and the public key of a seed, which HPKE itself has no word for. */
export interface Kem {
  readonly factory: () => KEM;
  publicKeyOf(seed: Uint8Array): Promise<Bytes>;
}

/** The KEM, by `provider` or by the best one that is there. */
export async function loadKem(provider: KemProvider = kemProvider()): Promise<Kem> {
  switch (provider) {
    case "node":
      return nodeKem(builtin<KemCrypto>("node:crypto") as KemCrypto);
    case "webcrypto": {
      const { KEM_MLKEM768_X25519 } = await import("hpke");
      return { factory: KEM_MLKEM768_X25519, publicKeyOf: webcryptoPublicKey };
    }
    case "noble": {
      const [{ KEM_MLKEM768_X25519 }, { ml_kem768_x25519 }] = await Promise.all([
        import("@panva/hpke-noble"),
        import("@noble/post-quantum/hybrid.js"),
      ]);
      return {
        factory: KEM_MLKEM768_X25519 as () => KEM,
        publicKeyOf: async (seed) =>
          Uint8Array.from(ml_kem768_x25519.keygen(Uint8Array.from(seed)).publicKey),
      };
    }
  }
}

async function webcryptoPublicKey(seed: Uint8Array): Promise<Bytes> {
  // Newer than the type definitions: https://wicg.github.io/webcrypto-modern-algos/
  const subtle = crypto.subtle as unknown as {
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
  const key = await subtle.importKey("raw-seed", Uint8Array.from(seed), algorithm, true, ["decapsulateBits"]);
  return new Uint8Array(await subtle.exportKey("raw-public", await subtle.getPublicKey(key, [])));
}

interface NodeKey extends Key {
  readonly raw: Bytes;
  readonly mlkem: KeyObject;
  readonly x25519: KeyObject;
  /** Raw public X25519 key, which the combiner hashes. */
  readonly x25519Public: Bytes;
}

function nodeKem(node: KemCrypto): Kem {
  type Input = Parameters<NodeCrypto["createPublicKey"]>[0];
  const rawKey = (raw: Uint8Array, format: string, asymmetricKeyType: string) =>
    ({ key: raw, format, asymmetricKeyType }) as unknown as Input;
  const exported = (key: KeyObject) =>
    Uint8Array.from(key.export({ format: "raw-public" } as never) as unknown as Uint8Array);
  const combine = (...parts: Uint8Array[]) => {
    const hash = node.createHash("sha3-256");
    for (const part of [...parts, label]) hash.update(part);
    return Uint8Array.from(hash.digest());
  };

  const publicKey = (raw: Uint8Array): NodeKey => ({
    type: "public",
    algorithm,
    extractable: true,
    raw: Uint8Array.from(raw),
    mlkem: node.createPublicKey(rawKey(raw.subarray(0, mlkemPublic), "raw-public", "ml-kem-768")),
    x25519: node.createPublicKey(rawKey(raw.subarray(mlkemPublic), "raw-public", "x25519")),
    x25519Public: Uint8Array.from(raw.subarray(mlkemPublic)),
  });
  const keyPair = (seed: Uint8Array, extractable: boolean): KeyPair<NodeKey> => {
    const expanded = node.createHash("shake256", { outputLength: 96 }).update(seed).digest();
    const mlkem = node.createPrivateKey(rawKey(expanded.subarray(0, 64), "raw-seed", "ml-kem-768") as never);
    const x25519 = node.createPrivateKey(rawKey(expanded.subarray(64), "raw-private", "x25519") as never);
    const x25519Public = exported(node.createPublicKey(x25519));
    const raw = concat(exported(node.createPublicKey(mlkem)), x25519Public);
    const privateKey: NodeKey = {
      type: "private",
      algorithm,
      extractable,
      raw: Uint8Array.from(seed),
      mlkem,
      x25519,
      x25519Public,
    };
    return { privateKey, publicKey: publicKey(raw) };
  };

  const kem: KEM<NodeKey> = {
    id: 0x647a,
    type: "KEM",
    name: algorithm.name,
    Nsecret: 32,
    Nenc: mlkemCiphertext + 32,
    Npk: mlkemPublic + 32,
    Nsk: 32,
    // Guard never derives HPKE key pairs by the KEM's own labelled derivation: its seeds are the private keys.
    async DeriveKeyPair() {
      throw new TypeError("Not used: import the 32-byte seed with DeserializePrivateKey.");
    },
    async GenerateKeyPair(extractable) {
      return keyPair(crypto.getRandomValues(new Uint8Array(32)), extractable);
    },
    async SerializePublicKey(key) {
      return Uint8Array.from(key.raw);
    },
    async DeserializePublicKey(raw) {
      return publicKey(raw);
    },
    async SerializePrivateKey(key) {
      return Uint8Array.from(key.raw);
    },
    async DeserializePrivateKey(seed, extractable) {
      return keyPair(seed, extractable).privateKey;
    },
    async Encap(recipient) {
      const { ciphertext, sharedKey } = node.encapsulate(recipient.mlkem);
      const ephemeral = node.generateKeyPairSync("x25519");
      const ephemeralPublic = exported(ephemeral.publicKey);
      const shared = node.diffieHellman({ privateKey: ephemeral.privateKey, publicKey: recipient.x25519 });
      return {
        enc: concat(ciphertext, ephemeralPublic),
        shared_secret: combine(sharedKey, shared, ephemeralPublic, recipient.x25519Public),
      };
    },
    async Decap(enc, own) {
      const ephemeral = enc.subarray(mlkemCiphertext);
      const publicKey = node.createPublicKey(rawKey(ephemeral, "raw-public", "x25519"));
      const shared = node.diffieHellman({ privateKey: own.x25519, publicKey });
      const mlkem = node.decapsulate(own.mlkem, enc.subarray(0, mlkemCiphertext));
      return combine(mlkem, shared, ephemeral, own.x25519Public);
    },
  };
  return {
    factory: () => kem as unknown as KEM,
    publicKeyOf: async (seed) => Uint8Array.from(keyPair(seed, false).publicKey.raw),
  };
}
