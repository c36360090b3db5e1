// One vitest configuration for every package: tests stand beside the code and run against the sources of
// the other packages (the @guard/source condition), so nothing has to be built first.
import { defineProject, type UserProjectConfigExport } from "vitest/config";

export const unit = (name: string): UserProjectConfigExport =>
  defineProject({
    resolve: { conditions: ["@guard/source"] },
    ssr: {
      resolve: {
        conditions: ["@guard/source", "module", "node", "development|production"],
        externalConditions: ["@guard/source"],
      },
    },
    test: { name, include: ["src/**/*.test.ts"], testTimeout: 20_000 },
  });
