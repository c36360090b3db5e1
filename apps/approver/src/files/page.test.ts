import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError } from "@guard/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashOf, readPage } from "./page.ts";

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "guard-page-"));
});
afterAll(() => rm(scratch, { recursive: true }));

const text = (body: Uint8Array | undefined) => new TextDecoder().decode(body);

describe("the built page", () => {
  test("is a document, two styles, two scripts, a manifest and icons, each with its type", async () => {
    const { files } = await readPage();
    expect([...files].map(([path, { type }]) => [path, type]).toSorted()).toEqual([
      ["/icon-192.png", "image/png"],
      ["/icon-512.png", "image/png"],
      ["/index.html", "text/html; charset=utf-8"],
      ["/later.css", "text/css; charset=utf-8"],
      ["/later.js", "text/javascript; charset=utf-8"],
      ["/manifest.webmanifest", "application/manifest+json"],
      ["/page.css", "text/css; charset=utf-8"],
      ["/page.js", "text/javascript; charset=utf-8"],
    ]);
  });

  test("relay-served-page: the document names the digest of all code and style, and holds none itself", async () => {
    const { files } = await readPage();
    const html = text(files.get("/index.html")?.body);
    const digestOf = (name: string) =>
      `sha384-${createHash("sha384")
        .update(files.get(`/${name}`)?.body ?? "")
        .digest("base64")}`;
    for (const name of ["page.js", "page.css"]) {
      expect(html).toContain(`="./${name}" integrity="${digestOf(name)}"`);
    }
    for (const name of ["later.js", "later.css"]) {
      expect(text(files.get("/page.js")?.body)).toContain(digestOf(name));
    }
    expect(html.match(/<script\b[^>]*>/g)).toHaveLength(1);
    expect(html).toMatch(/<script [^>]*><\/script>/);
    expect(html).not.toMatch(/<style|\son[a-z]+=|\sstyle=|https?:\/\/(?!localhost|127\.0\.0\.1)/);
    // The policy stands before anything that could load.
    expect(html.indexOf("content-security-policy")).toBeLessThan(html.search(/<link|<script/));
  });

  test("markup-injection: nothing of it makes code of text", async () => {
    const { files } = await readPage();
    for (const name of ["/page.js", "/later.js"]) {
      const script = text(files.get(name)?.body);
      expect(script).not.toMatch(/document\.write|insertAdjacentHTML|\.outerHTML\s*=[^=]|sourceMappingURL/);
      const loads = [...script.matchAll(/\bimport\s*(?:\(|\{[^}]*\}\s*from)?\s*["`']([^"`']*)/g)];
      expect(loads.map(([, module]) => module)).toEqual([name === "/page.js" ? "./later.js" : "./page.js"]);
    }
  });

  test("says which command builds it where it was not built", async () => {
    const missing = readPage(join(scratch, "none"));
    await expect(missing).rejects.toThrow(ConfigurationError);
    await expect(missing).rejects.toThrow("--filter=@guard/approver");
  });

  test("csrf-clickjack: its headers forbid frames, forms, other code and what is not needed", async () => {
    const page = await readPage();
    const headers = page.headers();
    expect(headers["x-frame-options"]).toBe("DENY");
    expect(headers["cache-control"]).toBe("no-store");
    const policy = headers["content-security-policy"] ?? "";
    for (const directive of [
      "default-src 'none'",
      "script-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "connect-src 'self' https: http://localhost:* http://127.0.0.1:*",
    ]) {
      expect(policy.split("; ")).toContain(directive);
    }
    expect(policy).not.toContain("unsafe");
    const narrow = page.headers({ relays: ["https://relay.example.com"] })["content-security-policy"] ?? "";
    expect(narrow.split("; ")).toContain("connect-src https://relay.example.com");
    expect(text(page.files.get("/index.html")?.body)).toContain(
      policy.replace("; frame-ancestors 'none'", ""),
    );
  });
});

describe("the hash", () => {
  const files = (...entries: [string, string][]) =>
    new Map(entries.map(([path, body]) => [path, { body: new TextEncoder().encode(body) }]));

  test("is the same whatever the order, and another one for each byte, name and number of files", () => {
    const hash = hashOf(files(["/a", "1"], ["/b", "2"]));
    expect(hashOf(files(["/b", "2"], ["/a", "1"]))).toBe(hash);
    const others = [
      files(["/a", "1"]),
      files(["/a", "2"], ["/b", "1"]),
      files(["/a", "1"], ["/c", "2"]),
      files(["/a", "1"], ["/b", "2"], ["/c", ""]),
    ];
    expect(new Set([hash, ...others.map(hashOf)]).size).toBe(5);
  });

  test("is what sha256sum says of the list that sha256sum makes", async () => {
    const directory = join(scratch, "two");
    await mkdir(join(directory, "in"), { recursive: true });
    await writeFile(join(directory, "b.js"), "b");
    await writeFile(join(directory, "in", "a.css"), "a");
    const sum = (body: string) => createHash("sha256").update(body).digest("hex");
    const list = `${sum("b")}  /b.js\n${sum("a")}  /in/a.css\n`;
    expect((await readPage(directory)).hash).toBe(sum(list));
  });
});
