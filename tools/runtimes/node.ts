// Node 22 (where the KEM is the fallback in JavaScript), 24 and 26: core's, device's and the plugin's tests, and
// once the demo. Each version comes from npm; the tests themselves refuse to run in another one (vitest.runtime.ts).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { counted, install, root, run } from "./run.ts";

const versions = [
  ["22.23.3", "noble"],
  ["24.21.0", "node"],
  ["26.10.0", "node"],
] as const;
const packages = ["core", "device", "vercel-ai"];
const nameOf = (version: string) => `node${version.split(".")[0]}`;

export async function tryNode(directory: string, say: (line: string) => void): Promise<void> {
  await install(
    directory,
    versions.map(([version]) => `${nameOf(version)}@npm:node@${version}`),
  );
  // Side by side: one process of tests uses one core.
  await Promise.all(versions.map((each) => tryVersion(directory, each, say)));
}

async function tryVersion(
  directory: string,
  [version, kem]: (typeof versions)[number],
  say: (line: string) => void,
): Promise<void> {
  const node = join(directory, "node_modules", nameOf(version), "bin", "node");
  for (const name of packages) {
    const report = join(directory, `${version}-${name}.json`);
    const vitest = [join(root, "node_modules/vitest/vitest.mjs"), "run", "--reporter=dot", "--reporter=json"];
    await run(node, [...vitest, `--outputFile=${report}`], {
      cwd: join(root, "packages", name),
      env: { GUARD_RUNTIME: `${version} ${kem}` },
    });
    say(`Node ${version}, KEM ${kem}, ${name}: ${counted(readFileSync(report, "utf8"))}`);
  }
  if (version === versions[0][0]) {
    const demo = ["--conditions=@guard/source", "apps/demo/src/main.ts", "--headless"];
    const said = await run(node, demo, { cwd: root });
    const last = said.trimEnd().split("\n").at(-1) ?? "";
    if (!/^demo: .* evidence=ok$/.test(last))
      throw new Error(`The demo on Node ${version} ended with: ${last}`);
    say(`Node ${version}, ${last}`);
  }
}
