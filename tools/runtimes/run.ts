// What the parts of tools/try-runtimes.ts share: programs that have to succeed, and packages beside the project.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../..");

/** Runs a program to its end and returns what it wrote to stdout. @throws Error with its output where it fails */
export async function run(
  command: string,
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<string> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, NO_COLOR: "1", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const written = { out: "", all: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    written.out += text;
    written.all += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    written.all += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${written.all}`);
  return written.out;
}

/** Installs packages by npm into a directory of their own: whoever runs the tests or the demo never loads them. */
export async function install(directory: string, packages: readonly string[]): Promise<void> {
  writeFileSync(join(directory, "package.json"), JSON.stringify({ private: true }));
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  await run("npm", ["install", ...quiet, ...packages], { cwd: directory });
}

/** The counts of vitest's JSON report. @throws Error where nothing ran */
export function counted(report: string): string {
  const {
    numPassedTests: passed,
    numPendingTests: skipped,
    success,
  } = JSON.parse(report) as {
    numPassedTests: number;
    numPendingTests: number;
    success: boolean;
  };
  if (!success || passed === 0) throw new Error(`${passed} tests passed, success: ${success}.`);
  return skipped === 0 ? `${passed} tests` : `${passed} tests, ${skipped} skipped`;
}
