// The import rule's checker has to be able to fail.
import { expect, test } from "vitest";
import { breaches } from "../../tools/check-imports.ts";

test("finds a plugin that imports another plugin, and core that imports node: or a framework", () => {
  expect(breaches("vercel-ai", "a.ts", 'import { x } from "@guard/core";')).toEqual([]);
  expect(breaches("vercel-ai", "a.ts", '\nimport { x } from "@guard/langgraph";')).toHaveLength(1);
  expect(breaches("vercel-ai", "a.ts", 'export * from "@guard/device/node";')).toHaveLength(1);
  expect(breaches("vercel-ai", "a.test.ts", 'import { testGuard } from "@guard/testing";')).toEqual([]);
  expect(breaches("core", "a.ts", 'import fs from "node:fs";')).toHaveLength(1);
  expect(breaches("core", "a.ts", 'import type { FileHandle } from "node:fs/promises";')).toEqual([]);
  expect(breaches("core", "a.ts", 'const ai = await import("ai");')).toHaveLength(1);
  expect(breaches("core", "a.ts", 'import { createRelay } from "@guard/relay";')).toHaveLength(1);
  expect(breaches("core", "a.test.ts", 'import { createRelay } from "@guard/relay";')).toHaveLength(1);
});

test("sees every way to import, and knows every package", () => {
  expect(breaches("core", "a.ts", 'const p = import("ai");')).toHaveLength(1);
  expect(breaches("core", "a.ts", "void import(`node:fs`);")).toHaveLength(1);
  expect(breaches("core", "a.ts", 'const fs = require("node:fs");')).toHaveLength(1);
  expect(breaches("core", "a.ts", 'type Fs = typeof import("node:fs");')).toEqual([]);
  expect(breaches("mcp", "a.ts", 'import { x } from "@guard/core";')).toHaveLength(1);
});
