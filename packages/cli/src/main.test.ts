import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const main = new URL("./main.ts", import.meta.url).pathname;
let directory: string;
let children: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "guard-cli-"));
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children = [];
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `guard` as a process of its own; `until` resolves with a match in what it printed so far. */
function guard(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["--conditions=@guard/source", main, ...args], {
    cwd: directory,
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      GUARD_PASSPHRASE: "a passphrase",
      GUARD_OPERATOR_TOKEN: "operator-token-1234567890",
      ...env,
    },
  });
  children.push(child);
  let [out, err] = ["", ""];
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const check of waiting) check();
  };
  child.stdout.on("data", (data) => {
    out += data;
    wake();
  });
  child.stderr.on("data", (data) => {
    err += data;
    wake();
  });
  const ended = new Promise<Ended>((resolve) => child.once("close", (code) => resolve({ code, out, err })));
  return {
    child,
    ended,
    until: (pattern: RegExp) =>
      new Promise<RegExpExecArray>((resolve, reject) => {
        const check = () => {
          const match = pattern.exec(out + err);
          if (match) resolve(match);
        };
        waiting.add(check);
        check();
        void ended.then(() => reject(new Error(`ended without ${pattern}:\n${out}\n${err}`)));
      }),
  };
}

const run = (args: readonly string[], env?: Record<string, string>) => guard(args, env).ended;

async function served() {
  const relay = guard(["serve", "--port", "0", "--database", "relay/relay.db"]);
  const url = (await relay.until(/Relay at (\S+)/))[1] as string;
  return { relay, url };
}

describe("using it wrongly", () => {
  test.each([
    [[], 2],
    [["frobnicate"], 2],
    [["init"], 2],
    [["verify", "x"], 2],
    [["--help"], 0],
    [["inbox", "approve", "--help"], 0],
    [["agent", "billing"], 1],
    [["enrol", "guard-invite-AAAA"], 1],
    [["inbox"], 1],
    [["serve", "--tls-cert", "x.pem"], 1],
    [["revoke", "device", "x"], 1],
  ])("guard %j ends with %i and no stack", async (args, code) => {
    const ended = await run(args);
    expect(ended.code).toBe(code);
    expect(ended.err).not.toMatch(/^\s+at .*:\d+/m);
    expect((ended.out + ended.err).length).toBeGreaterThan(10);
  });

  test("a root key beside the relay's database keeps the relay from starting", async () => {
    await writeFile(join(directory, "root.key"), "{}");
    const { code, err } = await run(["serve", "--port", "0", "--database", "relay.db"]);
    expect(code).toBe(1);
    expect(err).toMatch(/root key beside the relay's database/);
  });

  test("an unreachable relay is named, not traced", async () => {
    const { code, err } = await run(["init", "--relay", "http://127.0.0.1:9"]);
    expect(code).toBe(1);
    expect(err).toMatch(/cannot be reached/);
    expect(err).not.toMatch(/\n\s+at /);
  }, 20_000);

  test("tokens never travel in the clear", async () => {
    const { code, err } = await run(["init", "--relay", "http://guard.example.com"]);
    expect(code).toBe(1);
    expect(err).toMatch(/https/);
  });
});

describe("a whole life", () => {
  test("init, agent, invite and enrol, roster, suspend, revoke, renew", async () => {
    const { url, relay } = await served();
    const init = await run(["init", "--relay", url]);
    expect(init).toMatchObject({ code: 0, err: "" });
    const app = /App\s+(\S{43})/.exec(init.out)?.[1] as string;
    expect((await stat(join(directory, ".guard", "root.key"))).mode & 0o777).toBe(0o600);
    expect((await run(["init", "--relay", url])).err).toMatch(/holds an app already/);

    const agent = await run(["agent", "billing"]);
    expect(agent.code).toBe(0);
    expect(agent.out).toMatch(/^guard-connection-\S+\n$/);
    expect((await run(["agent", "billing"])).err).toMatch(/is or was an agent of that name/);

    const wrong = await run(["agent", "other"], { GUARD_PASSPHRASE: "another one" });
    expect(wrong).toMatchObject({ code: 1 });
    expect(wrong.err).toMatch(/not the root key's passphrase/);

    // The owner and the invited person have directories of their own, and compare the fingerprint.
    const inviting = guard(["invite", "Alice@Example.com", "--fingerprint", "0000 0000 0000", "--yes"]);
    const invitation = (await inviting.until(/guard-invite-\S+/))[0];
    const stopped = guard(["enrol", invitation, "--home", "alice"]);
    await stopped.until(/Fingerprint {2}[\d ]{14}/);
    expect(await inviting.ended).toMatchObject({
      code: 1,
      err: expect.stringMatching(/fingerprint is another one/),
    });
    stopped.child.kill();

    const again = guard(["invite", "alice@example.com", "--expires-in", "1h", "--fingerprint", "-", "--yes"]);
    const second = (await again.until(/guard-invite-\S+/))[0];
    const enrolling = guard(["enrol", second, "--home", "alice", "--name", "test terminal"]);
    const print = (await enrolling.until(/Fingerprint {2}(\d{4} \d{4} \d{4})/))[1] as string;
    again.child.stdin?.end(`${print}\n`);
    expect(await again.ended).toMatchObject({
      code: 0,
      out: expect.stringContaining("can decide on test terminal"),
    });
    expect(await enrolling.ended).toMatchObject({
      code: 0,
      out: expect.stringContaining("Enrolled as alice@example.com"),
    });
    expect(await run(["inbox", "--home", "alice"])).toMatchObject({
      code: 0,
      out: "Nothing waits for an answer.\n",
    });

    const roster = await run(["roster", "--out", "roster.json"]);
    expect(roster.out).toContain(`app       ${app}`);
    expect(roster.out).toContain("agent     billing");
    expect(roster.out).toContain("identity  alice@example.com");
    expect(JSON.parse(await readFile(join(directory, "roster.json"), "utf8"))).toHaveLength(5);

    expect((await run(["suspend", "billing", "--reason", "test"])).code).toBe(0);
    expect((await run(["suspend", "billing"])).err).toMatch(/suspended/);
    expect((await run(["roster"])).out).toContain("SUSPENDED");
    expect((await run(["lift", "billing"])).code).toBe(0);
    expect((await run(["renew"])).code).toBe(0);
    expect((await run(["revoke", "identity", "alice@example.com"])).code).toBe(0);
    expect((await run(["roster"])).out).toMatch(/alice@example.com.*REVOKED/);
    relay.child.kill("SIGTERM");
    expect((await relay.ended).code).toBe(0);
  }, 60_000);
});

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
  test("terminal-escape, hidden-characters: without a terminal it prints what is asked, escaped, and decides nothing", async () => {
    // Beside this file, so that the script's imports resolve.
    const script = join(new URL(".", import.meta.url).pathname, `agent-${process.pid}.tmp.mjs`);
    await writeFile(script, agentScript);
    try {
      const dev = guard(["dev", "--", process.execPath, "--conditions=@guard/source", script]);
      const [, id] = await dev.until(/inbox approve (\S{8}) --as alice@example.com --yes/);
      const shown = guard(["inbox", "show", id as string, "--home", ".guard/dev"]);
      const { out } = await shown.ended;
      expect(out).toContain('"note": "⟨U+001B⟩[31mred⟨U+202E⟩"');
      const approved = await run([
        "inbox",
        "approve",
        id as string,
        "--args",
        '{"amount":90}',
        "--yes",
        "--home",
        ".guard/dev",
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
    const pem = (name: string) => join(directory, name);
    const openssl = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"];
    execFileSync("openssl", [...openssl, "-keyout", pem("key.pem"), "-out", pem("cert.pem")], {
      stdio: "ignore",
    });
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
