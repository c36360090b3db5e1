/** Debian's Chromium, or another one that `GUARD_CHROMIUM` names. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright";

export async function launch(): Promise<Browser> {
  const executablePath = process.env.GUARD_CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) {
    throw new Error(
      `There is no ${executablePath}. Install it (apt-get install chromium), or name another in GUARD_CHROMIUM.`,
    );
  }
  // As root, as in a container, Chromium starts only without its sandbox. It loads nothing but our page.
  return chromium.launch({ executablePath, args: ["--no-sandbox"] });
}
