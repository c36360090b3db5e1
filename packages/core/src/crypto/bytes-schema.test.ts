import fc from "fast-check";
import { expect, it } from "vitest";
import { isGuardError } from "../errors.ts";
import { bytesPattern } from "./bytes-schema.ts";
import { base64url, fromBase64url } from "./encoding.ts";

const decodes = (text: string, length: number) => {
  try {
    return fromBase64url(text, length).length === length;
  } catch (error) {
    if (isGuardError(error, "validation")) return false;
    throw error;
  }
};

it("canonical-confusion: takes what decodes to that many bytes, and nothing else", () => {
  const lengths = fc.integer({ min: 0, max: 70 });
  const data = fc.uint8Array({ maxLength: 70 });
  const anything = fc.oneof(
    data.map(base64url),
    fc.string({ unit: fc.constantFrom(..."ABQw_-=+\n"), maxLength: 8 }),
    fc
      .tuple(data.map(base64url), fc.constantFrom("", "A", "B", "=", "\n"))
      .map(([text, end]) => text.slice(0, -1) + end),
  );
  fc.assert(
    fc.property(anything, lengths, (text, length) => {
      expect(bytesPattern(length).test(text)).toBe(decodes(text, length));
    }),
    { numRuns: 3000 },
  );
  fc.assert(
    fc.property(data, (bytes) => {
      expect(bytesPattern(bytes.length).test(base64url(bytes))).toBe(true);
    }),
  );
});
