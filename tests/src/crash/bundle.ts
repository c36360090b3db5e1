/** The child program as a file that starts fast: bundled once, from the sources as they are. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { build } from "tsdown";
import { roles } from "./plan.ts";

/** Bundles into `directory`. Returns what runs a role: the file and arguments for Node. */
export async function bundle(directory: string): Promise<Program> {
  await build({
    config: false,
    entry: [join(import.meta.dirname, "child.ts")],
    outDir: directory,
    format: "esm",
    platform: "node",
    target: "node22",
    dts: false,
    clean: false,
    logLevel: "error",
    deps: { alwaysBundle: [/.*/] },
    inputOptions: { resolve: { conditionNames: ["@guard/source", "import", "node", "default"] } },
  });
  const file = join(directory, "child.mjs");
  const env = { ...process.env, NODE_COMPILE_CACHE: join(directory, "cache"), NODE_NO_WARNINGS: "1" };
  for (const role of roles) {
    // What it compiles now is kept for the thousand times after.
    const { status, stderr } = spawnSync(process.execPath, [file, role], { env, encoding: "utf8" });
    if (status !== 0) throw new Error(`The child program does not start: ${stderr}`);
  }
  return { file, env };
}

export interface Program {
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
}
