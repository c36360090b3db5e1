import { ValidationError, VerificationError } from "@guard/core";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plaintext as elsewhere, sealedElsewhere, sealedInRoundThree } from "./crypto.cases.ts";
import { openDecision, type SealedDecision, sealDecision } from "./crypto.ts";
import { decodeDecision, encodeDecision } from "./json.ts";
import { kemProvider } from "./kem.ts";

const { publicKey, secretKey } = ml_kem768.keygen(Uint8Array.from({ length: 64 }, (_, i) => i));
const text = new TextEncoder().encode("pay 1 wei");
const providers = [...new Set([kemProvider(), "noble" as const])];
const pairs = providers.flatMap((from) => providers.map((to) => [from, to] as const));
const fromBase64url = (value: string) => Uint8Array.from(Buffer.from(value, "base64url"));
const decoded = (sealed: { readonly [K in keyof SealedDecision]: string }): SealedDecision => ({
  kemCiphertext: fromBase64url(sealed.kemCiphertext),
  nonce: fromBase64url(sealed.nonce),
  ciphertext: fromBase64url(sealed.ciphertext),
});
const flipped = (data: Uint8Array, bit: number) =>
  data.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));

describe("a sealed decision", () => {
  it.each(pairs)("sealed with %s opens with %s, whatever the bytes", async (from, to) => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const sealed = await sealDecision(publicKey, bytes, { provider: from });
        expect(sealed.kemCiphertext).toHaveLength(1088);
        expect(sealed.nonce).toHaveLength(12);
        expect(sealed.ciphertext).toHaveLength(bytes.length + 16);
        expect(await openDecision(secretKey, sealed, { provider: to })).toEqual(Uint8Array.from(bytes));
      }),
      { numRuns: 25 },
    );
  });

  it("is any JSON, BigInts with all their digits", async () => {
    const big = fc.bigInt({ min: 2n ** 53n, max: 2n ** 300n }).map((n) => ({ wei: n, owed: -n }));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue({ noUnicodeString: false }), big), async (value) => {
        const bytes = encodeDecision(value);
        const opened = await openDecision(secretKey, await sealDecision(publicKey, bytes));
        expect(opened).toEqual(bytes);
        expect(encodeDecision(decodeDecision(opened))).toEqual(bytes);
      }),
      { numRuns: 60 },
    );
    expect(decodeDecision(encodeDecision({ wei: 10n ** 30n, small: 5 }))).toEqual({
      wei: 10n ** 30n,
      small: 5,
    });
    expect(new TextDecoder().decode(encodeDecision({ wei: 10n ** 20n }))).toBe(
      '{"wei":100000000000000000000}',
    );
  });

  it("has a key and a nonce of its own every time", async () => {
    const sealed = await Promise.all(Array.from({ length: 20 }, () => sealDecision(publicKey, text)));
    for (const part of ["kemCiphertext", "nonce", "ciphertext"] as const) {
      expect(new Set(sealed.map((one) => Buffer.from(one[part]).toString("hex"))).size).toBe(20);
    }
  });

  it.each(Object.entries(sealedElsewhere))("of %s opens", async (_library, sealed) => {
    for (const provider of providers) {
      const opened = await openDecision(secretKey, decoded(sealed), { provider });
      expect(new TextDecoder().decode(opened)).toBe(elsewhere);
      expect(decodeDecision(opened)).toMatchObject({ args: { amountWei: 12345678901234567890n } });
    }
  });
});

describe.each(providers)("%s refuses", (provider) => {
  const seal = () => sealDecision(publicKey, text, { provider });
  const open = (sealed: SealedDecision) => openDecision(secretKey, sealed, { provider });

  it("a device's key of another length, or past the modulus", async () => {
    for (const length of [0, 32, 1183, 1185, 1216]) {
      await expect(sealDecision(new Uint8Array(length), text, { provider })).rejects.toThrow(
        `has 1184 bytes; this one has ${length}`,
      );
    }
    const wrong = sealDecision(new Uint8Array(1184).fill(0xff), text, { provider });
    await expect(wrong).rejects.toBeInstanceOf(ValidationError);
    await expect(wrong).rejects.toThrow("not below the modulus");
  });

  it("an own key of another length, or damaged", async () => {
    const sealed = await seal();
    for (const length of [0, 64, 2399, 2401]) {
      const opened = openDecision(new Uint8Array(length), sealed, { provider });
      await expect(opened).rejects.toThrow(`secret key has ${length} bytes`);
    }
    const damaged = flipped(secretKey, 2350 * 8);
    await expect(openDecision(damaged, sealed, { provider })).rejects.toBeInstanceOf(ValidationError);
  });

  it.each<[string, (sealed: SealedDecision) => Partial<SealedDecision>]>([
    ["a cut kemCiphertext", ({ kemCiphertext }) => ({ kemCiphertext: kemCiphertext.subarray(1) })],
    ["a longer kemCiphertext", () => ({ kemCiphertext: new Uint8Array(1089) })],
    ["an empty kemCiphertext", () => ({ kemCiphertext: new Uint8Array(0) })],
    ["a nonce of 11 bytes", ({ nonce }) => ({ nonce: nonce.subarray(1) })],
    ["a nonce of 16 bytes", () => ({ nonce: new Uint8Array(16) })],
    ["an empty nonce", () => ({ nonce: new Uint8Array(0) })],
    ["less than a tag", ({ ciphertext }) => ({ ciphertext: ciphertext.subarray(-15) })],
    ["no ciphertext", () => ({ ciphertext: new Uint8Array(0) })],
    ["the tag alone", ({ ciphertext }) => ({ ciphertext: ciphertext.subarray(-16) })],
    ["a cut ciphertext", ({ ciphertext }) => ({ ciphertext: ciphertext.subarray(0, -1) })],
    ["a longer ciphertext", ({ ciphertext }) => ({ ciphertext: Uint8Array.from([...ciphertext, 0]) })],
    ["another message's nonce", () => ({ nonce: new Uint8Array(12) })],
  ])("%s", async (_name, change) => {
    const sealed = await seal();
    await expect(open({ ...sealed, ...change(sealed) })).rejects.toBeInstanceOf(VerificationError);
  });

  it("a bit flipped anywhere, and what was sealed to another device", async () => {
    const sealed = await seal();
    const bitOf = (bytes: Uint8Array) => fc.nat(bytes.length * 8 - 1);
    await fc.assert(
      fc.asyncProperty(
        bitOf(sealed.kemCiphertext),
        bitOf(sealed.nonce),
        bitOf(sealed.ciphertext),
        async (inKem, inNonce, inCiphertext) => {
          for (const changed of [
            { ...sealed, kemCiphertext: flipped(sealed.kemCiphertext, inKem) },
            { ...sealed, nonce: flipped(sealed.nonce, inNonce) },
            { ...sealed, ciphertext: flipped(sealed.ciphertext, inCiphertext) },
          ]) {
            await expect(open(changed)).rejects.toThrow("not sealed to this device's key, or it was changed");
          }
        },
      ),
      { numRuns: 15 },
    );
    const other = await sealDecision(ml_kem768.keygen().publicKey, text, { provider });
    await expect(open(other)).rejects.toBeInstanceOf(VerificationError);
  });

  it("what was sealed with Kyber's round 3, and says so", async () => {
    const opened = open(decoded(sealedInRoundThree));
    await expect(opened).rejects.toBeInstanceOf(VerificationError);
    await expect(opened).rejects.toThrow(/Kyber of round 3.*not opened.*pqcrypto-kyber before 0\.8/s);
  });
});

describe("JSON refuses", () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  it.each([
    ["nothing", undefined],
    ["a function", () => 1],
    ["a number that would become null", { amount: Number.NaN }],
    ["infinity", [Number.POSITIVE_INFINITY]],
    ["a circle", circle],
  ])("%s", (_name, value) => {
    expect(() => encodeDecision(value)).toThrow(ValidationError);
  });

  it.each([
    ["no UTF-8", Uint8Array.of(0x22, 0xff, 0x22)],
    ["no JSON", new TextEncoder().encode("{")],
    ["nothing", new Uint8Array(0)],
  ])("to read %s", (_name, bytes) => {
    expect(() => decodeDecision(bytes)).toThrow(ValidationError);
  });
});
