import { expect, test } from "vitest";
import { pauseFor } from "./backoff.ts";

test("a pause whose signal is aborted already is none: nothing keeps a closed guard's process", async () => {
  const pause = pauseFor(60_000, AbortSignal.abort());
  const late = new Promise((resolve) => setTimeout(resolve, 100, "late").unref());
  expect(await Promise.race([pause.then(() => "at once"), late])).toBe("at once");
});
