// Clients that Noxy published, unchanged, against our relay: `pnpm run test:noxy-python`. Not part of `pnpm test`,
// which needs no Python, no compiler and no package index.
import { defineConfig } from "vitest/config";
import { source } from "../vitest.shared.ts";

export default defineConfig({
  ...source,
  test: {
    name: "Noxy's published clients",
    include: ["src/noxy/**/*.sdk.ts"],
    globalSetup: ["src/noxy/python.setup.ts"],
    testTimeout: 30_000,
  },
});
