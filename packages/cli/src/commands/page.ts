/** `guard page`: writes the page for a host of one's own, says its hash, and compares what is hosted. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ConfigurationError } from "@guard/core";
import { visible } from "@guard/device";
import type { Command } from "commander";
import { compareFolder, compareHost, headersFile, headersText, pageUrl, relayOriginOf } from "../page.ts";
import { print, remark } from "../terminal.ts";
import { collect } from "./context.ts";

interface PageOptions {
  readonly out?: string;
  readonly relay?: readonly string[];
  readonly check?: string;
}

export function addPage(program: Command): void {
  program
    .command("page")
    .description("the page on which people decide: print its hash, write it for a host, or check a host")
    .option("--out <directory>", "write its files there, and a _headers file for the host")
    .option(
      "--relay <url>",
      "let it talk to this relay only (may be given several times; with --out)",
      collect,
    )
    .option("--check <url or directory>", "compare every file with this version's")
    .addHelpText(
      "after",
      `
Host it where the relay's operator has no say: a page is as trusted as whoever serves it. The hash is the same for
everybody who has this version, and stands for every byte.

Examples:
  guard page
  guard page --out public --relay https://relay.example.com
  guard page --check https://approve.example.com`,
    )
    .action(page);
}

async function page({ out, relay, check }: PageOptions): Promise<void> {
  if (out !== undefined && check !== undefined)
    throw new ConfigurationError("--out writes and --check compares: give one of them.");
  if (relay !== undefined && out === undefined)
    throw new ConfigurationError("--relay goes into the file of headers that --out writes. Give --out too.");
  const { readPage } = await import("@guard/approver");
  const own = await readPage();
  if (check !== undefined) {
    if (/^https?:/i.test(check)) {
      const unsaid = await compareHost(own, pageUrl(check));
      if (unsaid.length > 0)
        remark(
          `The host does not send as it should: ${unsaid.join(", ")}. "guard page --out" writes them down.`,
        );
    } else compareFolder(own, await readPage(resolve(check)), visible(check));
    remark(`Every file there is this version's.`);
  }
  if (out !== undefined) {
    const directory = resolve(out);
    await refuseOthers(directory, [...own.files.keys(), headersFile]);
    for (const [path, { body }] of own.files) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), body);
    }
    const relays = relay?.map(relayOriginOf);
    await writeFile(join(directory, headersFile), headersText(own.headers(relays ? { relays } : {})));
    remark(`Wrote ${own.files.size} files and _headers to ${visible(out)}.`);
  }
  print(`sha256 ${own.hash}`);
}

/** Nothing else may lie on the page's origin: what lies there could act in its name. */
async function refuseOthers(directory: string, ours: readonly string[]): Promise<void> {
  const there = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const others = there.filter(
    (name) => !ours.some((path) => path === `/${name}` || path.startsWith(`/${name}/`)),
  );
  if (others.length === 0) return;
  throw new ConfigurationError(
    `There is more in ${directory} than a page: ${visible(others.slice(0, 5).join(", "))}. Give a directory of its own.`,
  );
}
