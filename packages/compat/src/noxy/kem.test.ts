import { readFileSync } from "node:fs";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { describe, expect, it } from "vitest";
import { kemProvider, loadKem, sizes } from "./kem.ts";

const folder = new URL("../../../../vectors/mlkem768/", import.meta.url);
/** The lines `name = hex` of a vector file; the longer forms between them are not hex, and stay out. */
function vector(file: string): Record<string, Uint8Array> {
  const text = readFileSync(new URL(file, folder), "utf8");
  const lines = text.matchAll(/^(\S+) = ([0-9a-f]+)$/gm);
  return Object.fromEntries(
    [...lines].map(([, name, hex]) => [name, Uint8Array.from(Buffer.from(hex as string, "hex"))]),
  );
}
const bytes = (value: Uint8Array | undefined) => value as Uint8Array;

const providers = [...new Set([kemProvider(), "noble" as const])];
const pairs = providers.flatMap((from) => providers.map((to) => [from, to] as const));

describe("ML-KEM-768", () => {
  it("is the process's own from Node 24 on", () => {
    const [major = 0] = process.versions.node.split(".").map(Number);
    expect(kemProvider()).toBe(major >= 24 ? "node" : "noble");
  });

  // The vectors' keys were made of their seeds as the draft of August 2023 did it, without the byte that FIPS 203 adds.
  // No seed is on this wire: keys go over it expanded, and what is made with them is the same in both.
  it.each(["intermediate.txt", "unluckysample.txt"])("%s: encapsulates as FIPS 203 does", (file) => {
    const { m, ek, c, K } = vector(file);
    expect(ml_kem768.encapsulate(bytes(ek), bytes(m))).toEqual({ cipherText: c, sharedSecret: K });
  });

  describe.each(providers)("%s", (provider) => {
    it.each(["intermediate.txt", "unluckysample.txt", "strcmp.txt"])("%s: decapsulates", async (file) => {
      const { dk, c, K } = vector(file);
      const kem = await loadKem(provider);
      expect(Uint8Array.from(kem.decapsulate(bytes(dk), bytes(c)))).toEqual(K);
    });

    it("refuses keys that are none, by the checks of FIPS 203", async () => {
      const kem = await loadKem(provider);
      const { publicKey, secretKey } = ml_kem768.keygen();
      const { ciphertext } = kem.encapsulate(publicKey);
      // The first coefficient becomes 3329, the modulus itself, and 4095; and the hash within a secret key another one.
      for (const [low, high] of [
        [0x01, 0x0d],
        [0xff, 0x0f],
      ] as const) {
        const wrong = Uint8Array.from(publicKey);
        wrong.set([low, ((wrong[1] as number) & 0xf0) | high]);
        expect(() => kem.encapsulate(wrong)).toThrow();
      }
      const damaged = Uint8Array.from(secretKey);
      damaged[sizes.secretKey - 40] = (damaged[sizes.secretKey - 40] as number) ^ 1;
      expect(() => kem.decapsulate(damaged, ciphertext)).toThrow();
      for (const wrong of [publicKey.subarray(1), new Uint8Array(0)]) {
        expect(() => kem.encapsulate(wrong)).toThrow();
      }
    });
  });

  it.each(pairs)("%s encapsulates what %s decapsulates", async (from, to) => {
    const [encapsulating, decapsulating] = await Promise.all([loadKem(from), loadKem(to)]);
    for (let i = 0; i < 10; i++) {
      const { publicKey, secretKey } = ml_kem768.keygen();
      const { sharedSecret, ciphertext } = encapsulating.encapsulate(publicKey);
      expect(ciphertext).toHaveLength(sizes.ciphertext);
      const opened = decapsulating.decapsulate(secretKey, ciphertext);
      expect(Buffer.from(opened).equals(sharedSecret)).toBe(true);
    }
  });
});
