/** Byte strings at the edge: base64url of one exact length (RFC 4648 §5, no padding), as zod sees it. */
import * as z from "zod/mini";

// What the last character may be, by how many bits of it are used: the others have to be zero (§3.5).
const lastCharacter = { 0: "", 2: "[AQgw]", 4: "[AEIMQUYcgkosw048]" } as const;

/** Matches the base64url forms of exactly `length` bytes, and nothing else. */
export function bytesPattern(length: number): RegExp {
  const bits = length * 8;
  const last = lastCharacter[(bits % 6) as keyof typeof lastCharacter];
  return new RegExp(`^[A-Za-z0-9_-]{${Math.floor(bits / 6)}}${last}$`);
}

/** base64url of exactly `length` bytes. */
export const bytesSchema = (length: number) =>
  z.string().check(z.regex(bytesPattern(length), `base64url of ${length} bytes`));
