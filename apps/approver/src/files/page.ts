/**
 * The built page as files in memory, and the one hash that stands for all of them: whoever has the same hash has the
 * same page, byte for byte.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { ConfigurationError } from "@guard/core";
import { pageHeaders } from "./headers.ts";

export interface PageFile {
  /** The media type, as it goes into `content-type`. */
  readonly type: string;
  readonly body: Uint8Array;
}

export interface Page {
  /** SHA-256 (hex) of the sorted list of paths and the SHA-256 of their files. */
  readonly hash: string;
  /** By path: `/index.html`, `/page.js` and so on. */
  readonly files: ReadonlyMap<string, PageFile>;
  /** What every file has to be served with. `relays`: the origins that the page may talk to; without them, any. */
  headers(options?: { readonly relays?: readonly string[] }): Record<string, string>;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".png": "image/png",
};

/**
 * Reads the page that this package was built with, or the one in `directory`.
 * @throws ConfigurationError where there is none
 */
export async function readPage(directory = builtPage()): Promise<Page> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new ConfigurationError(
      `There is no page in ${directory}. In a clone of Guard, build it first: pnpm exec turbo run build --filter=@guard/approver`,
      { cause },
    );
  });
  const files = new Map<string, PageFile>();
  for (const entry of found.filter((candidate) => candidate.isFile())) {
    const file = join(entry.parentPath, entry.name);
    const type = types[extname(file)] ?? "application/octet-stream";
    const path = file.slice(directory.length).replaceAll("\\", "/");
    files.set(path, { type, body: await readFile(file) });
  }
  return { hash: hashOf(files), files, headers: pageHeaders };
}

/** By the package's own name: the same place from the sources as from what is built of them. */
function builtPage(): string {
  const root = dirname(createRequire(import.meta.url).resolve("@guard/approver/package.json"));
  return join(root, "dist", "page");
}

/** SHA-256 (hex) over a line for each file, sorted by path: the file's SHA-256, two spaces, its path. */
export function hashOf(files: ReadonlyMap<string, Pick<PageFile, "body">>): string {
  const lines = [...files].map(([path, { body }]) => ({ path, line: `${sha256(body)}  ${path}\n` }));
  lines.sort((a, b) => (a.path < b.path ? -1 : 1));
  return sha256(lines.map(({ line }) => line).join(""));
}

const sha256 = (bytes: string | Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
