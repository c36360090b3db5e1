// workerd, the runtime of Cloudflare Workers, with its Node compatibility and without: core's test files run in
// it, and a guard in a worker asks a device outside through a real relay, runs what was approved, and hands out
// evidence that verifies here.
import { type ChildProcess, spawn } from "node:child_process";
import { globSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Plugin, rolldown } from "rolldown";
import { install, root } from "./run.ts";
import { edgeSession } from "./session.ts";

const version = "1.20261117.1";
/** The day before Node compatibility became the default. */
const date = "2026-08-03";
const core = join(root, "packages/core");

/** Tests that run in every runtime, as `virtual:test-files` for worker-tests.ts. */
const files = globSync("src/**/*.test.ts", { cwd: core }).filter((file) => !/\bnode\.test\.ts$/.test(file));
const testFiles: Plugin = {
  name: "test files",
  resolveId: (id) => (id === "virtual:test-files" ? id : null),
  load(id) {
    if (id !== "virtual:test-files") return null;
    const imports = files.map(
      (file) => `${JSON.stringify(file)}: () => import(${JSON.stringify(join(core, file))}),`,
    );
    return `export const files = {\n${imports.join("\n")}\n};`;
  },
};

/** One module, as what deploys workers makes it. Nothing in it needs a `node:` module. */
async function bundle(input: string, file: string): Promise<void> {
  const made = await rolldown({
    input,
    platform: "browser",
    resolve: {
      conditionNames: ["@guard/source", "workerd", "worker", "browser", "import", "module", "default"],
    },
    // Core's package.json says that importing it has no effects; of its tests that is not so.
    treeshake: { moduleSideEffects: (id) => /\.test\.ts$/.test(id) || undefined },
    plugins: [testFiles],
  });
  await made.write({ file, format: "esm", codeSplitting: false });
}

interface Worker {
  readonly url: string;
  stop(): Promise<void>;
}

/** Serves the module on a free port. */
async function serve(
  workerd: string,
  directory: string,
  module: string,
  flags: readonly string[],
): Promise<Worker> {
  const config = join(directory, `${[module, ...flags].join("-")}.capnp`);
  writeFileSync(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed ${JSON.stringify(module)})],
      compatibilityDate = "${date}",
      compatibilityFlags = ${JSON.stringify(flags)},
    )),
    (name = "internet", network = (allow = ["private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`,
  );
  const child: ChildProcess = spawn(workerd, ["serve", config, "--control-fd=3"], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  const stop = () => {
    child.kill("SIGKILL"); // A polite end would wait for whatever hangs.
    return ended;
  };
  for await (const line of createInterface({ input: child.stdio[3] as NodeJS.ReadableStream })) {
    const { event, port } = JSON.parse(line) as { event: string; port?: number };
    if (event === "listen") return { url: `http://127.0.0.1:${port}`, stop };
  }
  await ended;
  throw new Error(`workerd did not start with ${config}.`);
}

interface Result {
  readonly name: string;
  readonly state: string;
  readonly errors: readonly string[];
}

async function runTests(url: string): Promise<string> {
  const all: Result[] = [];
  for (const file of files) {
    const response = await fetch(`${url}/?file=${encodeURIComponent(file)}`);
    if (!response.ok) throw new Error(`${file} in workerd: ${response.status} ${await response.text()}`);
    const results = (await response.json()) as Result[];
    if (results.length === 0) throw new Error(`${file} ran no test in workerd.`);
    all.push(...results);
  }
  const count = (state: string) => all.filter((result) => result.state === state).length;
  const failed = all.filter(({ state }) => state !== "pass" && state !== "skip");
  for (const { name, state, errors } of failed) console.error(`${name}: ${state}\n${errors.join("\n")}`);
  if (failed.length > 0) throw new Error(`${failed.length} tests did not pass in workerd.`);
  return `core: ${count("pass")} tests of ${files.length} files, ${count("skip")} skipped`;
}

export async function tryWorkerd(directory: string, say: (line: string) => void): Promise<void> {
  await install(directory, [`workerd@${version}`]);
  const workerd = join(directory, "node_modules/workerd/bin/workerd");
  await bundle(join(import.meta.dirname, "worker-tests.ts"), join(directory, "tests.js"));
  await bundle(join(root, "tests/src/processes/worker.ts"), join(directory, "session.js"));
  const modes: readonly (readonly string[])[] = [[], ["nodejs_compat"]];
  await Promise.all(
    modes.map(async (flags) => {
      const name = ["workerd", ...flags].join(" with ");
      for (const [module, use] of [["tests.js", runTests] as const, ["session.js", edgeSession] as const]) {
        const worker = await serve(workerd, directory, module, flags);
        try {
          say(`${name}, KEM noble, ${await use(worker.url)}`);
        } finally {
          await worker.stop();
        }
      }
    }),
  );
}
