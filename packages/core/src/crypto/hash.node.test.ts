import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
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

test("SHA-256, HMAC and HKDF make the same bytes with node:crypto and without it", async () => {
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
    }),
  );
  expect(hex(noble.hkdf(utf8("secret"), "", 42))).toBe(hex(native.hkdf(utf8("secret"), "", 42)));
});
