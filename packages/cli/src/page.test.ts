import { appendFile, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Page, readPage } from "@guard/approver";
import { afterEach, describe, expect, test } from "vitest";
import { compareHost, pageUrl, relayOriginOf } from "./page.ts";
import { directory, guard, run } from "./process.fixture.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

type Answer = (
  path: string,
) => { status?: number; headers?: Record<string, string>; body: Uint8Array } | null;

/** A host of the page on another origin than any relay; `answer` says what it does of its own. */
async function host(page: Page, answer: Answer = () => null): Promise<URL> {
  const server = createServer((request, response) => {
    const path = request.url === "/" ? "/index.html" : (request.url ?? "");
    const own = answer(request.url ?? "");
    const file = page.files.get(path);
    const type = file ? { "content-type": file.type } : {};
    response.writeHead(own?.status ?? (own || file ? 200 : 404), {
      ...page.headers(),
      ...type,
      ...own?.headers,
    });
    response.end(own?.body ?? file?.body);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

const bytes = (text: string) => new TextEncoder().encode(text);

describe("guard page --check URL", () => {
  test("accepts what this version was built with", async () => {
    const page = await readPage();
    expect(await compareHost(page, await host(page))).toEqual([]);
  });

  test("relay-served-page: a replaced script is named, and a missing file, and another page at the address itself", async () => {
    const page = await readPage();
    const script = page.files.get("/page.js")?.body ?? bytes("");
    const shows = (answer: Answer) => host(page, answer).then((url) => compareHost(page, url));
    const one = (path: string, body: Uint8Array, status = 200) =>
      shows((at) => (at === path ? { body, status } : null));

    const turned = Uint8Array.from(script);
    turned[turned.length - 1] = (turned.at(-1) ?? 0) ^ 1;
    await expect(one("/page.js", turned)).rejects.toThrow(/\/page\.js is another one\. Until it is/);
    await expect(one("/page.js", Buffer.concat([script, bytes(" ")]))).rejects.toThrow(
      "/page.js is another one",
    );
    await expect(one("/page.js", script.slice(0, -1))).rejects.toThrow("/page.js is another one");
    await expect(one("/page.css", bytes(""), 404)).rejects.toThrow("/page.css is missing");
    await expect(one("/page.css", bytes(""), 503)).rejects.toThrow("/page.css is answered with status 503");
    await expect(one("/", bytes("<!doctype html>"))).rejects.toThrow(/: \/ is another one\./);
    const elsewhere = await host(page);
    await expect(
      shows((at) =>
        at === "/page.js"
          ? { status: 302, headers: { location: `${elsewhere}page.js` }, body: bytes("") }
          : null,
      ),
    ).rejects.toThrow("/page.js leads to another host");
  });

  test("csrf-clickjack: a host that sends no headers is told so", async () => {
    const page = await readPage();
    const url = await host({ ...page, headers: () => ({ "content-security-policy": "script-src 'self'" }) });
    const unsaid = await compareHost(page, url);
    expect(unsaid).toContain("x-frame-options");
    expect(unsaid).toContain("content-security-policy");
    const narrow = await host({
      ...page,
      headers: () => page.headers({ relays: ["https://relay.example.com"] }),
    });
    expect(await compareHost(page, narrow)).toEqual([]);
  });

  test("an address that is none of a relay is not called one of a page", () => {
    expect(relayOriginOf("https://relay.example.com/guard")).toBe("https://relay.example.com");
    for (const given of ["relay.example.com", "http://relay.example.com"])
      expect(() => relayOriginOf(given)).toThrow("no address of a relay");
  });

  test("takes addresses of pages, and no others", () => {
    for (const [given, taken] of [
      ["https://approve.example.com", "https://approve.example.com/"],
      ["https://example.com/guard", "https://example.com/guard/"],
      ["https://example.com/guard/index.html#x", "https://example.com/guard/"],
      ["http://localhost:8787/?a", "http://localhost:8787/"],
    ] as const) {
      expect(pageUrl(given).href).toBe(taken);
    }
    for (const given of ["approve.example.com", "http://approve.example.com", "file:///page", "javascript:1"])
      expect(() => pageUrl(given)).toThrow("no address of a page");
  });
});

describe("guard page", () => {
  test("relay-served-page: writes the page with its headers; a replaced, a missing and an added file are found", async () => {
    const { hash, files } = await readPage();
    expect(await run(["page"])).toEqual({ code: 0, out: `sha256 ${hash}\n`, err: "" });
    const relays = ["--relay", "https://relay.example.com/", "--relay", "https://other.example.com"];
    const written = await run(["page", "--out", "web", ...relays]);
    expect(written).toMatchObject({ code: 0, out: `sha256 ${hash}\n` });
    for (const [path, { body }] of files)
      expect(new Uint8Array(await readFile(join(directory, "web", path)))).toEqual(new Uint8Array(body));
    const headers = await readFile(join(directory, "web", "_headers"), "utf8");
    expect(headers).toMatch(/^\/\*\n {2}content-security-policy: default-src 'none';/);
    expect(headers).toContain("connect-src https://relay.example.com https://other.example.com;");

    const check = () => run(["page", "--check", "web"]);
    expect(await check()).toMatchObject({ code: 0, out: `sha256 ${hash}\n` });
    await appendFile(join(directory, "web", "page.js"), "\n");
    await rm(join(directory, "web", "page.css"));
    await writeFile(join(directory, "web", "worker.js"), "");
    const found = await check();
    expect(found).toMatchObject({ code: 1, out: "" });
    expect(found.err).toContain("/page.css is missing; /page.js is another one; /worker.js was added.");
    // Only what is a page is written over.
    expect(await run(["page", "--out", "web"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("worker.js"),
    });
    await rm(join(directory, "web", "worker.js"));
    expect((await run(["page", "--out", "web"])).code).toBe(0);
    expect((await check()).code).toBe(0);
  }, 60_000);

  test("a relay serves it where it is asked to, and lets pages talk to it that are hosted elsewhere", async () => {
    const flags = ["--port", "0", "--page", "--allow-origin", "https://approve.example.com/"];
    const relay = guard(["serve", "--database", "relay/relay.db", ...flags]);
    const [, url = ""] = await relay.until(/Page at (\S+), as trusted as this relay/);
    expect(await run(["page", "--check", url])).toMatchObject({
      code: 0,
      err: "Every file there is this version's.\n",
    });
    const origin = "https://approve.example.com";
    const allowed = await fetch(`${url}v1/relay`, { headers: { origin } });
    expect(allowed.headers.get("access-control-allow-origin")).toBe(origin);
    const wrong = await run(["serve", "--allow-origin", "approve.example.com"]);
    expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining("no address of a page") });
  }, 60_000);
});
