import { beforeAll, describe, expect, it } from "vitest";
import { canonicalJson } from "../action/canonical.ts";
import { builtin } from "../crypto/builtin.ts";
import { base64url, utf8 } from "../crypto/encoding.ts";
import { digestOf } from "../crypto/hash.ts";
import { ConfigurationError } from "../errors.ts";
import { appOf } from "../roster/records.ts";
import { newSigner } from "../roster/roster.fixture.ts";
import { type Connection, checkRelayUrl, formatConnection, parseConnection } from "./connection.ts";

const canaries = ["hunter2-token", "Q0FOQVJZ", "canary-host", "canary-agent"];
let connection: Connection;

beforeAll(async () => {
  const { key } = await newSigner();
  connection = {
    relay: "https://canary-host.example.com",
    app: appOf(key),
    rootKey: key,
    agent: "canary-agent",
    token: "hunter2-token",
    seed: base64url(utf8("CANARYCANARYCANARYCANARYCANARYCA")),
    floor: { seq: 3, hash: digestOf("head") },
  };
});

const prefix = "guard-connection-";
const packed = (text: string) => prefix + base64url(utf8(text));
const changed = (lies: object) =>
  packed(canonicalJson({ type: "guard/v1/connection", ...connection, ...lies }));

describe("a connection", () => {
  it("is one word that reads back", () => {
    const word = formatConnection(connection);
    expect(word).toMatch(/^guard-connection-[\w-]+$/);
    expect(parseConnection(` ${word}\n`)).toEqual(connection);
  });

  it("secret-leak: an error says what to do and holds nothing of the connection, causes included", async () => {
    const word = formatConnection(connection);
    const text = canonicalJson({ type: "guard/v1/connection", ...connection });
    const other = (await newSigner()).key;
    const wrong = [
      "",
      "hunter2-token",
      prefix,
      word.slice(0, -5),
      `${word}A`,
      word.replace("-connection-", "-connection- "),
      packed(""),
      packed(`${text} `),
      packed(text.slice(0, -1)),
      ...[40, 150, 230, 300, 380].map((at) => packed(`${text.slice(0, at)}"x${text.slice(at)}`)),
      ...["relay", "seed", "token", "agent"].map((name) => packed(text.replace(`"${name}":`, `"${name}"`))),
      prefix + base64url(Uint8Array.of(0xff, 0xfe)),
      changed({ type: "guard/v2/connection" }),
      changed({ extra: "hunter2-token" }),
      changed({ "hunter2-token": 1 }),
      changed({ seed: "Q0FOQVJZ" }),
      changed({ token: "" }),
      changed({ floor: { seq: -1, hash: digestOf("") } }),
      changed({ rootKey: other }),
      changed({ app: appOf(other) }),
      changed({ relay: "http://canary-host.example.com" }),
      changed({ relay: "canary-host" }),
      changed({ relay: "https://hunter2-token@canary-host.example.com" }),
      changed({ relay: "https://user:hunter2-token@canary-host.example.com" }),
    ];
    for (const text of wrong) {
      let caught: unknown;
      try {
        parseConnection(text);
      } catch (error) {
        caught = error;
      }
      expect(caught).toBeInstanceOf(ConfigurationError);
      expect((caught as Error).message).toContain('Copy all of what "guard agent NAME" printed');
      const { message, stack } = caught as Error;
      const inspect = builtin<typeof import("node:util")>("node:util")?.inspect;
      const shown = [
        message,
        stack,
        JSON.stringify(caught),
        inspect?.(caught, { depth: 10, showHidden: true }),
      ].join();
      for (const canary of canaries) expect(shown).not.toContain(canary);
    }
  });

  it("key-substitution: its app is the digest of the root key that it pins", async () => {
    const { key } = await newSigner();
    expect(() => parseConnection(changed({ rootKey: key }))).toThrow(/digest of its root key/);
  });
});

describe("a relay's address", () => {
  it.each([
    "https://relay.example.com",
    "https://relay.example.com:8443/guard",
    "http://localhost:4870",
    "http://127.0.0.1:4870",
    "http://127.1.2.3",
    "http://[::1]:4870",
  ])("%s is accepted", (url) => {
    expect(checkRelayUrl(url).href).toContain(url);
  });

  it.each([
    "http://relay.example.com",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "http://evil.example/#localhost",
    "http://localhost@evil.example",
    "https://user:secret@relay.example.com",
    "ftp://localhost",
    "file:///tmp",
    "javascript:alert(1)",
    "relay.example.com",
    "",
  ])("%j is refused", (url) => {
    expect(() => checkRelayUrl(url)).toThrow(ConfigurationError);
    expect(() => checkRelayUrl(url)).not.toThrow(/secret/);
  });
});
