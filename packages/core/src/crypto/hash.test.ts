import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { hex, utf8 } from "./encoding.ts";
import * as native from "./hash.ts";

/** The same module in a process without node:crypto, as in a browser. */
async function portable(): Promise<typeof native> {
  vi.resetModules();
  const hidden = vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined);
  try {
    return await import("./hash.ts");
  } finally {
    hidden.mockRestore();
  }
}

afterEach(() => {
  vi.resetModules();
});

describe("SHA-256, HMAC and HKDF", () => {
  it("make the same bytes with node:crypto and without it", async () => {
    const noble = await portable();
    expect(noble.sha256).not.toBe(native.sha256);
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(bytes, bytes, fc.string({ unit: "grapheme" }), (key, data, text) => {
        expect(noble.sha256(data)).toEqual(native.sha256(data));
        expect(noble.hmacSha256(key, data)).toEqual(native.hmacSha256(key, data));
        expect(noble.hkdf(key, text, 64)).toEqual(native.hkdf(key, text, 64));
        expect(noble.digestOf(text)).toBe(native.digestOf(text));
        expect(noble.hexDigestOf(text)).toBe(native.hexDigestOf(text));
        expect(hex(native.sha256(data))).toBe(createHash("sha256").update(data).digest("hex"));
        expect(hex(native.hmacSha256(key, data))).toBe(createHmac("sha256", key).update(data).digest("hex"));
      }),
    );
  });

  it.each([
    ["with node:crypto", async () => native],
    ["without it", portable],
  ])("HKDF is RFC 5869's (test case 3), %s", async (_name, load) => {
    const { hkdf } = await load();
    expect(hex(hkdf(new Uint8Array(22).fill(0x0b), "", 42))).toBe(
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    );
  });

  it("a digest is 43 characters of base64url over UTF-8", () => {
    expect(native.digestOf("")).toBe("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    expect(native.digestOf("é")).toBe(createHash("sha256").update(utf8("é")).digest("base64url"));
    expect(native.hexDigestOf("abc")).toMatch(/^ba7816bf8f01cfea/);
  });
});
