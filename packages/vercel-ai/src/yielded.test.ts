import type { Execute, Execution } from "@guard/core";
import { expect, test } from "vitest";
import { yielded } from "./yielded.ts";

const execution: Execution = { args: {}, executionId: "e", request: null };

/** A gate that lets everything run, and remembers how it ended. */
function gate() {
  const ends: unknown[] = [];
  const run = async <R>(body: Execute<R>) => {
    try {
      const result = await body(execution);
      ends.push(result);
      return result;
    } catch (error) {
      ends.push(error);
      throw error;
    }
  };
  return { run, ends };
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const value of values) found.push(value);
  return found;
}

test("values come at the reader's pace, and the run ends with the last one", async () => {
  const { run, ends } = gate();
  const made: number[] = [];
  const values = yielded(run, async function* () {
    for (let i = 1; i <= 3; i++) {
      made.push(i);
      yield i;
    }
  });
  expect(await values.next()).toEqual({ value: 1, done: false });
  await new Promise((resolve) => setTimeout(resolve));
  expect(made.length).toBeLessThan(3);
  expect(ends).toEqual([]);
  expect(await all(values)).toEqual([2, 3]);
  expect(ends).toEqual([3]);
});

test("a reader who stops ends the tool, and the run has failed", async () => {
  const { run, ends } = gate();
  const cleaned = Promise.withResolvers<void>();
  const values = yielded(run, async function* () {
    try {
      for (let i = 1; ; i++) yield i;
    } finally {
      cleaned.resolve();
    }
  });
  for await (const value of values) if (value === 2) break;
  await cleaned.promise;
  await new Promise((resolve) => setTimeout(resolve));
  expect(ends).toMatchObject([{ message: "stopped by its reader" }]);
});

test("what the gate refuses, and what the tool throws, is what the reader gets", async () => {
  const refused = yielded<number>(
    async () => {
      throw new RangeError("refused");
    },
    async function* () {
      yield 1;
    },
  );
  await expect(refused.next()).rejects.toThrow("refused");
  const { run, ends } = gate();
  const failing = yielded(run, async function* () {
    yield 1;
    throw new TypeError("half way");
  });
  await expect(all(failing)).rejects.toThrow("half way");
  expect(ends).toMatchObject([{ message: "half way" }]);
});
