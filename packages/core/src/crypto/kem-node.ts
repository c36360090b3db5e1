/**
 * MLKEM768-X25519 over node:crypto, which has both halves natively from Node 24 on and prints no warning.
 *
 * The construction is draft-connolly-cfrg-xwing-kem §5: a 32-byte seed expands to both private keys, and the
 * combiner hashes both shared secrets with the X25519 ciphertext and public key.
 */
import type { KEM, KeyPair } from "hpke";
import { type Bytes, concat } from "./encoding.ts";
import { type Kem, type RawKey, xwing } from "./xwing.ts";

type NodeCrypto = typeof import("node:crypto");
type KeyObject = import("node:crypto").KeyObject;
/** The KEM calls are newer than the type definitions of the oldest supported Node. */
export type KemCrypto = NodeCrypto & {
  encapsulate(key: KeyObject): { sharedKey: Uint8Array; ciphertext: Uint8Array };
  decapsulate(key: KeyObject, ciphertext: Uint8Array): Uint8Array;
};

const mlkemPublic = 1184;
const mlkemCiphertext = 1088;
const label = Uint8Array.of(0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c);
const algorithm = { name: xwing.name };

interface NodeKey extends RawKey {
  readonly mlkem: KeyObject;
  readonly x25519: KeyObject;
  /** Raw public X25519 key, which the combiner hashes. */
  readonly x25519Public: Bytes;
}

export function nodeKem(node: KemCrypto): Kem {
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
    ...xwing,
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
