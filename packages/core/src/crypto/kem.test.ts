import { ml_kem768_x25519 } from "@noble/post-quantum/hybrid.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VerificationError } from "../errors.ts";
import { base64url, fromBase64url, randomBytes, utf8 } from "./encoding.ts";
import { decryptionKey, hpkeSeal, type Sealed } from "./hpke.ts";
import { sealedElsewhere } from "./kem.cases.ts";
import { kemProvider } from "./kem.ts";
import { fromHex } from "./platform.fixture.ts";

const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
const info = "guard/v1/test";
const aad = utf8("bound to this");
const text = utf8("secret");
const providers = [...new Set([kemProvider(), "noble" as const])];
const pairs = providers.flatMap((from) => providers.map((to) => [from, to] as const));

describe("MLKEM768-X25519", () => {
  it("takes the native primitives where there are any: those of Node 24 and later, or of a browser", () => {
    const [node = 0] = (globalThis.process?.versions?.node ?? "").split(".").map(Number);
    const native = node >= 24 ? "node" : typeof document === "undefined" ? "noble" : "webcrypto";
    expect(kemProvider()).toBe(native);
  });

  it.each(providers)("%s: one seed has one public key", async (provider) => {
    for (const bytes of [seed, randomBytes(32)]) {
      const { publicKey } = await decryptionKey(bytes, provider);
      expect(publicKey).toBe(base64url(ml_kem768_x25519.keygen(bytes).publicKey));
      expect(fromBase64url(publicKey)).toHaveLength(1216);
    }
  });

  it.each(pairs)("%s seals what %s opens", async (from, to) => {
    const key = await decryptionKey(seed, to);
    const publicKey = fromBase64url(key.publicKey);
    const sealed = await hpkeSeal(publicKey, text, { info, aad, provider: from });
    expect(sealed.enc).toHaveLength(1120);
    expect(await key.open(sealed, info, aad)).toEqual(text);
    const again = await hpkeSeal(publicKey, text, { info, aad, provider: from });
    expect(again.enc).not.toEqual(sealed.enc);
  });

  it.skipIf(kemProvider() !== "webcrypto")("a key that never leaves WebCrypto opens, too", async () => {
    const use = ["encapsulateBits", "decapsulateBits"] as unknown as KeyUsage[];
    const made = await crypto.subtle.generateKey({ name: "MLKEM768-X25519" }, false, use);
    const { privateKey } = made as CryptoKeyPair;
    expect(privateKey.extractable).toBe(false);
    const key = await decryptionKey(privateKey);
    const sealed = await hpkeSeal(fromBase64url(key.publicKey), text, { info, aad, provider: "noble" });
    expect(await key.open(sealed, info, aad)).toEqual(text);
    await expect(key.open(sealed, "guard/v1/other", aad)).rejects.toBeInstanceOf(VerificationError);
  });

  it.each(
    Object.entries(sealedElsewhere).flatMap(([from, sealed]) =>
      providers.map((to) => ({ from, to, sealed })),
    ),
  )("$to opens what $from sealed in another runtime", async ({ to, sealed }) => {
    const key = await decryptionKey(seed, to);
    const [enc, ciphertext] = [fromBase64url(sealed.enc), fromBase64url(sealed.ciphertext)];
    expect(await key.open({ enc, ciphertext }, info, aad)).toEqual(text);
  });
});

describe.each(providers)("bad-ciphertext (%s): what cannot be opened is a VerificationError", (provider) => {
  const opened = async (
    change: (sealed: Sealed) => Partial<Sealed>,
    use: { info?: string; aad?: Uint8Array } = {},
  ) => {
    const key = await decryptionKey(seed, provider);
    const sealed = await hpkeSeal(fromBase64url(key.publicKey), text, { info, aad, provider });
    return key.open({ ...sealed, ...change(sealed) }, use.info ?? info, use.aad ?? aad);
  };
  const flipped = (bytes: Uint8Array<ArrayBuffer>, bit: number) => {
    const copy = Uint8Array.from(bytes);
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
    return copy;
  };
  // Points of small order on Curve25519 (RFC 7748 §6.1: the shared secret would be all zeros).
  const points = [
    new Uint8Array(32),
    Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0)),
    fromHex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 0xec : i === 31 ? 0x7f : 0xff)),
  ];
  const withPoint = (enc: Uint8Array<ArrayBuffer>, point: Uint8Array) => {
    const copy = Uint8Array.from(enc);
    copy.set(point, 1088);
    return copy;
  };

  it.each<[string, (sealed: Sealed) => Partial<Sealed>]>([
    ["an empty enc", () => ({ enc: new Uint8Array(0) })],
    ["an empty ciphertext", () => ({ ciphertext: new Uint8Array(0) })],
    ["a cut enc", ({ enc }) => ({ enc: enc.slice(0, -1) })],
    ["an enc without its X25519 part", ({ enc }) => ({ enc: enc.slice(0, 1088) })],
    ["a longer enc", ({ enc }) => ({ enc: Uint8Array.from([...enc, 0]) })],
    ["a cut ciphertext", ({ ciphertext }) => ({ ciphertext: ciphertext.slice(0, -1) })],
    ["a tag and nothing else", ({ ciphertext }) => ({ ciphertext: ciphertext.slice(-16) })],
    ["less than a tag", ({ ciphertext }) => ({ ciphertext: ciphertext.slice(0, 15) })],
    ["a longer ciphertext", ({ ciphertext }) => ({ ciphertext: Uint8Array.from([...ciphertext, 0]) })],
    ["a huge ciphertext", () => ({ ciphertext: new Uint8Array(1 << 20) })],
    ["enc and ciphertext of different messages", () => ({ enc: randomBytes(1120) })],
    ["the high bit of the X25519 point", ({ enc }) => ({ enc: flipped(enc, 1120 * 8 - 1) })],
    ...points.map(
      (point, i) =>
        [`low-order point ${i}`, ({ enc }: Sealed) => ({ enc: withPoint(enc, point) })] as [
          string,
          (sealed: Sealed) => Partial<Sealed>,
        ],
    ),
  ])("%s", async (_name, change) => {
    await expect(opened(change)).rejects.toBeInstanceOf(VerificationError);
  });

  it("the wrong info, AAD or key", async () => {
    await expect(opened(() => ({}), { info: "guard/v1/other" })).rejects.toBeInstanceOf(VerificationError);
    await expect(opened(() => ({}), { aad: utf8("bound to that") })).rejects.toBeInstanceOf(
      VerificationError,
    );
    const other = await decryptionKey(randomBytes(32), provider);
    const sealed = await hpkeSeal(fromBase64url(other.publicKey), text, { info, aad, provider });
    await expect(opened(() => sealed)).rejects.toBeInstanceOf(VerificationError);
  });

  it("a bit flipped anywhere", async () => {
    const key = await decryptionKey(seed, provider);
    const sealed = await hpkeSeal(fromBase64url(key.publicKey), text, { info, aad, provider });
    const runs = provider === "noble" ? 6 : 60;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1120 * 8 - 1),
        fc.nat((text.length + 16) * 8 - 1),
        async (inEnc, inCiphertext) => {
          const changed = [
            { ...sealed, enc: flipped(sealed.enc, inEnc) },
            { ...sealed, ciphertext: flipped(sealed.ciphertext, inCiphertext) },
          ];
          for (const wrong of changed) {
            await expect(key.open(wrong, info, aad)).rejects.toBeInstanceOf(VerificationError);
          }
        },
      ),
      { numRuns: runs },
    );
  });

  it("a public key that is none cannot be sealed to", async () => {
    // Coefficients past q: the modulus check of FIPS 203 §7.2.
    const pastModulus = new Uint8Array(1216).fill(0xff);
    for (const wrong of [pastModulus, new Uint8Array(1215), new Uint8Array(0)]) {
      await expect(hpkeSeal(wrong, text, { info, aad, provider })).rejects.toBeInstanceOf(VerificationError);
    }
  });
});
