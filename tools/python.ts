/** A Python of a test's own, with packages of PyPI: what checks us from outside is written in it, or published for it. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Its standard output goes through a file: a program that exits does not always empty a pipe first. */
export function run(command: string, args: readonly string[]): Run {
  const scratch = mkdtempSync(join(tmpdir(), "guard-run-"));
  const file = join(scratch, "out");
  const out = openSync(file, "w");
  try {
    const { error, status, stderr } = spawnSync(command, args, {
      encoding: "utf8",
      stdio: ["ignore", out, "pipe"],
      timeout: 300_000,
    });
    return { code: status, out: readFileSync(file, "utf8"), err: error?.message ?? stderr };
  } finally {
    closeSync(out);
    rmSync(scratch, { recursive: true });
  }
}

/** Installs Debian packages where a machine is there for this alone; elsewhere it does nothing. */
function provide(...packages: readonly string[]): void {
  if (!process.env.CI || process.getuid?.() !== 0) return;
  const install = () => run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages]);
  if (install().code === 0) return;
  run("apt-get", ["update", "-qq"]);
  install();
}

/** The Python of a fresh virtual environment. */
export function virtualEnvironment(directory: string): string {
  const make = () => run("python3", ["-m", "venv", directory]);
  let made = make();
  const lacking = /ensurepip|No module named venv|python3 ENOENT/.test(made.out + made.err);
  if (made.code !== 0 && lacking) {
    provide("python3-venv");
    made = make();
  }
  const hint = lacking ? " Install the Debian package python3-venv." : "";
  if (made.code !== 0) throw new Error(`No virtual environment.${hint}\n${made.out}${made.err}`);
  return join(directory, "bin", "python");
}

const unreachable = /NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|NameResolutionError|SSLError/;
const uncompiled =
  /\w+\.h: No such file|No such file or directory: '[^']*(cc|clang)'|command '[^']+' failed: No such file/;

/**
 * Installs packages, each as `name==version`. Null where they are there now, or why this machine cannot have them.
 * @throws Error where it could have had them
 */
export function install(python: string, packages: readonly string[]): string | null {
  const quick = ["--retries", "2", "--timeout", "20", "--disable-pip-version-check", "--quiet"];
  const attempt = () => run(python, ["-m", "pip", "install", ...quick, ...packages]);
  let { code, out, err } = attempt();
  if (code !== 0 && uncompiled.test(out + err)) {
    provide("gcc", "libc6-dev", "python3-dev");
    ({ code, out, err } = attempt());
  }
  if (code === 0) return null;
  const names = packages.join(" ");
  if (unreachable.test(out + err)) return `PyPI cannot be reached, so ${names} cannot be installed.`;
  if (uncompiled.test(out + err)) {
    return `${names} is compiled in part. Install the Debian packages gcc, libc6-dev and python3-dev.`;
  }
  throw new Error(`${names} cannot be installed.\n${out}${err}`);
}
