// The same tests in Chromium, but for `*.node.test.ts`: those are about files, processes or node: modules.
import { join } from "node:path";
import { playwright } from "@vitest/browser-playwright";
import { defineProject, type UserProjectConfigExport } from "vitest/config";
import { shared, source } from "./vitest.shared.ts";

export const browser = (name: string): UserProjectConfigExport =>
  defineProject({
    ...source,
    test: {
      ...shared,
      name: `${name} in Chromium`,
      globalSetup: [join(import.meta.dirname, "vitest.relays.ts")],
      exclude: ["src/**/{*.,}node.test.ts"],
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        provider: playwright({
          launchOptions: {
            executablePath: process.env.GUARD_CHROMIUM ?? "/usr/bin/chromium",
            // As root, as in a container, Chromium starts only without its sandbox. It loads nothing but our tests.
            args: ["--no-sandbox"],
          },
        }),
        instances: [{ browser: "chromium" }],
      },
    },
  });
