import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { homographs, visible, visibleJson, visibleString } from "./visible.ts";

const drawable = /^[^\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]*$/u;
const strange = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)))
    .map((units) => units.join("")),
);

describe("visible", () => {
  test("hidden-characters: no control, format, separator or lone surrogate is left", () => {
    fc.assert(
      fc.property(strange, (text) => {
        const shown = visible(text);
        expect(shown.replaceAll(" ", "")).toMatch(drawable);
        expect(shown.isWellFormed()).toBe(true);
        expect(shown).not.toContain("    ");
      }),
    );
  });

  test("hidden-characters: only a line feed that was asked for stays", () => {
    fc.assert(
      fc.property(strange, (text) => {
        expect(visible(text, { lines: true }).replaceAll(/[ \n]/g, "")).toMatch(drawable);
      }),
    );
    expect(visible("a\nb\r\nc\rd", { lines: true })).toBe("a\nb\nc⟨U+000D⟩d");
  });

  test("hidden-characters: two texts never look like one", () => {
    fc.assert(
      fc.property(strange, strange, (a, b) => {
        if (a !== b) expect(visible(a)).not.toBe(visible(b));
      }),
    );
    expect(visible("⟨U+202E⟩")).not.toBe(visible("\u202e"));
    expect(visible("⟨9 spaces⟩")).not.toBe(visible(" ".repeat(9)));
  });

  test.each([
    ["\u202egnp.exe", "⟨U+202E⟩gnp.exe"],
    ["pay\u200bpal", "pay⟨U+200B⟩pal"],
    ["a\u{e0041}b", "a⟨U+E0041⟩b"],
    ["a\ufe0fb", "a⟨U+FE0F⟩b"],
    ["a\u2028b", "a⟨U+2028⟩b"],
    ["soft\u00adhyphen", "soft⟨U+00AD⟩hyphen"],
    ["no\u00a0break", "no⟨U+00A0⟩break"],
    ["hangul\u3164filler", "hangul⟨U+3164⟩filler"],
    ["lone \ud800", "lone ⟨U+D800⟩"],
    [`ok${" ".repeat(200)}rm -rf`, "ok⟨200 spaces⟩rm -rf"],
    [`9${"\u0338".repeat(6)}0`, "9\u0338\u0338\u0338\u0338⟨U+0338⟩⟨U+0338⟩0"],
    ["\u0336100", "⟨U+0336⟩100"],
    ["ti\u0302\u0301ng, \u05e9\u05bc\u05c1\u05b8", "ti\u0302\u0301ng, \u05e9\u05bc\u05c1\u05b8"],
    ["Grüße, 世界 🙂", "Grüße, 世界 🙂"],
  ])("hidden-characters: %j", (text, shown) => expect(visible(text)).toBe(shown));

  test.each([
    "\u001b[2J",
    "\u001b]8;;https://x\u0007y\u001b]8;;\u0007",
    "\r",
    "\u0007",
    "\u007f",
    "\u009b31m",
    "\b\b",
  ])("terminal-escape: %j reaches no terminal", (text) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there.
    expect(visible(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  });
});

describe("homographs", () => {
  test("hidden-characters: words that mix scripts or imitate Latin ones are named", () => {
    expect(homographs("pay pаypal now")).toEqual([
      { word: "pаypal", scripts: ["Latin", "Cyrillic"], looksLike: "paypal" },
    ]);
    expect(homographs("to арр")).toMatchObject([{ scripts: ["Cyrillic"], looksLike: "app" }]);
    expect(homographs("Grüße an Иван, 42 α")).toMatchObject([{ word: "α" }]);
    expect(homographs("plain words, 世界")).toEqual([]);
  });
});

describe("visibleJson", () => {
  test("shows every member, in full and in order", () => {
    expect(
      visibleJson({ to: "bob\u202e", note: 'a "b"\n\u0000c', list: [1, null, {}], deep: { x: true } }),
    ).toEqual([
      "{",
      '  "to": "bob⟨U+202E⟩",',
      '  "note": "a \\"b\\"\\n⟨U+0000⟩c",',
      '  "list": [',
      "    1,",
      "    null,",
      "    {}",
      "  ],",
      '  "deep": {',
      '    "x": true',
      "  }",
      "}",
    ]);
  });

  test("terminal-escape: keys are made visible as well", () => {
    expect(visibleJson({ "\u001b[2J": 1 })[1]).toBe('  "⟨U+001B⟩[2J": 1');
    expect(visibleString("a\\nb\nc")).toBe('"a\\\\nb\\nc"');
  });
});
