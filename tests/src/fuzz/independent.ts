/**
 * A second reading of the same bytes, written apart from Guard's: what Guard accepts has to be accepted here,
 * and to mean the same. Canonical JSON is read character by character, base64url by Buffer.
 */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

class NotCanonical extends Error {}

/** The value of a canonical JSON text (RFC 8785), nested at most 64 deep; undefined where it is none. */
export function canonicalReading(text: string): Json | undefined {
  let at = 0;
  const refuse = (): never => {
    throw new NotCanonical();
  };
  try {
    const value = read(0);
    return at === text.length ? value : undefined;
  } catch (error) {
    if (error instanceof NotCanonical) return undefined;
    throw error;
  }

  function take(token: string): boolean {
    if (!text.startsWith(token, at)) return false;
    at += token.length;
    return true;
  }

  function read(depth: number): Json {
    for (const [token, value] of [
      ["null", null],
      ["true", true],
      ["false", false],
    ] as const)
      if (take(token)) return value;
    if (text[at] === '"') return string();
    if (take("[")) {
      if (depth >= 64) refuse();
      const list: Json[] = [];
      if (take("]")) return list;
      do list.push(read(depth + 1));
      while (take(","));
      return take("]") ? list : refuse();
    }
    if (take("{")) {
      if (depth >= 64) refuse();
      const members = new Map<string, Json>();
      let last: string | null = null;
      if (take("}")) return {};
      do {
        const key = string();
        if (last !== null && !(last < key)) refuse();
        last = key;
        if (!take(":")) refuse();
        members.set(key, read(depth + 1));
      } while (take(","));
      return take("}") ? (Object.fromEntries(members) as { [key: string]: Json }) : refuse();
    }
    const number = /-?\d[\d.e+-]*/y;
    number.lastIndex = at;
    const found = number.exec(text)?.[0] ?? refuse();
    // ECMAScript's shortest spelling of a finite number is RFC 8785's; it has no -0.
    if (String(Number(found)) !== found || !Number.isFinite(Number(found))) refuse();
    at += found.length;
    return Number(found);
  }

  function string(): string {
    if (!take('"')) refuse();
    let value = "";
    while (!take('"')) {
      const code = text.codePointAt(at) ?? refuse();
      const character = String.fromCodePoint(code);
      if (code < 0x20 || (code >= 0xd800 && code <= 0xdfff)) refuse();
      at += character.length;
      value += character === "\\" ? escaped() : character;
    }
    return value;
  }

  function escaped(): string {
    const short = { '"': '"', "\\": "\\", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
    for (const [letter, meaning] of Object.entries(short)) if (take(letter)) return meaning;
    const found = /^u00(0[0-7be-f]|1[0-9a-f])/.exec(text.slice(at, at + 5)) ?? refuse();
    at += 5;
    return String.fromCharCode(Number.parseInt(found[1] as string, 16));
  }
}

/** Whether a text is the base64url form of some bytes (of `length` bytes, where it is given). */
export function isBase64url(text: unknown, length?: number): boolean {
  if (typeof text !== "string") return false;
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text && (length === undefined || bytes.length === length);
}
