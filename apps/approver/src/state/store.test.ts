import { expect, test } from "vitest";
import { createStore } from "./store.ts";

test("listeners hear of every change after it was made, until they go", () => {
  const store = createStore({ a: 1, b: 2 });
  const heard: number[] = [];
  const stop = store.subscribe(() => heard.push(store.get().a));
  store.set({ a: 3 });
  stop();
  store.set({ a: 4 });
  expect(heard).toEqual([3]);
  expect(store.get()).toEqual({ a: 4, b: 2 });
});
