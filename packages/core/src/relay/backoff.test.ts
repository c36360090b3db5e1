import { expect, test } from "vitest";
import { pauseFor } from "./backoff.ts";

test("a pause whose signal is aborted already is none: nothing keeps a closed guard's process", async () => {
  const pause = pauseFor(60_000, AbortSignal.abort());
  const { promise: late, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(resolve, 100, "late");
  expect(await Promise.race([pause.then(() => "at once"), late])).toBe("at once");
  clearTimeout(timer);
});
