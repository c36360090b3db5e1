/**
 * Cold start: a process that imports the built `@guard/core` and makes one allowed call, over an empty one. It
 * has run before, so its roster and evidence are there; the relay runs beside it.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatConnection } from "@guard/core";
import { median, print } from "../figure.ts";
import { startInstallation } from "../installation.ts";

const runs = 21;
const root = join(import.meta.dirname, "..", "..");
const built = spawnSync("pnpm", ["--filter", "@guard/core", "build"], { cwd: root, encoding: "utf8" });
if (built.status !== 0) throw new Error(`@guard/core cannot be built:\n${built.stdout}${built.stderr}`);

const directory = mkdtempSync(join(tmpdir(), "guard-bench-"));
const installation = await startInstallation();
const connection = formatConnection(await installation.owner.addAgent("support"));
const program = `
  import { createGuard } from "@guard/core";
  const policy = [{ tool: "lookup", then: "allow" }];
  const guard = createGuard({ policy, directory: ${JSON.stringify(directory)} });
  const ran = await guard.run({ tool: "lookup", args: { order: "A-1" } }, () => "ran");
  if (ran !== "ran") process.exit(1);
  if (process.env.LAST) await guard.close();
  process.exit(0);`;
const imported = `import "@guard/core"; process.exit(0);`;

function milliseconds(text: string, env: Record<string, string> = {}): number {
  const start = performance.now();
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", text], {
    cwd: root,
    env: { ...process.env, ...env, GUARD_CONNECTION: connection, NODE_OPTIONS: "" },
    encoding: "utf8",
  });
  if (child.status !== 0) throw new Error(child.stderr);
  return performance.now() - start;
}

milliseconds(program, { LAST: "1" });
const times: Record<"empty" | "imported" | "called", number[]> = { empty: [], imported: [], called: [] };
for (let run = 0; run < runs; run++) {
  times.empty.push(milliseconds("process.exit(0);"));
  times.imported.push(milliseconds(imported));
  times.called.push(milliseconds(program));
}
await installation.close();
rmSync(directory, { recursive: true });
const empty = median(times.empty);
print({
  name: "cold start with a first allowed call, over an empty process",
  value: median(times.called) - empty,
  unit: "ms",
  goal: 60,
  better: "lower",
  against: { name: "empty process", value: empty, unit: "ms" },
  detail: { "the import alone, ms": Math.round(median(times.imported) - empty) },
});
