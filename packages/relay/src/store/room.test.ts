import { expect, test } from "vitest";
import { room } from "./room.ts";

test("quota-exhaustion: there is room exactly until the limit, and again when something went", () => {
  const rooms = room();
  let there = 3;
  let counted = 0;
  const isThere = () =>
    rooms.isThere("a", 5, () => {
      counted++;
      return there;
    });
  const add = () => {
    there++;
    rooms.added("a");
  };
  expect(isThere()).toBe(true);
  add();
  expect(isThere()).toBe(true);
  expect(counted).toBe(1);
  add();
  expect(isThere()).toBe(false);
  expect(isThere()).toBe(false);
  there--;
  expect(isThere()).toBe(true);
  add();
  expect(isThere()).toBe(false);
});

test("what was undone is counted again, and one place says nothing of another", () => {
  const rooms = room();
  const isThere = (key: string, there: number) => rooms.isThere(key, 2, () => there);
  expect(isThere("a", 0)).toBe(true);
  rooms.added("a");
  rooms.added("a");
  expect(isThere("a", 0)).toBe(true);
  rooms.added("b");
  expect(isThere("b", 2)).toBe(false);
});

test("a place that was forgotten is counted anew", () => {
  const rooms = room();
  for (let n = 0; n <= 10_000; n++) rooms.isThere(`${n}`, 2, () => 0);
  expect(rooms.isThere("0", 2, () => 2)).toBe(false);
});
