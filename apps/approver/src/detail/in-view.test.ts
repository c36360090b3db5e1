import { expect, test } from "vitest";
import { createSeen, edgesIn } from "./in-view.ts";

const both = { top: true, bottom: true };

test("out-of-view: nothing was seen before it was noted, and what was never drawn stays unseen", () => {
  const seen = createSeen();
  expect(seen.unseen(["a", "b"])).toEqual(["a", "b"]);
  expect(seen.note("a", both)).toBe(true);
  expect(seen.unseen(["a", "b"])).toEqual(["b"]);
});

test("out-of-view: a part counts once both of its edges were in view, in whatever order, and keeps counting", () => {
  const seen = createSeen();
  seen.note("a", { top: true, bottom: false });
  expect(seen.unseen(["a"])).toEqual(["a"]);
  seen.note("a", { top: false, bottom: true });
  expect(seen.unseen(["a"])).toEqual([]);
  expect(seen.note("a", { top: false, bottom: false })).toBe(false);
  expect(seen.unseen(["a"])).toEqual([]);
});

test("out-of-view: what is clipped above, below or beside has that edge out of view", () => {
  const part = { top: 100, bottom: 200, left: 0, right: 300 };
  expect(edgesIn(part, part)).toEqual(both);
  expect(edgesIn(part, { ...part, bottom: 150 })).toEqual({ top: true, bottom: false });
  expect(edgesIn(part, { ...part, top: 150 })).toEqual({ top: false, bottom: true });
  expect(edgesIn(part, { ...part, right: 150 })).toEqual({ top: false, bottom: false });
  expect(edgesIn(part, { ...part, bottom: 100 })).toEqual({ top: false, bottom: false });
  expect(edgesIn(part, { ...part, bottom: 199.4 })).toEqual(both);
});
