// Builds the page again, elsewhere: whoever does so from the same sources has to get the same hash.
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readPage } from "./page.ts";

const root = join(import.meta.dirname, "..", "..", "..", "..");
let scratch: string;
beforeAll(async () => {
  scratch = await realpath(await mkdtemp(join(tmpdir(), "guard-build-")));
});
afterAll(() => rm(scratch, { recursive: true }));

/** Copies what the page is built of to `to`, and builds it there. */
async function buildAt(to: string, env: Record<string, string>): Promise<string> {
  const left = new Set(["dist", ".turbo"]);
  for (const part of ["packages/core", "packages/device", "apps/approver"]) {
    await mkdir(join(to, part), { recursive: true });
    await cp(join(root, part), join(to, part), {
      recursive: true,
      // Links between packages lead to the copies, all others to what is installed.
      verbatimSymlinks: true,
      filter: (from) => !left.has(basename(from)),
    });
  }
  await cp(join(root, "tsconfig.base.json"), join(to, "tsconfig.base.json"));
  await symlink(join(root, "node_modules"), join(to, "node_modules"));
  const vite = join(root, "apps/approver/node_modules/vite/bin/vite.js");
  await promisify(execFile)(process.execPath, [vite, "build", "--logLevel", "error"], {
    cwd: join(to, "apps/approver"),
    env: { PATH: process.env.PATH, ...env },
  });
  return (await readPage(join(to, "apps/approver/dist/page"))).hash;
}

test("relay-served-page: two builds in different directories, languages and time zones have the same hash", async () => {
  const one = await buildAt(join(scratch, "a"), { TZ: "UTC", LANG: "C" });
  const other = await buildAt(join(scratch, "somewhere else", "deeper"), {
    TZ: "Pacific/Kiritimati",
    LANG: "tr_TR.UTF-8",
    NODE_ENV: "production",
  });
  expect(other).toBe(one);
}, 120_000);
