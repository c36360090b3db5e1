import { readFile, rm, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { join } from "node:path";
import { parseInvitation } from "@guard/core";
import { enrol, memoryDeviceStore, openDevice } from "@guard/device";
import { generate } from "selfsigned";
import { describe, expect, test } from "vitest";
import { directory, guard, run } from "./process.fixture.ts";

const agentScript = `
import { createGuard } from "@guard/core";
await using guard = createGuard({
  approvers: ["alice@example.com"],
  policy: [{ tool: "read", then: "allow" }, { tool: "refund", then: "ask" }],
});
console.log("starting\\u001b[2J");
const paid = await guard.run({ tool: "refund", args: { amount: 900, note: "\\u001b[31mred\\u202e" } }, ({ args }) => args.amount);
console.log("paid " + paid);
process.exitCode = 3;
`;

describe("guard dev", () => {
  test("says where each person decides in a browser, on a name that has passkeys, and confirms who comes with that", async () => {
    const dev = guard(["dev", "--as", "alice@example.com"]);
    const [, origin = "", invitation = ""] = await dev.until(
      /alice@example\.com decides at (http:\/\/localhost:\d+)\/#(guard-invite-\S+)/,
    );
    const page = await fetch(`${origin}/`);
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(page.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(parseInvitation(invitation)).toMatchObject({ relay: origin, identity: "alice@example.com" });

    const enrolling = await enrol({ invitation, name: "browser", origin, store: memoryDeviceStore() });
    const { device } = await enrolling.waitUntilEnrolled({ interval: 20 });
    await dev.until(/alice@example\.com decides on the page too/);
    dev.child.kill("SIGTERM");
    expect((await dev.ended).code).toBe(0);
    expect(device).toBe(enrolling.device);

    // The second time that browser is known, and nobody is invited.
    const again = guard(["dev"]);
    const [, address] = await again.until(/alice@example\.com decides at (\S+)\n/);
    expect(address).toBe(`${origin}/`);
    again.child.kill("SIGTERM");
    expect((await again.ended).code).toBe(0);
  }, 60_000);

  test("says which requests were asked before a page was enrolled, since they are not shown there", async () => {
    const script = join(new URL(".", import.meta.url).pathname, `early-${process.pid}.tmp.mjs`);
    await writeFile(script, agentScript);
    try {
      const dev = guard(["dev", "--", process.execPath, "--conditions=@guard/source", script]);
      const [, origin = "", invitation = ""] = await dev.until(
        /alice@example\.com decides at (http:\/\/localhost:\d+)\/#(guard-invite-\S+)/,
      );
      // It is there, and nobody has enrolled yet.
      await dev.until(/no terminal to ask in/);
      const store = memoryDeviceStore();
      const enrolling = await enrol({ invitation, name: "browser", origin, store });
      const profile = await enrolling.waitUntilEnrolled({ interval: 20 });
      await dev.until(/One request was asked before that page was enrolled, and is not shown there/);
      expect(await (await openDevice({ profile, store })).list()).toEqual([]);
      dev.child.kill("SIGINT");
      const ended = await dev.ended;
      expect(ended.code).toBe(130);
      expect(ended.err).not.toContain("    at ");
    } finally {
      await rm(script, { force: true });
    }
  }, 60_000);

  test("Ctrl-C while somebody is enrolled ends it quietly", async () => {
    const dev = guard([
      "dev",
      "--as",
      "alice@example.com",
      "--",
      process.execPath,
      "-e",
      "setInterval(() => {}, 1000)",
    ]);
    await dev.until(/alice@example\.com decides here/);
    dev.child.kill("SIGINT");
    const ended = await dev.ended;
    expect(ended.code).toBe(130);
    expect(ended.err).not.toContain("    at ");
  }, 60_000);

  test("terminal-escape, hidden-characters: without a terminal it prints what is asked, escaped, and decides nothing", async () => {
    // Beside this file, so that the script's imports resolve.
    const script = join(new URL(".", import.meta.url).pathname, `agent-${process.pid}.tmp.mjs`);
    await writeFile(script, agentScript);
    try {
      const dev = guard(["dev", "--", process.execPath, "--conditions=@guard/source", script]);
      const [, id] = await dev.until(/inbox approve (\S{8}) --as alice@example.com --yes --home \S+\n/);
      const shown = guard(["inbox", "show", id as string, "--home", ".guard/dev"]);
      const { out, err } = await shown.ended;
      expect(err).toBe("");
      expect(out).toContain('"note": "⟨U+001B⟩[31mred⟨U+202E⟩"');
      const approved = await run([
        "inbox",
        "approve",
        "--args",
        '{"amount":90}',
        "--yes",
        "--home",
        ".guard/dev",
        "--",
        id as string,
      ]);
      expect(approved.err).toMatch(/may not be edited/);
      const yes = await run(["inbox", "approve", id as string, "--yes", "--home", ".guard/dev"]);
      expect(yes).toMatchObject({ code: 0, err: "" });
      const ended = await dev.ended;
      expect(ended.code).toBe(3);
      expect(ended.out).toBe("starting⟨U+001B⟩[2J\npaid 900\n");
      // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there.
      expect(ended.out + ended.err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
      expect(ended.err).toContain('"note": "⟨U+001B⟩[31mred⟨U+202E⟩"');
    } finally {
      await rm(script, { force: true });
    }
  }, 60_000);
});

const allowedScript = `
import { createGuard } from "@guard/core";
const guard = createGuard({ policy: [{ tool: "lookup", then: "allow" }] });
console.log(await guard.run({ tool: "lookup", args: { order: 1 } }, () => "found"));
await guard.close();
`;

test("chain-tamper: guard verify accepts what an agent wrote, and names the first event that was changed", async () => {
  const script = join(new URL(".", import.meta.url).pathname, `allowed-${process.pid}.tmp.mjs`);
  await writeFile(script, allowedScript);
  try {
    const ran = await run(["dev", "--", process.execPath, "--conditions=@guard/source", script]);
    expect(ran).toMatchObject({ code: 0, out: "found\n" });
  } finally {
    await rm(script, { force: true });
  }
  const { app } = JSON.parse(await readFile(join(directory, ".guard", "dev", "owner.json"), "utf8"));
  const file = join(directory, ".guard", "evidence", "dev.jsonl");
  const verify = (root: string, ...more: string[]) =>
    run(["verify", file, "--root", root, "--home", ".guard/dev", ...more]);

  expect(await verify(app)).toMatchObject({ code: 0, out: expect.stringMatching(/^VALID/) });
  const { out } = await verify(app, "--json");
  expect(JSON.parse(out)).toMatchObject({ valid: true, agent: "dev", problems: [] });
  expect(await verify("A".repeat(43))).toMatchObject({ code: 1, err: expect.stringContaining("root") });
  await writeFile(
    file,
    (await readFile(file, "utf8")).replace('"tool_name":"lookup"', '"tool_name":"looked"'),
  );
  const tampered = await verify(app);
  expect(tampered.code).toBe(1);
  expect(tampered.out + tampered.err).toMatch(/\b[12]\b/);
  expect(tampered.out + tampered.err).not.toContain("    at ");
}, 60_000);

describe("guard serve", () => {
  test("serves TLS with a certificate, and plaintext on loopback only unless a proxy stands in front", async () => {
    const pair = generate([{ name: "commonName", value: "localhost" }], { days: 1, keySize: 2048 });
    await writeFile(join(directory, "cert.pem"), pair.cert);
    await writeFile(join(directory, "key.pem"), pair.private);
    const tls = guard([
      "serve",
      "--port",
      "0",
      "--database",
      "tls/relay.db",
      "--tls-cert",
      "cert.pem",
      "--tls-key",
      "key.pem",
    ]);
    const url = (await tls.until(/Relay at (https:\S+)/))[1] as string;
    const status = await new Promise((resolve, reject) => {
      get(`${url}/health`, { rejectUnauthorized: false }, (response) => resolve(response.statusCode)).on(
        "error",
        reject,
      );
    });
    expect(status).toBe(200);
    tls.child.kill("SIGTERM");
    expect((await tls.ended).code).toBe(0);

    const open = await run(["serve", "--host", "0.0.0.0", "--port", "0", "--database", "open/relay.db"]);
    expect(open).toMatchObject({ code: 1, err: expect.stringMatching(/TLS|tls/) });
    const missing = await run([
      "serve",
      "--tls-cert",
      "none.pem",
      "--tls-key",
      "none.pem",
      "--database",
      "none/relay.db",
    ]);
    expect(missing).toMatchObject({ code: 1, err: expect.stringContaining("none.pem") });
    const proxied = guard([
      "serve",
      "--host",
      "0.0.0.0",
      "--behind-proxy",
      "--port",
      "0",
      "--database",
      "proxied/relay.db",
    ]);
    await proxied.until(/Relay at http:/);
    proxied.child.kill("SIGTERM");
    expect((await proxied.ended).code).toBe(0);
  }, 60_000);

  test("says its version", async () => {
    expect((await run(["--version"])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
