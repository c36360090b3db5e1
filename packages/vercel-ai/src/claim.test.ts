import { type Execution, InProgressError } from "@guard/core";
import { afterEach, expect, test, vi } from "vitest";
import { claim } from "./claim.ts";

afterEach(() => {
  vi.useRealTimers();
});
const execution: Execution = { args: { amount: 5 }, executionId: "e", request: "r" };

test("the run starts at once, and the tool comes later", async () => {
  let started = 0;
  const claimed = await claim({
    run: async (execute) => {
      started++;
      return execute(execution);
    },
  });
  expect(started).toBe(1);
  expect(await claimed.run(({ args }) => args)).toEqual({ amount: 5 });
  expect(started).toBe(1);
});

test("a run that another process has is refused at once", async () => {
  const run = async () => {
    throw new InProgressError("elsewhere");
  };
  await expect(claim({ run })).rejects.toThrow("elsewhere");
});

test("a run whose tool never comes ends as one that failed, so that a guard can close", async () => {
  vi.useFakeTimers();
  const end = Promise.withResolvers<unknown>();
  await claim({
    run: async (execute) => {
      const running = Promise.resolve(execute(execution));
      running.catch(end.resolve);
      return running;
    },
  });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await end.promise).toMatchObject({ message: "the SDK did not come to run it" });
});
