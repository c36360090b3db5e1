// One vitest configuration for every package: tests stand beside the code and run against the sources of
// the other packages (the @guard/source condition), so nothing has to be built first.
import { join } from "node:path";
import { defineProject, type UserProjectConfigExport } from "vitest/config";

export const source = {
  resolve: { conditions: ["@guard/source"] },
  ssr: {
    resolve: {
      conditions: ["@guard/source", "module", "node", "development|production"],
      externalConditions: ["@guard/source"],
    },
  },
};

export const shared = {
  include: ["src/**/*.test.ts"],
  setupFiles: [join(import.meta.dirname, "vitest.runtime.ts")],
  provide: { runtime: process.env.GUARD_RUNTIME ?? null },
  testTimeout: 20_000,
};

export const unit = (name: string, more: { maxWorkers?: number } = {}): UserProjectConfigExport =>
  defineProject({
    ...source,
    test: { name, ...shared, ...more },
  });
