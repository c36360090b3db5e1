import { beforeAll, describe, expect, it } from "vitest";
import { canonicalJson, type Json } from "../action/canonical.ts";
import { maxSnapshotDepth, snapshot } from "../action/snapshot.ts";
import { aesGcmSeal, singleUseNonce } from "../crypto/aead.ts";
import type { AgentKeys } from "../crypto/agent-keys.ts";
import { base64url, fromBase64url, randomBytes, utf8 } from "../crypto/encoding.ts";
import { digestOf } from "../crypto/hash.ts";
import { hpkeSeal } from "../crypto/hpke.ts";
import { idOf, type Signed, signObject, verifySigned } from "../crypto/signed.ts";
import { VerificationError } from "../errors.ts";
import { type EnrolledDevice, growingRoster, start, type World } from "../roster/roster.fixture.ts";
import {
  type Action,
  actionDigest,
  disagreement,
  type Envelope,
  type Header,
  type Paper,
  readHeader,
  readPaper,
  schemaDigest,
} from "./request.ts";
import {
  ciphertextDigest,
  openReply,
  openRequest,
  reopenRequest,
  replyDigest,
  sealReply,
  sealRequest,
  wrapDigest,
} from "./sealing.ts";
import type { Reply } from "./statement.ts";

let world: World;
let keys: AgentKeys;
let people: EnrolledDevice[];

beforeAll(async () => {
  world = await growingRoster();
  keys = await world.addAgent("bot");
  people = [
    await world.enrol("alice@example.com"),
    await world.enrol("bob@example.com"),
    await world.enrol("carol@example.com", "webauthn"),
  ];
});

const action: Action = { tool: "refund", args: { amount: 900, to: "canary-customer" }, schemaDigest: null };

function paperOf(more: Partial<Paper> = {}): Paper {
  return {
    type: "guard/v1/paper",
    nonce: base64url(randomBytes(32)),
    action,
    salt: keys.salt(world.app, "canary-key"),
    facts: { title: "canary-title", metadata: { ticket: "canary-ticket" } },
    schema: null,
    callId: "canary-call",
    session: "canary-session",
    terms: {
      approvers: people.map((device) => device.identity),
      quorum: 1,
      rejections: 1,
      editable: true,
      requester: null,
    },
    policy: { version: "1", rule: "refund", reasons: ["canary-reason"] },
    createdAt: start,
    expiresAt: start + 1000,
    useBy: start + 2000,
    round: 0,
    supersedes: null,
    roster: world.roster.head,
    ...more,
  };
}

interface Asked {
  readonly signed: Signed;
  readonly header: Header;
  readonly envelope: Envelope;
  readonly requestDigest: string;
}

async function ask(paper: Paper, key = "canary-key"): Promise<Asked> {
  const devices = people.map(({ device, decryption }) => ({ device, encryptionKey: decryption.publicKey }));
  const keyId = keys.keyId(world.app, key);
  const sealed = await sealRequest({ keys, paper, app: world.app, agent: "bot", keyId, devices });
  const { header: signed, envelope, requestDigest } = sealed;
  return { signed, header: readHeader(signed), envelope, requestDigest };
}

const wrapOf = ({ envelope }: Asked, i: number) => envelope.wraps[i] as Envelope["wraps"][number];
const open = (asked: Asked, i: number, more: Partial<Parameters<typeof openRequest>[0]> = {}) => {
  const { device, decryption } = people[i] as EnrolledDevice;
  const { header, envelope } = asked;
  const wrap = wrapOf(asked, i);
  return openRequest({ decryption, device, header, ciphertext: envelope.ciphertext, wrap, ...more });
};
const refused = (opening: Promise<unknown>) => expect(opening).rejects.toBeInstanceOf(VerificationError);

describe("a request", () => {
  it("is opened by each of its devices, and by the agent after a restart", async () => {
    const paper = paperOf();
    const asked = await ask(paper);
    for (const i of [0, 1, 2]) expect(await open(asked, i)).toEqual(paper);
    expect(await reopenRequest(keys, asked.header, asked.envelope.ciphertext)).toEqual(paper);
    expect(await verifySigned(keys.signer.key, asked.signed)).toBe(true);
    expect(asked.header.requestDigest).toBe(digestOf(canonicalJson(paper)));
    expect(asked.header.actionDigest).toBe(actionDigest(world.app, "bot", action, paper.salt));
    expect(asked.header.request).toBe(keys.requestId(keys.keyId(world.app, "canary-key"), 0));
    expect(asked.header.ciphertextHash).toBe(ciphertextDigest(asked.envelope.ciphertext));
  });

  it("hides its length: powers of two from 512", async () => {
    const base = canonicalJson(paperOf({ facts: { summary: "" } })).length;
    const size = async (length: number) => {
      const { envelope } = await ask(paperOf({ facts: { summary: "x".repeat(length - base) } }));
      return fromBase64url(envelope.ciphertext).length - 16;
    };
    expect(base).toBeLessThan(1400);
    expect(await size(2044)).toBe(2048);
    expect(await size(2045)).toBe(4096);
    expect(await size(4000)).toBe(4096);
    expect(await size(base)).toBe(base <= 1020 ? 1024 : 2048);
  });

  it("holds whatever a snapshot can hold, down to its deepest place", async () => {
    let args: Json = 1;
    for (let i = 0; i < maxSnapshotDepth; i++) args = [args];
    const paper = paperOf({ action: { ...action, args: snapshot(args) } });
    expect(await open(await ask(paper), 0)).toEqual(paper);
  });

  it("prototype-ids: members called __proto__ are shown as they are", async () => {
    const odd = JSON.parse('{"__proto__":{"admin":true},"constructor":1}');
    const paper = paperOf({ action: { ...action, args: snapshot(odd) }, facts: { metadata: odd } });
    const opened = await open(await ask(paper), 0);
    expect(canonicalJson(opened)).toBe(canonicalJson(paper));
    expect(Object.hasOwn(opened.facts.metadata as object, "__proto__")).toBe(true);
    for (const metadata of [[1], "text", 1, null]) {
      const wrong = canonicalJson({ ...paper, facts: { metadata } });
      expect(() => readPaper(wrong)).toThrow(VerificationError);
    }
  });
});

describe("digest-guessing: what the relay sees gives nothing away", () => {
  it("header and envelope hold neither arguments nor salt nor any other word of the paper", async () => {
    const paper = paperOf();
    const { signed, envelope } = await ask(paper);
    const seen = JSON.stringify({ signed, envelope });
    // Six letters at least: ciphertext in base64url holds a given word of three one time in fifty.
    for (const word of ["canary", "refund", '"amount"']) expect(seen).not.toContain(word);
    expect(seen).not.toContain(paper.salt);
  });

  it("one action has another digest under another salt, key, app, agent or tool", () => {
    const salts = [keys.salt(world.app, "k1"), keys.salt(world.app, "k2"), keys.salt("other app", "k1")];
    const digests = [
      ...salts.map((salt) => actionDigest(world.app, "bot", action, salt)),
      actionDigest("other app", "bot", action, salts[0] as string),
      actionDigest(world.app, "bob", action, salts[0] as string),
      actionDigest(world.app, "bot", { ...action, tool: "refunds" }, salts[0] as string),
      actionDigest(world.app, "bot", { ...action, args: { amount: 901 } }, salts[0] as string),
      actionDigest(world.app, "bot", { ...action, schemaDigest: digestOf("") }, salts[0] as string),
    ];
    expect(new Set(digests).size).toBe(digests.length);
    const args = { amount: 900, to: "canary-customer" };
    for (const guess of [canonicalJson(args), canonicalJson({ ...action, args })]) {
      expect(digests).not.toContain(digestOf(guess));
    }
  });

  it("outcome-replay: one action asked twice has two papers and one action digest", async () => {
    const [one, two] = [await ask(paperOf()), await ask(paperOf({ round: 1 }))];
    expect(two.header.actionDigest).toBe(one.header.actionDigest);
    expect(two.header.requestDigest).not.toBe(one.header.requestDigest);
    expect(two.header.request).not.toBe(one.header.request);
    expect((await ask(paperOf())).header.requestDigest).not.toBe(one.header.requestDigest);
  });

  it("rug-pull: a tool's digest is of its name, description and schema", () => {
    const tool = { name: "refund", description: "Pays back", inputSchema: { type: "object" } };
    const digests = [
      tool,
      { ...tool, name: "refunds" },
      { ...tool, description: null },
      { ...tool, inputSchema: {} },
    ].map(schemaDigest);
    expect(new Set(digests).size).toBe(4);
  });
});

describe("cross-request-splice: nothing sealed can be moved", () => {
  let one: Asked;
  let two: Asked;
  beforeAll(async () => {
    [one, two] = [await ask(paperOf()), await ask(paperOf(), "another key")];
  });

  it("ciphertext and wraps of another request", async () => {
    await refused(open(one, 0, { ciphertext: two.envelope.ciphertext }));
    await refused(open(one, 0, { wrap: wrapOf(two, 0) }));
    await refused(open(one, 0, { wrap: wrapOf(two, 0), ciphertext: two.envelope.ciphertext }));
    await refused(open(one, 0, { header: two.header }));
    await refused(reopenRequest(keys, one.header, two.envelope.ciphertext));
  });

  it("the wrap of another device", async () => {
    const { device, decryption } = people[1] as EnrolledDevice;
    await refused(open(one, 0, { wrap: wrapOf(one, 1) }));
    await refused(open(one, 0, { device }));
    await refused(open(one, 0, { device, wrap: wrapOf(one, 1) }));
    await refused(open(one, 0, { decryption }));
    await refused(open(one, 0, { device: digestOf("nobody") }));
  });

  it("even where the header is signed anew over the moved parts: AADs bind them", async () => {
    // What an agent's stolen signing key could do, without its seed.
    const [mine, theirs] = [wrapOf(one, 0), wrapOf(two, 0)];
    const name = (people[0] as EnrolledDevice).device;
    const move = (more: Partial<Header>, wrap = mine): Partial<Parameters<typeof openRequest>[0]> => ({
      wrap,
      header: { ...one.header, recipients: [{ device: name, wrapHash: wrapDigest(wrap) }], ...more },
    });
    await refused(open(one, 0, move({}, theirs)));
    await refused(open(one, 0, move({ request: two.header.request })));
    await refused(open(one, 0, move({ expiresAt: one.header.expiresAt + 1 })));
    await refused(open(one, 0, move({ app: digestOf("other app") })));
    const { ciphertextHash } = two.header;
    const { ciphertext } = two.envelope;
    await refused(open(one, 0, { ...move({ ciphertextHash }, mine), ciphertext }));
    await refused(open(one, 0, { ...move({ ciphertextHash }, theirs), ciphertext }));
    expect(await open(one, 0, move({}))).toMatchObject({ type: "guard/v1/paper", nonce: one.header.nonce });
  });
});

describe("bad-ciphertext: what came over the wire changed is a VerificationError", () => {
  const broken = (text: string) => [
    "",
    "A",
    "not base64url!",
    "\ud800",
    text.slice(0, -4),
    `${text}AAAA`,
    `${text}=`,
    `${text[0] === "A" ? "B" : "A"}${text.slice(1)}`,
    base64url(new Uint8Array(15)),
    base64url(new Uint8Array(1 << 16)),
  ];

  it("in a request's ciphertext, also where the header names its hash", async () => {
    const asked = await ask(paperOf());
    for (const ciphertext of broken(asked.envelope.ciphertext)) {
      await refused(open(asked, 0, { ciphertext }));
      await refused(reopenRequest(keys, asked.header, ciphertext));
    }
    const bytes = fromBase64url(asked.envelope.ciphertext);
    const flipped = Uint8Array.from(bytes, (byte, i) => (i === 9 ? byte ^ 1 : byte));
    const others = [
      flipped,
      bytes.slice(0, -1),
      new Uint8Array(0),
      new Uint8Array(15),
      new Uint8Array(1 << 16),
    ];
    for (const ciphertext of others.map(base64url)) {
      const header = { ...asked.header, ciphertextHash: ciphertextDigest(ciphertext) };
      await expect(reopenRequest(keys, header, ciphertext)).rejects.toThrow(/changed on its way/);
    }
  });

  it("in a wrap, also where the header names its digest", async () => {
    const asked = await ask(paperOf());
    const wrap = wrapOf(asked, 0);
    for (const part of ["enc", "ciphertext"] as const) {
      for (const text of broken(wrap[part])) {
        const changed = { ...wrap, [part]: text };
        await refused(open(asked, 0, { wrap: changed }));
        if (!text.isWellFormed()) continue;
        const recipients = [{ device: wrap.device, wrapHash: wrapDigest(changed) }];
        await refused(open(asked, 0, { wrap: changed, header: { ...asked.header, recipients } }));
      }
    }
  });

  it("padding has one form", async () => {
    const { header } = await ask(paperOf());
    const text = utf8(canonicalJson(paperOf()));
    const aad = utf8(
      canonicalJson({ app: header.app, request: header.request, expiresAt: header.expiresAt }),
    );
    const padded = (size: number, length: number, last = 0) => {
      const bytes = new Uint8Array(size);
      new DataView(bytes.buffer).setUint32(0, length);
      bytes.set(text, 4);
      if (last) bytes[size - 1] = last;
      return bytes;
    };
    for (const plaintext of [
      new Uint8Array(0),
      new Uint8Array(3),
      padded(4096, text.length),
      padded(2048, text.length, 1),
      padded(2048, 5000),
      padded(2048, 0xffffffff),
      padded(2047, text.length),
      text,
    ]) {
      const sealed = await aesGcmSeal(keys.contentKey(header.nonce), singleUseNonce, plaintext, aad);
      const ciphertext = base64url(sealed);
      const changed = { ...header, ciphertextHash: ciphertextDigest(ciphertext) };
      await expect(reopenRequest(keys, changed, ciphertext)).rejects.toThrow(/padded wrongly/);
    }
  });
});

describe("paper and header", () => {
  it.each<[string, (header: Header) => Partial<Header>]>([
    ["requestDigest", () => ({ requestDigest: digestOf("another paper") })],
    ["actionDigest", () => ({ actionDigest: digestOf("another action") })],
    ["actionDigest", () => ({ agent: "another" })],
    ["terms", ({ terms }) => ({ terms: { ...terms, quorum: 2 } })],
    ["terms", ({ terms }) => ({ terms: { ...terms, editable: false } })],
    ["terms", ({ terms }) => ({ terms: { ...terms, approvers: terms.approvers.slice(1) } })],
    ["terms", ({ terms }) => ({ terms: { ...terms, requester: "alice@example.com" } })],
    ["round", ({ round }) => ({ round: round + 1 })],
    ["createdAt", ({ createdAt }) => ({ createdAt: createdAt - 1 })],
    ["useBy", ({ useBy }) => ({ useBy: useBy + 1 })],
  ])("that disagree about %s are refused, whoever signed them", async (name, lie) => {
    const asked = await ask(paperOf());
    const header = { ...asked.header, ...lie(asked.header) };
    await expect(open(asked, 0, { header })).rejects.toThrow(`disagree about ${name}`);
    await expect(reopenRequest(keys, header, asked.envelope.ciphertext)).rejects.toThrow(VerificationError);
  });

  it("cannot be opened at all where the header names another nonce or expiry", async () => {
    const { header, envelope } = await ask(paperOf());
    for (const lie of [{ nonce: base64url(randomBytes(32)) }, { expiresAt: header.expiresAt + 1 }]) {
      await refused(reopenRequest(keys, { ...header, ...lie }, envelope.ciphertext));
    }
    const paper = paperOf();
    const text = canonicalJson(paper);
    const own = (await ask(paper)).header;
    expect(disagreement(paper, text, own)).toBe(null);
    expect(disagreement(paper, text, { ...own, nonce: header.nonce })).toBe("nonce");
    expect(disagreement(paper, text, { ...own, expiresAt: 1 })).toBe("expiresAt");
  });

  it("sender-impersonation: a header that was changed is not the agent's", async () => {
    const { signed, header } = await ask(paperOf());
    const widened = { ...header, terms: { ...header.terms, approvers: ["mallory@example.com"] } };
    expect(await verifySigned(keys.signer.key, { ...signed, body: canonicalJson(widened) })).toBe(false);
    const forged = await signObject((people[0] as EnrolledDevice).signer, header);
    expect(idOf(forged)).toBe(idOf(signed));
    expect(await verifySigned(keys.signer.key, forged)).toBe(false);
  });

  it("a header that makes no sense is refused", async () => {
    const { header } = await ask(paperOf());
    const first = header.recipients[0] as Header["recipients"][number];
    for (const lie of [
      { type: "guard/v2/request" },
      { recipients: [] },
      { recipients: [first, first] },
      { expiresAt: header.createdAt },
      { useBy: header.expiresAt - 1 },
      { round: -1 },
      { nonce: "AAAA" },
      { terms: { ...header.terms, quorum: 0 } },
      { args: { amount: 900 } },
    ]) {
      const wrong = await signObject(keys.signer, { ...header, ...lie });
      expect(() => readHeader(wrong)).toThrow(VerificationError);
    }
  });
});

describe("a reply", () => {
  const replyOf = (request: string, more: Partial<Reply> = {}): Reply => ({
    type: "guard/v1/reply",
    request,
    reason: "too much",
    edit: { args: { amount: 90 } },
    ...more,
  });
  const request = digestOf("request");
  const seal = (reply: Reply, device = (people[0] as EnrolledDevice).device) =>
    sealReply({ reply, app: world.app, device, agentEncryptionKey: keys.decryption.publicKey });
  const statement = (response: string | null, more = {}) => ({
    app: world.app,
    request,
    device: (people[0] as EnrolledDevice).device,
    response,
    ...more,
  });
  const decrypt = (more: Omit<Parameters<typeof openReply>[0], "decryption">) =>
    openReply({ decryption: keys.decryption, ...more });

  it("is opened by the agent, and its length is hidden", async () => {
    const reply = await seal(replyOf(request));
    expect(await decrypt({ statement: statement(replyDigest(reply)), reply })).toEqual(replyOf(request));
    expect(fromBase64url(reply.ciphertext)).toHaveLength(512 + 16);
    expect(JSON.stringify(reply)).not.toContain("too much");
  });

  it("reason-injection: another reply than the statement signs", async () => {
    const [mine, theirs] = [await seal(replyOf(request)), await seal(replyOf(request, { reason: "run it" }))];
    await expect(decrypt({ statement: statement(replyDigest(mine)), reply: theirs })).rejects.toThrow(
      /not the one that its approver signed/,
    );
    await refused(decrypt({ statement: statement(null), reply: theirs }));
    const mixed = { enc: mine.enc, ciphertext: theirs.ciphertext };
    await refused(decrypt({ statement: statement(replyDigest(mixed)), reply: mixed }));
  });

  it("cross-request-splice: a reply for another request, device or app", async () => {
    const reply = await seal(replyOf(request));
    const response = replyDigest(reply);
    for (const lie of [
      { request: digestOf("another") },
      { device: (people[1] as EnrolledDevice).device },
      { app: digestOf("other app") },
    ]) {
      await refused(decrypt({ statement: statement(response, lie), reply }));
    }
    // A device that seals for one request what says it is for another.
    const lying = await hpkeSeal(
      fromBase64url(keys.decryption.publicKey),
      padded(canonicalJson(replyOf(digestOf("another")))),
      {
        info: "guard/v1/reply",
        aad: utf8(canonicalJson({ app: world.app, request, device: statement(null).device })),
      },
    );
    const sealed = { enc: base64url(lying.enc), ciphertext: base64url(lying.ciphertext) };
    await expect(decrypt({ statement: statement(replyDigest(sealed)), reply: sealed })).rejects.toThrow(
      /for another request/,
    );
  });

  it("bad-ciphertext: a statement may sign garbage; it opens to nothing", async () => {
    const good = await seal(replyOf(request));
    const { publicKey } = keys.decryption;
    const aad = utf8(canonicalJson({ app: world.app, request, device: statement(null).device }));
    const said = async (text: Uint8Array, info = "guard/v1/reply") => {
      const sealed = await hpkeSeal(fromBase64url(publicKey), text, { info, aad });
      return { enc: base64url(sealed.enc), ciphertext: base64url(sealed.ciphertext) };
    };
    const whole = replyOf(request);
    const garbage = [
      { ...good, enc: "" },
      { ...good, enc: "not base64url!" },
      { ...good, ciphertext: "A" },
      { ...good, ciphertext: "" },
      await said(padded(canonicalJson(whole)), "guard/v1/request"),
      await said(padded(JSON.stringify(whole, null, 1))),
      await said(padded(canonicalJson({ ...whole, tool: "delete" }))),
      await said(padded(canonicalJson({ ...whole, edit: { args: {}, tool: "delete" } }))),
      await said(padded(canonicalJson({ ...whole, reason: "x".repeat(4001) }))),
      await said(padded(canonicalJson({ ...whole, type: "guard/v2/reply" }))),
      await said(padded("\ud800")),
      await said(Uint8Array.from([0, 0, 0, 2, 0xff, 0xfe, ...new Uint8Array(506)])),
      await said(new Uint8Array(512)),
      await said(new Uint8Array(0)),
    ];
    for (const reply of garbage) {
      await refused(decrypt({ statement: statement(replyDigest(reply)), reply }));
    }
    await refused(decrypt({ statement: statement(digestOf("")), reply: { enc: "\ud800", ciphertext: "" } }));
  });
});

function padded(text: string): Uint8Array {
  const bytes = utf8(text);
  let size = 512;
  while (size < bytes.length + 4) size *= 2;
  const out = new Uint8Array(size);
  new DataView(out.buffer).setUint32(0, bytes.length);
  out.set(bytes, 4);
  return out;
}
