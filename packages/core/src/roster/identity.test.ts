import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ValidationError } from "../errors.ts";
import { normaliseIdentity, skeleton } from "./identity.ts";

describe("one-person-quorum: one person has one spelling", () => {
  it.each([
    ["alice@example.com", "alice@example.com"],
    ["Alice@Example.COM", "alice@example.com"],
    [" alice@example.com\n", "alice@example.com"],
    ["\ufeffalice@example.com", "alice@example.com"],
    ["+49 30 1234567", "+49301234567"],
    ["+49 (30) 123-45.67", "+49301234567"],
    ["0xAbCdEf0123456789aBcDeF0123456789AbCdEf01", "0xabcdef0123456789abcdef0123456789abcdef01"],
    ["0XABCDEF0123456789ABCDEF0123456789ABCDEF01", "0xabcdef0123456789abcdef0123456789abcdef01"],
    ["jose\u0301@example.com", "jos\u00e9@example.com"],
    ["J\u030c@example.com", "\u01f0@example.com"],
    ["user_42", "user_42"],
    ["User_42", "User_42"],
    ["auth0|5f7c8ec7c33c6c004bbafe82", "auth0|5f7c8ec7c33c6c004bbafe82"],
    ["иван@пример.рф", "иван@пример.рф"],
    ["иван@example.com", "иван@example.com"],
    ["山田@example.co.jp", "山田@example.co.jp"],
  ])("%j is %j", (given, expected) => {
    expect(normaliseIdentity(given)).toBe(expected);
  });

  it.each([
    ["nothing", ""],
    ["white space alone", " \t"],
    ["white space within", "alice smith"],
    ["a no-break space", "alice\u00a0smith"],
    ["a new line", "alice\nsmith"],
    ["a zero-width space", "ali\u200bce@example.com"],
    ["a zero-width joiner", "ali\u200dce@example.com"],
    ["a soft hyphen", "ali\u00adce@example.com"],
    ["a bidi override", "alice\u202e@example.com"],
    ["a variation selector", "alice\ufe0f@example.com"],
    ["a tag character", "alice\u{e0041}@example.com"],
    ["a Hangul filler", "alice\u3164@example.com"],
    ["NUL", "alice\0"],
    ["a private character", "alice\ue000"],
    ["a lone surrogate", "alice\ud800"],
    ["Cyrillic in Latin", "аlice@example.com"],
    ["Cyrillic in the domain", "alice@exаmple.com"],
    ["Greek in Latin", "al\u03b9ce@example.com"],
    ["321 characters", "a".repeat(321)],
    ["no text", 42 as unknown as string],
  ])("%s is refused", (_name, given) => {
    expect(() => normaliseIdentity(given)).toThrow(ValidationError);
  });

  it("property: normalising again changes nothing", () => {
    const text = fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }), fc.emailAddress());
    fc.assert(
      fc.property(text, fc.constantFrom("", "@example.com"), (name, domain) => {
        let once: string;
        try {
          once = normaliseIdentity(name + domain);
        } catch (error) {
          if (error instanceof ValidationError) return;
          throw error;
        }
        expect(normaliseIdentity(once)).toBe(once);
        expect(once).toBe(once.normalize("NFC"));
        expect(normaliseIdentity(` ${once} `)).toBe(once);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("look-alikes have one skeleton", () => {
  it.each([
    ["alice@example.com", "аӏісе@example.com"],
    ["alice", "Alice"],
    ["alice", "ａｌｉｃｅ"],
    ["alice", "alícé"],
    ["pay", "рау"],
    ["nov", "ηον".replace("η", "п")],
    ["istanbul", "İstanbul"],
    ["office", "o\ufb03ce"],
  ])("%s and %s", (one, other) => {
    expect(skeleton(other)).toBe(skeleton(one));
  });

  it("and others do not", () => {
    expect(skeleton("alice@example.com")).not.toBe(skeleton("alicia@example.com"));
    expect(skeleton("иван")).not.toBe(skeleton("ivan"));
  });
});
