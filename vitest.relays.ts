// Holds tools/test-relays.ts for tests that run in a page, and tells them where it is. It is a process of its own
// because what vitest loads for itself does not resolve our packages' sources.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import type {} from "./packages/device/src/relay.fixture.ts";

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const program = join(import.meta.dirname, "tools/test-relays.ts");
  const child = spawn(process.execPath, ["--conditions=@guard/source", program], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const [url] = await Promise.race([once(child.stdout.setEncoding("utf8"), "data"), ended]);
  if (typeof url !== "string") throw new Error("tools/test-relays.ts ended before it began.");
  project.provide("relays", url.trim());
  return async () => {
    child.stdin.end();
    await ended;
  };
}
