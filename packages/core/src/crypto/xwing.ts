/** What every provider of the KEM has in common: its name, its sizes and the shape of its keys. */
import type { KEM, Key } from "hpke";
import type { Bytes } from "./encoding.ts";

/** Name and sizes in bytes (draft-connolly-cfrg-xwing-kem §5.2) that every provider has. */
export const xwing = {
  id: 0x647a,
  type: "KEM",
  name: "MLKEM768-X25519",
  Nsecret: 32,
  Nenc: 1120,
  Npk: 1216,
  Nsk: 32,
} as const;

/** A key of `hpke` whose bytes are at hand: the public key, or the seed of the private one. */
export interface RawKey extends Key {
  readonly raw: Bytes;
}

/** A KEM for `hpke`, and the public key of a seed, which HPKE itself has no word for. */
export interface Kem {
  readonly factory: () => KEM;
  publicKeyOf(seed: Uint8Array): Promise<Bytes>;
}
