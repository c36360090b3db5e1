/** Vectors that need no roster: canonical JSON, actions and digests, key derivations, connections. */
import { createHmac, hkdfSync } from "node:crypto";
import {
  actionDigest,
  appOf,
  base64url,
  canonicalJson,
  digestOf,
  enrolmentMac,
  fingerprint,
  formatConnection,
  formatInvitation,
  invitationToken,
  possessionText,
  schemaDigest,
  tokenHash,
  utf8,
} from "../../packages/core/src/index.ts";
import { seed, word } from "./random.ts";
import { now, relayUrl, type VectorFile, type World } from "./world.ts";

export function canonical(): VectorFile {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  const good = [
    ["numbers", "[0,1,-1,9007199254740991,0.1,1e+21,1.5e-7,100000000000000000000,5e-324]"],
    ["escapes that JSON needs, in their one spelling", '"\\b\\t\\n\\f\\r\\u0000\\u001f\\"\\\\"'],
    ["what is not escaped", '"/\u007f\u2028é€😀"'],
    ["keys by UTF-16 code units", '{"":0,"1":1,"10":2,"2":3,"A":4,"a":5,"é":6,"😀":7,"\uff5a":8}'],
    ["prototype-ids: names of JavaScript are ordinary keys", '{"__proto__":1,"constructor":2}'],
    ["64 levels", nested(64)],
    ["literals", '{"a":null,"b":[true,false],"c":{}}'],
  ].map(([name, text]) => ({ name, text: text as string, sha256: digestOf(text as string) }));
  const refused = [
    ["nothing", ""],
    ["white space", '{"a": 1}'],
    ["a line break at the end", '{"a":1}\n'],
    ["a byte order mark", '\ufeff{"a":1}'],
    ["keys in another order", '{"b":1,"a":2}'],
    ["canonical-confusion: a key twice", '{"a":1,"a":2}'],
    ["canonical-confusion: a key twice, equal", '{"a":1,"a":1}'],
    ["canonical-confusion: -0", "[-0]"],
    ["canonical-confusion: NaN", "[NaN]"],
    ["canonical-confusion: Infinity", "[Infinity]"],
    ["a number that is read as Infinity", "[1e400]"],
    ["1.0", "[1.0]"],
    ["1e2", "[1e2]"],
    ["1E+21", "[1E+21]"],
    ["an integer that no double holds", "[9007199254740993]"],
    ["leading zero", "[01]"],
    ["a lone surrogate", '["\\ud800"]'],
    ["a lone surrogate as a key", '{"\\udfff":1}'],
    ["a pair of surrogates that is escaped", '["\\ud83d\\ude00"]'],
    ["an escape that is not needed", '["\\u0041"]'],
    ["an escaped slash", '["\\/"]'],
    ["hexadecimal digits in upper case", '["\\u001F"]'],
    ["a long escape where there is a short one", '["\\u000a"]'],
    ["a raw control character", '["\u0001"]'],
    ["a comma too many", "[1,]"],
    ["single quotes", "['a']"],
    ["a comment", "[1/**/]"],
    ["two values", "1 2"],
    ["65 levels", nested(65)],
  ].map(([name, text]) => ({ name, text }));
  return {
    description:
      "Canonical JSON (protocol.md, section 2.1). `good`: texts that are their own canonical form, with the digest of their UTF-8. `refused`: texts that a receiver must not take.",
    good,
    refused,
  };
}

export function actions(w: World): VectorFile {
  const salt = w.agent.salt(w.app, "order-4711");
  const tool = {
    name: "refund",
    description: "Refunds an order",
    inputSchema: { type: "object", properties: { amount: { type: "number" }, order: { type: "string" } } },
  };
  const pinned = schemaDigest(tool);
  const good = (
    [
      ["plain", { tool: "refund", args: { amount: 900, order: "4711" }, schemaDigest: null }],
      [
        "with the tool's schema",
        { tool: "refund", args: { amount: 900, order: "4711" }, schemaDigest: pinned },
      ],
      ["edited", { tool: "refund", args: { amount: 90, order: "4711" }, schemaDigest: pinned }],
      ["no arguments", { tool: "lookup", args: {}, schemaDigest: null }],
      ["delimiter-ambiguity: one list", { tool: "note", args: ["a,b"], schemaDigest: null }],
      ["delimiter-ambiguity: another list", { tool: "note", args: ["a", "b"], schemaDigest: null }],
      ["text beyond ASCII", { tool: "note", args: { text: "naïve 😀\u2028" }, schemaDigest: null }],
      ["fractions", { tool: "pay", args: { amount: 0.1, rate: 1e-7 }, schemaDigest: null }],
    ] as const
  ).map(([name, action]) => {
    const text = canonicalJson({ type: "guard/v1/action", app: w.app, agent: "billing", ...action, salt });
    return { name, action, text, digest: actionDigest(w.app, "billing", action, salt) };
  });
  const result = canonicalJson({ type: "guard/v1/result", salt, result: { ok: true } });
  return {
    description:
      "Actions and their digests (section 5.1), a tool's schema digest (5.1) and a result's digest (10.4). `text` is what is hashed.",
    ...{ app: w.app, agent: "billing", salt, good },
    schema: { tool, text: canonicalJson(tool), digest: pinned },
    result: { value: { ok: true }, text: result, digest: digestOf(result) },
  };
}

export function keys(w: World): VectorFile {
  const secret = seed("agent billing");
  const derive = (label: string) =>
    base64url(new Uint8Array(hkdfSync("sha256", secret, new Uint8Array(0), utf8(label), 32)));
  const labels = ["sign", "reply", "salt", "key-id", "request-id", "content"].map(
    (l) => `guard/v1/agent/${l}`,
  );
  const mac = (label: string, message: string) => {
    const value = createHmac("sha256", Buffer.from(derive(label), "base64url"))
      .update(message)
      .digest();
    return { secret: label, message, value: base64url(value) };
  };
  const key = "order-4711";
  const keyId = w.agent.keyId(w.app, key);
  const nonce = word("nonce");
  const code = base64url(seed("code").subarray(0, 16));
  const invite = (label: string) =>
    base64url(
      new Uint8Array(hkdfSync("sha256", seed("code").subarray(0, 16), new Uint8Array(0), utf8(label), 32)),
    );
  const token = invitationToken(code);
  const { alice } = w.people;
  const { type: _, ...device } = {
    type: "",
    app: w.app,
    identity: alice.identity,
    key: alice.change.key,
    encryptionKey: alice.change.encryptionKey,
  };
  const facts = {
    type: "guard/v1/enrolment",
    ...device,
    expiresAt: now,
    name: "alice's device",
    origin: "terminal",
    tokenHash: tokenHash(word("device token alice")),
  } as const;
  return {
    description:
      "Key derivations: an agent's keys from its seed (section 4.1), ids and digests (4.2, 4.3), the code of an invitation (4.4). Everything is base64url; `message`s and `text`s are what is hashed, as UTF-8.",
    app: {
      key: w.root.key,
      text: canonicalJson({ type: "guard/v1/app", key: w.root.key }),
      id: appOf(w.root.key),
    },
    agent: {
      seed: base64url(secret),
      derived: Object.fromEntries(labels.map((label) => [label, derive(label)])),
      signingKey: w.agent.signer.key,
      encryptionKey: w.agent.decryption.publicKey,
      ...{ app: w.app, key },
      salt: mac("guard/v1/agent/salt", canonicalJson([w.app, key])),
      keyId: mac("guard/v1/agent/key-id", canonicalJson([w.app, key])),
      requests: [0, 1, 12].map((round) => ({
        round,
        ...mac("guard/v1/agent/request-id", canonicalJson([keyId, round])),
      })),
      contentKey: { nonce, ...mac("guard/v1/agent/content", canonicalJson([nonce])) },
    },
    device: {
      text: canonicalJson({ type: "guard/v1/device", ...device }),
      id: alice.device,
      fingerprint: fingerprint(alice.device),
    },
    possession: { seq: 20, key: w.newRoot.key, text: possessionText(w.app, 20, w.newRoot.key) },
    token: { token: word("device token alice"), hash: tokenHash(word("device token alice")) },
    invitation: {
      code,
      token,
      tokenHash: tokenHash(token),
      macKey: invite("guard/v1/invite/mac"),
      enrolment: facts,
      mac: enrolmentMac(code, facts),
    },
  };
}

export function connections(w: World): VectorFile {
  const connection = {
    relay: relayUrl,
    app: w.app,
    rootKey: w.root.key,
    agent: "billing",
    token: word("agent token"),
    seed: base64url(seed("agent billing")),
    floor: w.head(15),
  };
  const body = { type: "guard/v1/connection", ...connection };
  const wordOf = (text: string) => `guard-connection-${base64url(utf8(text))}`;
  const made = (change: object) => wordOf(canonicalJson({ ...body, ...change }));
  const text = formatConnection(connection);
  const { floor: _, ...floorless } = body;
  const refused = [
    ["another prefix", text.replace("guard-connection-", "guard-invite-")],
    ["cut off", text.slice(0, -7)],
    ["padded base64", `${text}=`],
    ["white space inside", `${text.slice(0, 60)}\n${text.slice(60)}`],
    ["not canonical", wordOf(`${canonicalJson(body)} `)],
    ["downgrade: another type", made({ type: "guard/v2/connection" })],
    ["an unknown member", made({ debug: true })],
    ["no floor", wordOf(canonicalJson(floorless))],
    ["key-substitution: the app is not the digest of the root key", made({ rootKey: w.newRoot.key })],
    ["a seed of 31 bytes", made({ seed: base64url(seed("short").subarray(0, 31)) })],
    ["plain http to another host", made({ relay: "http://relay.example.com" })],
    ["a password in the address", made({ relay: "https://user:secret@relay.example.com" })],
    ["an address that is none", made({ relay: "relay" })],
    ["a head that is no digest", made({ floor: { seq: 0, hash: "A" } })],
  ].map(([name, value]) => ({ name, text: value }));
  const invitation = {
    version: 1,
    relay: relayUrl,
    app: w.app,
    identity: "alice@example.com",
    expiresAt: now,
    code: base64url(seed("code").subarray(0, 16)),
  } as const;
  const invited = formatInvitation(invitation);
  const inviteOf = (change: object) =>
    `guard-invite-${base64url(utf8(canonicalJson({ type: "guard/v1/invitation", ...invitation, ...change })))}`;
  return {
    description:
      "Connections (section 4.5) and invitations (4.4): words that are taken, with what they say, and words that are refused.",
    good: [
      { name: "https", text, connection },
      { name: "white space around it", text: ` ${text}\n`, connection },
      ...[
        "http://127.0.0.1:8787",
        "http://localhost:1",
        "http://[::1]:8787",
        "https://relay.example.com/guard",
      ].map((relay) => ({ name: relay, text: made({ relay }), connection: { ...connection, relay } })),
    ],
    refused,
    invitations: {
      good: [
        { name: "the word", text: invited, invitation },
        { name: "in a link", text: `https://approve.example.com/#${invited}`, invitation },
      ],
      refused: [
        { name: "no invitation", text: "hello" },
        { name: "cut off", text: invited.slice(0, -5) },
        { name: "downgrade: another version", text: inviteOf({ version: 2 }) },
        { name: "a code of 15 bytes", text: inviteOf({ code: base64url(seed("code").subarray(0, 15)) }) },
        { name: "an unknown member", text: inviteOf({ admin: true }) },
      ],
    },
  };
}
