/**
 * The page as this version has it, compared with what a host serves or a folder holds: every file, byte for byte, and
 * what a browser gets at the address itself (relay-served-page).
 */
import { createHash } from "node:crypto";
import type { Page } from "@guard/approver";
import { ConfigurationError, VerificationError } from "@guard/core";

/** How long a host may take for one file. */
const patience = 15_000;
export const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** The file that tells static hosts which headers to send (Netlify, Cloudflare Pages and others read it). */
export const headersFile = "/_headers";

/** An address of the page, without what follows its folder. @throws ConfigurationError */
export function pageUrl(text: string): URL {
  const url = webAddress(text, "a page. Write it like https://approve.example.com");
  return new URL(`${url.origin}${url.pathname.replace(/(\/|\/index\.html)?$/, "/")}`);
}

/** A page's origin, as browsers write it. @throws ConfigurationError */
export const originOf = (text: string): string => pageUrl(text).origin;

/** A relay's. @throws ConfigurationError */
export const relayOriginOf = (text: string): string =>
  webAddress(text, "a relay. Write it like https://relay.example.com").origin;

function webAddress(text: string, wanted: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === "https:" || (url?.protocol === "http:" && loopback.test(url.hostname))) return url;
  throw new ConfigurationError(
    `${JSON.stringify(text)} is no address of ${wanted}; without TLS only this machine can be one.`,
  );
}

/** What `guard page` writes for hosts that read it. */
export function headersText(headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `  ${name}: ${value}\n`);
  return `/*\n${lines.join("")}`;
}

/** Compares the files of a folder. @throws VerificationError that names every file that differs */
export function compareFolder(page: Page, found: Page, place: string): void {
  const wrong: string[] = [];
  for (const [path, { body }] of page.files) {
    const there = found.files.get(path);
    if (!there) wrong.push(`${path} is missing`);
    else if (!same(there.body, body)) wrong.push(`${path} is another one`);
  }
  for (const path of found.files.keys()) {
    if (!page.files.has(path) && path !== headersFile) wrong.push(`${path} was added`);
  }
  refuse(wrong, place);
}

/**
 * Compares what a host serves. A file that was added cannot be found from here, and nothing of the page loads it.
 * @returns what the host does not say in its headers
 * @throws VerificationError that names every file that differs
 */
export async function compareHost(page: Page, url: URL): Promise<readonly string[]> {
  const wrong: string[] = [];
  const expected = new Map(page.files);
  const index = page.files.get("/index.html");
  if (index) expected.set("/", index);
  let unsaid: readonly string[] = [];
  for (const [path, { body }] of expected) {
    const at = new URL(`.${path}`, url);
    const response = await fetch(at, { cache: "no-store", signal: AbortSignal.timeout(patience) }).catch(
      (cause: unknown) => {
        throw new ConfigurationError(`${at.href} cannot be fetched.`, { cause });
      },
    );
    if (path === "/") unsaid = missingHeaders(page, response.headers);
    if (new URL(response.url).origin !== url.origin) wrong.push(`${path} leads to another host`);
    else if (response.status === 404) wrong.push(`${path} is missing`);
    else if (!response.ok) wrong.push(`${path} is answered with status ${response.status}`);
    else if (!same(await upTo(response, body.length), body)) wrong.push(`${path} is another one`);
  }
  refuse(wrong, url.href);
  return unsaid;
}

function refuse(wrong: readonly string[], place: string): void {
  if (wrong.length === 0) return;
  throw new VerificationError(
    `What is at ${place} is not the page of this version: ${wrong.toSorted().join("; ")}. Until it is, decide nothing there.`,
  );
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const same = (a: Uint8Array, b: Uint8Array) => a.length === b.length && sha256(a) === sha256(b);

/** The body, given up one byte past `length`: a host that never ends its answer has another file. */
async function upTo(response: Response, length: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    size += part.length;
    if (size > length) break;
  }
  return Buffer.concat(parts);
}

/** Headers that the page asks for and that this host does not send. */
function missingHeaders(page: Page, sent: Headers): readonly string[] {
  const wanted = Object.entries(page.headers());
  return wanted.flatMap(([name, value]) => {
    const is = sent.get(name) ?? "";
    // The policy may name fewer relays than any.
    const enough =
      name === "content-security-policy"
        ? is.includes("frame-ancestors 'none'")
        : is.toLowerCase() === value.toLowerCase();
    return enough ? [] : [name];
  });
}
