// The built page in Chromium, with a real relay and real agents around it: `pnpm test:page`. Not part of
// `pnpm test`, which needs no browser.
import { defineConfig } from "vitest/config";
import { source } from "../../vitest.shared.ts";

export default defineConfig({
  ...source,
  test: {
    name: "the page in Chromium",
    include: ["src/e2e/**/*.page.ts"],
    // One at a time: what is measured in time (a held press, an expiry) must not wait for another test.
    maxWorkers: 1,
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
