// Debian's Chromium, with WebCrypto's KEM: core's and device's tests in a page.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium } from "playwright";
import { counted, root, run } from "./run.ts";

const packages = ["core", "device"];

/** @throws Error that says what to install */
function chromiumPath(): string {
  const chromium = process.env.GUARD_CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(chromium)) {
    throw new Error(
      `There is no ${chromium}. Install it (apt-get install chromium), or name another in GUARD_CHROMIUM.`,
    );
  }
  return chromium;
}

/** Chromium under Playwright. As root, as in a container, it starts only without its sandbox; it loads nothing but our pages. */
export async function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: ["--no-sandbox"] });
}

export async function tryChromium(directory: string, say: (line: string) => void): Promise<void> {
  chromiumPath();
  for (const name of packages) {
    const report = join(directory, `chromium-${name}.json`);
    const vitest = [
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      "--config",
      "vitest.browser.config.ts",
    ];
    await run(process.execPath, [...vitest, "--reporter=dot", "--reporter=json", `--outputFile=${report}`], {
      cwd: join(root, "packages", name),
      env: { GUARD_RUNTIME: "Chrome webcrypto" },
    });
    say(`Chromium, KEM webcrypto, ${name}: ${counted(readFileSync(report, "utf8"))}`);
  }
}
