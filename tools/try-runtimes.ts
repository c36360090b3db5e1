// Runs the tests in every runtime that Guard promises, and says what ran where: `try-runtimes.ts [node] [chromium]
// [workerd]`, all of them by default. Anything that fails, or that ran nothing, ends it with 1.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tryChromium } from "./runtimes/chromium.ts";
import { tryNode } from "./runtimes/node.ts";
import { tryWorkerd } from "./runtimes/workerd.ts";

const parts = { node: tryNode, chromium: tryChromium, workerd: tryWorkerd };
const named = process.argv.slice(2);
const unknown = named.filter((name) => !Object.hasOwn(parts, name));
if (unknown.length > 0)
  throw new Error(`There is no ${unknown.join(", ")}. There are ${Object.keys(parts).join(", ")}.`);

const scratch = mkdtempSync(join(tmpdir(), "guard-runtimes-"));
try {
  for (const [name, part] of Object.entries(parts)) {
    if (named.length > 0 && !named.includes(name)) continue;
    const directory = join(scratch, name);
    mkdirSync(directory);
    const started = performance.now();
    await part(directory, (line) => console.log(line));
    console.log(`${name}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
