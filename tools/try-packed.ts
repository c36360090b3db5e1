// Installs the packed tarballs into empty projects with plain npm, as new users would, one for each agent framework,
// one for the command line with its page and one for the clients of foreign wires, and makes the programs of
// tools/packed typecheck and run there. Fails where a tarball lacks a file, a type or a dependency, or where a peer
// range does not fit.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");
const typescript = ["typescript@7.0.2", "@types/node@24.10.0", "@types/json-schema@7.0.15"];
const frameworks: Record<
  string,
  { packages: string[]; others: string[]; overrides?: Record<string, string> }
> = {
  cli: { packages: ["approver", "cli"], others: [] },
  "vercel-ai": { packages: ["vercel-ai"], others: ["ai@7.0.173", "zod@4.6.7"] },
  langgraph: {
    packages: ["langgraph"],
    others: ["@langchain/core@1.2.13", "@langchain/langgraph@1.4.17", "langchain@1.5.14", "zod@4.6.7"],
    // Of the newest langgraph not all parts can be installed; without these, npm looks for a way for ever.
    overrides: { "@langchain/langgraph": "1.4.17", "@langchain/langgraph-sdk": "1.11.2" },
  },
  compat: { packages: ["compat"], others: [] },
  mastra: { packages: ["mastra"], others: ["@mastra/core@1.71.0", "ai@7.0.173", "zod@4.6.7"] },
};
const run = (command: string, args: readonly string[], cwd: string) =>
  execFileSync(command, args, {
    cwd,
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
  });

const directory = mkdtempSync(join(tmpdir(), "guard-packed-"));
try {
  const tarballs = join(directory, "tarballs");
  mkdirSync(tarballs);
  const ours = ["core", "device", "relay", "testing"];
  for (const name of new Set([...ours, ...Object.values(frameworks).flatMap(({ packages }) => packages)])) {
    const folder = join(root, name === "approver" ? "apps" : "packages", name);
    run("npx", ["-y", "pnpm@12.21.0", "pack", "--pack-destination", tarballs], folder);
  }
  for (const [framework, { packages, others, overrides = {} }] of Object.entries(frameworks)) {
    const project = join(directory, framework);
    mkdirSync(project);
    const manifest = { name: "empty", private: true, type: "module", overrides };
    writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
    const wanted = [...ours, ...packages].map((name) => `guard-${name}-`);
    const files = readdirSync(tarballs).filter((file) => wanted.some((name) => file.startsWith(name)));
    run(
      "npm",
      [
        "install",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        ...files.map((file) => join(tarballs, file)),
        ...others,
        ...typescript,
      ],
      project,
    );
    writeFileSync(
      join(project, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          module: "nodenext",
          target: "es2023",
          lib: ["es2024", "esnext.disposable", "dom"],
          strict: true,
          // The frameworks' own declarations do not all pass this compiler.
          skipLibCheck: framework !== "vercel-ai",
          noEmit: true,
          types: ["node"],
        },
        include: ["*.ts"],
      }),
    );
    copyFileSync(join(root, "tools", "packed", `${framework}.ts`), join(project, "program.ts"));
    process.stdout.write(
      run(process.execPath, [join("node_modules", "typescript", "bin", "tsc"), "-p", "."], project),
    );
    process.stdout.write(`${framework}: ${run(process.execPath, ["program.ts"], project)}`);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
