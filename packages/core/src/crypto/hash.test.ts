import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base64url, hex, utf8 } from "./encoding.ts";
import { digestOf, hexDigestOf, hkdf, hmacSha256, sha256 } from "./hash.ts";

const webcrypto = {
  sha256: async (data: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", data)),
  async hmacSha256(raw: Uint8Array<ArrayBuffer>, data: Uint8Array<ArrayBuffer>) {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", raw, algorithm, false, ["sign"]);
    return new Uint8Array(await crypto.subtle.sign("HMAC", key, data));
  },
  async hkdf(secret: Uint8Array<ArrayBuffer>, label: string, length: number) {
    const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
    const use = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: utf8(label) };
    return new Uint8Array(await crypto.subtle.deriveBits(use, key, length * 8));
  },
};

describe("SHA-256, HMAC and HKDF", () => {
  it("make the bytes that WebCrypto makes", async () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 }).map((data) => Uint8Array.from(data));
    await fc.assert(
      fc.asyncProperty(bytes, bytes, fc.string({ unit: "grapheme" }), async (key, data, text) => {
        expect(sha256(data)).toEqual(await webcrypto.sha256(data));
        expect(hmacSha256(key, data)).toEqual(await webcrypto.hmacSha256(key, data));
        expect(hkdf(key, text, 64)).toEqual(await webcrypto.hkdf(key, text, 64));
        const digest = await webcrypto.sha256(utf8(text));
        expect(digestOf(text)).toBe(base64url(digest));
        expect(hexDigestOf(text)).toBe(hex(digest));
      }),
    );
  });

  it("HKDF is RFC 5869's (test case 3)", () => {
    expect(hex(hkdf(new Uint8Array(22).fill(0x0b), "", 42))).toBe(
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    );
  });

  it("a digest is 43 characters of base64url over UTF-8", () => {
    expect(digestOf("")).toBe("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    expect(digestOf("é")).toBe(base64url(sha256(Uint8Array.of(0xc3, 0xa9))));
    expect(hexDigestOf("abc")).toMatch(/^ba7816bf8f01cfea/);
  });
});
