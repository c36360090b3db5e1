import type { Item } from "@guard/device";
import { describe, expect, test } from "vitest";
import { kept, type Places, type Row, sorted } from "./places.ts";

// Places look at nothing but the request's id, the identity and the order of the inbox.
const item = (request: string, identity = "alice@example.com") =>
  ({ identity, opened: { request } }) as unknown as Item;
const items = (...requests: string[]) => requests.map((request) => item(request));
const drawn = (rows: readonly Row[]) => rows.map((row) => row.item.opened.request + (row.ended ? "†" : ""));
const both = ({ rows, fresh }: Places) => [drawn(rows), drawn(fresh)];

describe("stale-decision: rows keep their places", () => {
  test("an urgent request that arrives does not push the others down", () => {
    const before = sorted(items("b", "c"));
    expect(both(kept(before, items("a", "b", "c")))).toEqual([["b", "c"], ["a"]]);
  });

  test("one that ends stays where it was, as ended", () => {
    const before = sorted(items("a", "b", "c"));
    expect(both(kept(before, items("a", "c")))).toEqual([["a", "b†", "c"], []]);
  });

  test("what came later stays below what came before, in the order in which it came", () => {
    const first = kept(sorted(items("m")), items("m", "z"));
    const second = kept(first, items("a", "m", "z"));
    expect(both(second)).toEqual([["m"], ["z", "a"]]);
    expect(both(kept(second, items("a", "m")))).toEqual([["m"], ["z†", "a"]]);
  });

  test("one that can be answered again is no longer ended, in its place", () => {
    const ended = kept(sorted(items("a", "b")), items("b"));
    expect(both(kept(ended, items("a", "b")))).toEqual([["a", "b"], []]);
  });

  test("two people at one page are asked in rows of their own", () => {
    const before = sorted([item("a", "alice"), item("a", "bob")]);
    expect(both(kept(before, [item("a", "bob")]))).toEqual([["a†", "a"], []]);
  });
});

test("the list begins anew where nothing on it can be answered", () => {
  expect(both(kept(sorted([]), items("a", "b")))).toEqual([["a", "b"], []]);
  expect(both(kept(sorted(items("x")), items("a")))).toEqual([["a"], []]);
});

test("sorting takes the inbox's order and drops what ended", () => {
  const before = kept(sorted(items("b", "c")), items("a", "c"));
  expect(both(before)).toEqual([["b†", "c"], ["a"]]);
  expect(both(sorted(items("a", "c")))).toEqual([["a", "c"], []]);
});
