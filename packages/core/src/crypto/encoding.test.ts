import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isGuardError } from "../errors.ts";
import {
  base64url,
  concat,
  equalBytes,
  fromBase64url,
  fromUtf8,
  hex,
  randomBytes,
  utf8,
} from "./encoding.ts";
import { platformBase64url, platformHex } from "./platform.fixture.ts";

const bytes = fc.uint8Array({ maxLength: 100 });

describe("canonical-confusion: one text for one byte string", () => {
  it("writes as the platform does, and reads back", () => {
    fc.assert(
      fc.property(bytes, (data) => {
        const text = base64url(data);
        expect(text).toBe(platformBase64url(data));
        expect(fromBase64url(text)).toEqual(Uint8Array.from(data));
        expect(fromBase64url(text, data.length)).toEqual(Uint8Array.from(data));
        expect(hex(data)).toBe(platformHex(data));
      }),
    );
  });

  it("writes long byte strings", () => {
    const data = randomBytes(60_000);
    expect(base64url(concat(data, data))).toBe(platformBase64url(concat(data, data)));
  });

  it.each([
    ["padding", "AA=="],
    ["bits that are not used", "AB"],
    ["a length that no bytes have", "AAAAA"],
    ["plain base64", "+/AA"],
    ["white space", "AA AA"],
    ["a final newline", "AAAA\n"],
    ["letters of other scripts", "АААА"],
  ])("refuses %s", (_name, text) => {
    expect(() => fromBase64url(text)).toThrow(/Not base64url/);
  });

  it("refuses another length", () => {
    expect(() => fromBase64url("AAAA", 4)).toThrow("Not base64url of 4 bytes.");
  });

  it("whatever the text: the text of those bytes, or a ValidationError", () => {
    const alphabet = fc.constantFrom(..."ABCwxyz0189-_+/= \n");
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: alphabet, maxLength: 12 }));
    fc.assert(
      fc.property(text, (text) => {
        try {
          expect(base64url(fromBase64url(text))).toBe(text);
        } catch (error) {
          if (!isGuardError(error, "validation")) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("refuses what is not UTF-8, and keeps a byte order mark", () => {
    for (const wrong of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
      expect(() => fromUtf8(Uint8Array.from(wrong))).toThrow("Not UTF-8 text.");
    }
    expect(fromUtf8(utf8("\ufeffa"))).toBe("\ufeffa");
  });
});

it("compares bytes", () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      expect(equalBytes(a, b)).toBe(platformHex(a) === platformHex(b));
      expect(equalBytes(a, Uint8Array.from(a))).toBe(true);
    }),
  );
});
