import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  appendEntry,
  cryptoKeySigner,
  ed25519Signer,
  foundRoster,
  memoryEvidence,
  openChain,
  type Signer,
  signEntry,
} from "@guard/core";
import { describe, expect, test } from "vitest";
import { directory, guard, main, run, served } from "./process.fixture.ts";

/** A new root key, and its public half as people write it. */
async function rootSigner(kind: "ed25519" | "p256"): Promise<[Signer, string]> {
  const algorithm = { ed25519: { name: "Ed25519" }, p256: { name: "ECDSA", namedCurve: "P-256" } }[kind];
  const pair = (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair;
  const raw = await crypto.subtle.exportKey("raw", pair.publicKey);
  const publicKey = Buffer.from(raw).toString("base64url");
  return [cryptoKeySigner({ kind, publicKey }, pair.privateKey), publicKey];
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

describe("guard verify", () => {
  /** A chain of the protocol's vectors, and its roster, as files. */
  async function evidence() {
    const vectors = new URL("../../../vectors/guard-v1/evidence.json", import.meta.url);
    const { app, rosters, cases } = JSON.parse(await readFile(vectors, "utf8")) as {
      app: string;
      rosters: { later: unknown };
      cases: { name: string; lines: string[] }[];
    };
    const lines = cases.find(({ name }) => name === "approved")?.lines ?? [];
    await writeFile(join(directory, "billing.jsonl"), `${lines.join("\n")}\n`);
    await writeFile(join(directory, "roster.json"), JSON.stringify(rosters.later));
    return { app, by: ["--root", app, "--roster", "roster.json"] };
  }

  test("a report of more than a pipe holds reaches a reader that takes its time, whole", async () => {
    const { by } = await evidence();
    const files = Array.from({ length: 400 }, () => "billing.jsonl");
    const script = '{ "$@"; echo "$?" > code; } | { sleep 1; cat > report.json; }';
    const args = [process.execPath, "--conditions=@guard/source", main, "verify", ...files, ...by, "--json"];
    await promisify(execFile)("sh", ["-c", script, "sh", ...args], { cwd: directory });
    const report = await readFile(join(directory, "report.json"), "utf8");
    expect(report.length).toBeGreaterThan(256 * 1024);
    expect((JSON.parse(report) as { files: unknown[] }).files).toHaveLength(400);
    expect(await readFile(join(directory, "code"), "utf8")).toBe("0\n");
  }, 30_000);

  test.each(["ed25519", "p256"] as const)(
    "--root is the app, or its first root key: %s",
    async (kind) => {
      const [root, publicKey] = await rootSigner(kind);
      const agent = await ed25519Signer(randomBytes(32));
      const founded = await appendEntry(null, await foundRoster(root, Date.now()));
      const encryptionKey = Buffer.alloc(1216).toString("base64url");
      const change = { kind: "agent", agent: "billing", key: agent.key, encryptionKey } as const;
      const entry = await signEntry(founded, change, { signer: root, by: "root", now: Date.now() });
      const { app, head, entries } = await appendEntry(founded, entry);
      const store = memoryEvidence();
      await (await openChain({ store, app, agent: "billing", signer: agent, roster: () => head })).close();
      await writeFile(join(directory, "billing.jsonl"), `${store.lines.join("\n")}\n`);
      await writeFile(join(directory, "roster.json"), JSON.stringify(entries));
      const verify = (pin: string) =>
        run(["verify", "billing.jsonl", "--root", pin, "--roster", "roster.json"]);
      expect(await verify(app)).toMatchObject({ code: 0, err: "" });
      expect(await verify(publicKey)).toMatchObject({ code: 0, err: "" });
      const [, another] = await rootSigner(kind);
      expect(await verify(another)).toMatchObject({
        code: 1,
        err: expect.stringMatching(/not of that root/),
      });
    },
    20_000,
  );

  test("a reader that goes away is no error to tell of", async () => {
    const { by } = await evidence();
    const files = Array.from({ length: 400 }, () => "billing.jsonl");
    const script = '{ "$@" 2> err; echo "$?" > code; } | head -c 10 > report.json';
    const args = [process.execPath, "--conditions=@guard/source", main, "verify", ...files, ...by, "--json"];
    await promisify(execFile)("sh", ["-c", script, "sh", ...args], { cwd: directory });
    expect(await readFile(join(directory, "err"), "utf8")).toBe("");
    expect(await readFile(join(directory, "code"), "utf8")).toBe("0\n");
  }, 30_000);
});

describe("a whole life", () => {
  test("init, agent, invite and enrol, roster, suspend, revoke, renew", async () => {
    const { url, relay } = await served();
    const short = await run(["init", "--relay", url], { GUARD_PASSPHRASE: "short" });
    expect(short).toMatchObject({ code: 1, err: expect.stringMatching(/8 characters or more/) });
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
    // An id may begin with a dash; an option's misspelt name is no id.
    const inbox = (...more: string[]) => run(["inbox", "approve", "-hbcd", ...more, "--home", "alice"]);
    expect(await inbox()).toMatchObject({ code: 1, err: expect.stringContaining("starts with -hbcd") });
    expect((await inbox("--reson", "no")).code).toBe(2);

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
