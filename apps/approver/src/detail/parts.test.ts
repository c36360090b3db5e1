import { type Json, randomBytes } from "@guard/core";
import { type OpenedRequest, uninspectable } from "@guard/device";
import { expect, test } from "vitest";
import { foldedIn } from "./folding.ts";
import { partsOf, partsOfRequest, pieces, shown } from "./parts.ts";

const none = new Set<string>();

test("out-of-view: the pieces of a text are the text, and none is taller than a small screen", () => {
  for (const text of [
    "",
    "short",
    "a b".repeat(2000),
    "\n".repeat(500),
    "x\u202ey".repeat(900),
    "🙂".repeat(700),
  ]) {
    const cut = pieces(text);
    expect(cut.join("")).toBe(shown(text));
    for (const piece of cut) {
      expect([...piece].length).toBeLessThanOrEqual(300);
      expect(piece.split("\n").length).toBeLessThanOrEqual(12);
    }
  }
});

test("lies-in-the-loop: one name is one line, and no space at an end of a text is overlooked", () => {
  expect(pieces("amount: 10\nbonus", { name: true })).toEqual(["amount: 10⟨U+000A⟩bonus"]);
  expect(shown("amount ")).toBe("amount⟨U+0020⟩");
  expect(shown("  amount")).toBe("⟨U+0020⟩⟨U+0020⟩amount");
  expect(shown("two words\nand a line")).toBe("two words\nand a line");
  expect(partsOf({ ["\n".repeat(100)]: 1 }, none)).toHaveLength(
    2 + pieces("\n".repeat(100), { name: true }).length,
  );
});

test("out-of-view: every member, every name and every empty value is a part of its own", () => {
  const value = { a: [1, "", {}], "b c": { "": null } };
  const keys = partsOf(value, none);
  expect(new Set(keys).size).toBe(keys.length);
  // Two objects and a list, an empty object, four scalars; three names.
  expect(keys).toHaveLength(7 + 3);
  expect(partsOf({ a: "x".repeat(1000) }, none)).toHaveLength(1 + 1 + 4);
  expect(partsOf("alone", none)).toHaveLength(1);
});

test("out-of-view: no name can make two parts one", () => {
  const value = { "a.b": 1, a: { b: 2 }, "a[0]": 3, "$.a": 4, "a #0": 5, "a name": 6 };
  const keys = partsOf(value, none);
  expect(new Set(keys).size).toBe(keys.length);
});

const folded = (value: Json) => foldedIn(value, uninspectable(value)).map(({ path }) => path);

test("uninspectable-args: bytes are folded, wherever they stand, and are a part until they are unfolded", () => {
  const blob = Buffer.from(randomBytes(3000)).toString("base64");
  const value = { name: "x", files: [{ body: blob }], bytes: Array.from({ length: 400 }, (_, i) => i % 256) };
  const paths = folded(value);
  expect(paths).toEqual(["$.files[0].body", "$.bytes"]);
  const keys = partsOf(value, new Set(paths));
  expect(keys).toContain("$.files[0].body #0");
  expect(keys.filter((key) => key.startsWith("$.bytes"))).toHaveLength(2);
  expect(partsOf(value, none).length).toBeGreaterThan(keys.length + 400);
});

test("lies-in-the-loop: text made of words is never folded, however long it is", () => {
  const letter = `${"Dear customer, ".repeat(2000)}delete everything ${"and so on ".repeat(2000)}`;
  expect(uninspectable({ letter })).toHaveLength(1);
  expect(folded({ letter })).toEqual([]);
});

test("out-of-view, lies-in-the-loop: every text of a paper is a part, and none passes for another", () => {
  const opened = {
    tool: "refund",
    args: { operation: "x" },
    facts: { title: "t", operation: "o", systems: ["a", "b"], metadata: { title: "m" } },
    policy: { version: "v", rule: "r", reasons: ["long ".repeat(200)] },
    terms: { approvers: ["alice"], quorum: 1, rejections: 1, editable: true, requester: "carol" },
    session: "ticket-7",
  } as unknown as OpenedRequest;
  const keys = partsOfRequest(opened, none);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys[0]).toBe("tool #0");
  for (const path of ["title", "operation", "systems[0]", "systems[1]", "rule", "metadata.title"])
    expect(keys).toContain(`${path} #0`);
  for (const path of ["approvers[0]", "requester", "session"]) expect(keys).toContain(`${path} #0`);
  expect(keys.filter((key) => key.startsWith("reasons[0] "))).toHaveLength(4);
});
