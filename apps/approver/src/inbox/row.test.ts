import { describe, expect, test } from "vitest";
import { preview } from "./row.tsx";

describe("the one line of a request's arguments", () => {
  test("names values, and says what it does not show", () => {
    expect(preview({ order: 1003, note: "late", lines: [1, 2], to: { city: "Bern" }, gift: null })).toBe(
      'order: 1003 · note: "late" · lines: [2 values] · to: {…} · gift: null',
    );
  });

  test("one value is one value", () => {
    expect(preview({ lines: [1], none: [] })).toBe("lines: [1 value] · none: [0 values]");
  });

  test("hidden-characters: shows them, in names too", () => {
    expect(preview({ "a\u202Eb": "x\u200B" })).toBe('a⟨U+202E⟩b: "x⟨U+200B⟩"');
  });

  test("out-of-view: whatever is cut ends in an ellipsis", () => {
    expect(preview({ text: "x".repeat(1000) }).endsWith("…")).toBe(true);
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`n${i}`, i]));
    expect(preview(many).endsWith("…")).toBe(true);
    expect(preview("y".repeat(1000)).endsWith("…")).toBe(true);
  });
});
