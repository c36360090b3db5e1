import { base64url, fromBase64url, hexDigestOf, type Json } from "@guard/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { suspicious, uninspectable } from "./inspect.ts";

const unsafe = /[\p{C}\u2028\u2029\u2800\p{Default_Ignorable_Code_Point}]/u;
const why = (value: Json) => uninspectable(value).map((found) => found.why);
const bytes = (least: number, most: number) => fc.uint8Array({ minLength: least, maxLength: most });
const base64 = (data: Uint8Array) => btoa(String.fromCharCode(...data));
const hex = (data: Uint8Array) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
const prose =
  "Please refund order 4711 (EUR 900.00) to bob@example.com; the parcel never arrived. See /var/log/orders/2026.";

describe("uninspectable-args", () => {
  test("random bytes in any common coding are found, wherever they stand", () => {
    const coding = fc.constantFrom<(data: Uint8Array) => Json>(
      base64,
      base64url,
      hex,
      (data) => hex(data).replace(/../g, "$& ").trim(),
      (data) => base64(data).replace(/.{64}/g, "$&\n"),
      (data) => `{"file":"${base64(data)}","note":"${prose}"}`,
      (data) => `data:application/pdf;base64,${base64(data)}`,
      (data) => [...data],
      (data) => Object.fromEntries(data.entries()),
      (data) => ({ type: "Buffer", data: [...data] }),
    );
    fc.assert(
      fc.property(bytes(200, 400), coding, fc.string({ minLength: 1 }), (data, code, name) => {
        // Bytes that say one thing over and over are no bytes that anybody would hide something in.
        fc.pre(new Set(data).size > 64);
        const found = uninspectable({ note: prose, list: [{ [name]: code(data) }] });
        expect(found).toHaveLength(1);
        for (const { path, why, sha256 } of found) {
          expect(path.startsWith("$.list[0]")).toBe(true);
          expect(path + why).not.toMatch(unsafe);
          expect(sha256).toMatch(/^[0-9a-f]{64}$/);
        }
      }),
    );
  });

  test("bytes that were read as text are found", () => {
    fc.assert(
      fc.property(bytes(100, 400), (data) => {
        fc.pre(new Set(data).size > 64);
        expect(why({ body: new TextDecoder().decode(data) })).toEqual(["binary data"]);
      }),
    );
  });

  test("what people read every day is not flagged", () => {
    const word = fc.constantFrom("refund", "Bob", "order-4711", "src/deep/folder/file.test.ts", "don't", "é");
    const id = fc.constantFrom(
      "0b7e2c1e-6d3f-4b8a-9f57-1c2d3e4f5a6b",
      "sk-7Yd93kfQ",
      hexDigestOf("one digest"),
      "https://shop.example/blog/2026/11/how-we-came-to-write-down-every-word-that-we-had-to-look-up-in-a-dictionary-twice",
      "   const x = { a: 1 };\n\tif (x) return;\n",
      "订单已经退款。".repeat(90),
      "👩‍👩‍👧 ❤️ 1️⃣",
    );
    const line = fc.array(fc.oneof(word, fc.string({ maxLength: 20, unit: "grapheme-ascii" })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(line, id, (words, id) => {
        expect(uninspectable({ text: words.join(" "), id, list: [1, 2, 3], prose })).toEqual([]);
      }),
    );
  });

  test.each<[string, Json, string]>([
    ["a data URL, however short", "data:image/png;base64,iVBO", "a data URL (image/png)"],
    ["a data URL without a type", "data:,hello", "a data URL (text/plain)"],
    ["a long text", `${prose} `.repeat(200), "a very long text"],
    ["a long list", Array.from({ length: 1001 }, () => "x"), "a list of 1001 members"],
    ["ascii85", "9jqo^BlbD-BleB1DJ+*+F(f,q/0JhKF<GL>".repeat(20), "a text without a space in 500 characters"],
    ["a NUL", "abc\0def", "binary data"],
  ])("%s", (_name, value, reason) => expect(why({ value })).toEqual([reason]));

  test("what is named can be compared with a file", () => {
    const text = `${prose}é `.repeat(200);
    const [found] = uninspectable([text]);
    const { length } = fromBase64url(base64url(new TextEncoder().encode(text)));
    expect(found).toEqual({
      path: "$[0]",
      why: "a very long text",
      bytes: length,
      sha256: hexDigestOf(text),
    });
  });

  test("a name that nobody can read is found too", () => {
    const data = base64(Uint8Array.from({ length: 200 }, (_, i) => (i * 89) % 251));
    expect(why({ [data]: 1 })).toEqual(["encoded or encrypted text"]);
  });
});

describe("hidden-characters", () => {
  const hidden = fc.constantFrom(
    "\u001b",
    "\u0007",
    "\u200b",
    "\u200d",
    "\u202e",
    "\u2066",
    "\u{e0041}",
    "\ufe0f",
    "\u{e0101}",
    "\u00ad",
    "\u3164",
    "\u2028",
    "\u00a0",
    "\u2800",
    "\ue000",
    " ".repeat(40),
  );

  test("whatever a screen does not draw is named, in values and in names", () => {
    const ascii = fc.string({ unit: "grapheme-ascii" });
    fc.assert(
      fc.property(hidden, ascii, ascii, fc.boolean(), (evil, before, after, asName) => {
        const text = before + evil + after;
        const value: Json = asName ? { list: [{ [text]: 1 }] } : { list: [{ to: text }] };
        const found = suspicious(value).filter(({ kind }) => kind === "hidden");
        expect(found).toHaveLength(1);
        for (const { path, text: said } of found) expect(path + said).not.toMatch(unsafe);
      }),
    );
  });

  test("a selector or joiner that is part of no emoji is named, however many emoji stand around it", () => {
    expect(suspicious("❤️ 👩‍👩‍👧 👍🏽‍")).toEqual([
      { path: "$", kind: "hidden", text: "hidden characters (U+200D)" },
    ]);
    expect(suspicious("😀️️️")).toHaveLength(1);
  });

  test("marks that would be drawn over other text are named", () => {
    for (const covering of [`pay 9${"\u0338".repeat(5)}00`, "\u0336100"]) {
      expect(suspicious({ covering })).toEqual([
        { path: "$.covering", kind: "hidden", text: "hidden characters (marks that cover others)" },
      ]);
    }
    expect(suspicious({ written: "ti\u0302\u0301ng" })).toEqual([]);
  });

  test("ordinary text is not", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-ascii" }), (text) => {
        fc.pre(!/ {40}/.test(text));
        expect(
          suspicious({ text, code: "if (x) {\n\treturn 1;\r\n}", name: "Zoë Müller", emoji: "❤️ 👩‍👩‍👧" }),
        ).toEqual([]);
      }),
    );
  });

  test("look-alikes are named where they stand", () => {
    expect(suspicious({ payments: [{ to: "pаypal" }] })).toEqual([
      {
        path: "$.payments[0].to",
        kind: "homograph",
        text: "pаypal (Latin and Cyrillic letters) looks like paypal",
      },
    ]);
  });
});
