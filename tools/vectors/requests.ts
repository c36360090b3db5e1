/** Vectors of sealing: requests to devices, and replies to the agent, with everybody's private keys. */
import { createCipheriv } from "node:crypto";
import { hpkeSeal } from "../../packages/core/src/crypto/hpke.ts";
import {
  actionDigest,
  base64url,
  canonicalJson,
  digestOf,
  fromBase64url,
  type Header,
  type Paper,
  type Reply,
  replyDigest,
  type SealedReply,
  type Signed,
  type Signer,
  sealReply,
  sealRequest,
  signObject,
  utf8,
  wrapDigest,
} from "../../packages/core/src/index.ts";
import { restart, seed, word } from "./random.ts";
import { sha256 } from "./signers.ts";
import { now, type Person, type VectorFile, type World } from "./world.ts";

export const hour = 3_600_000;
type Wrap = { readonly enc: string; readonly ciphertext: string };

export function paperOf(w: World, key: string, change: Partial<Paper> = {}): Paper {
  const approvers = [w.people.alice.identity, w.people.bob.identity];
  return {
    type: "guard/v1/paper",
    nonce: word(`nonce of ${key}`),
    action: { tool: "refund", args: { amount: 900, order: key }, schemaDigest: null },
    salt: w.agent.salt(w.app, key),
    facts: { risk: "high", title: `Refund 900 for order ${key}`, metadata: { customer: "c-17" } },
    schema: null,
    callId: null,
    session: "chat-1",
    terms: { approvers, quorum: 1, rejections: 1, editable: true, requester: null },
    policy: { version: "v1", rule: "refund", reasons: ["amount is over 50"] },
    createdAt: now,
    expiresAt: now + hour,
    useBy: now + 2 * hour,
    round: 0,
    supersedes: null,
    roster: w.calm.head,
    ...change,
  };
}

function pad(bytes: Uint8Array, size = 512): Uint8Array {
  let length = size;
  while (length < bytes.length + 4) length *= 2;
  const padded = Buffer.alloc(length);
  padded.writeUInt32BE(bytes.length);
  padded.set(bytes, 4);
  return padded;
}

export interface Made {
  readonly header: Signed;
  readonly ciphertext: string;
  readonly wraps: readonly (Wrap & { readonly device: string })[];
}

/** An honest request, made by the code itself. */
export async function request(
  w: World,
  key: string,
  change: Partial<Paper> = {},
  to?: readonly Person[],
): Promise<Made> {
  restart(`request ${key} ${change.round ?? 0}`);
  const paper = paperOf(w, key, change);
  const people = to ?? [w.people.alice, w.people.bob];
  const devices = people.map(({ device, decryption }) => ({ device, encryptionKey: decryption.publicKey }));
  const made = await sealRequest({
    ...{ keys: w.agent, paper, app: w.app, agent: "billing", keyId: w.agent.keyId(w.app, key), devices },
  });
  return { header: made.header, ...made.envelope };
}

interface Lies {
  readonly text?: string;
  readonly padded?: Uint8Array;
  readonly contentAad?: object;
  readonly wrapAad?: object;
  readonly info?: string;
  readonly to?: Person;
  readonly header?: Partial<Header> & Record<string, unknown>;
  readonly signer?: Signer;
}

/** A request to Alice's device by hand, as somebody who lies would make it. */
async function lie(w: World, key: string, lies: Lies = {}): Promise<Made> {
  restart(`lie ${key}`);
  const paper = paperOf(w, key);
  const keyId = w.agent.keyId(w.app, key);
  const id = w.agent.requestId(keyId, 0);
  const text = lies.text ?? canonicalJson(paper);
  const contentKey = w.agent.contentKey(paper.nonce);
  const cipher = createCipheriv("aes-256-gcm", contentKey, new Uint8Array(12));
  cipher.setAAD(
    utf8(canonicalJson(lies.contentAad ?? { app: w.app, request: id, expiresAt: paper.expiresAt })),
  );
  const sealed = Buffer.concat([
    cipher.update(lies.padded ?? pad(utf8(text))),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  const { device } = w.people.alice;
  const ciphertextHash = base64url(sha256(sealed));
  const aad = lies.wrapAad ?? { app: w.app, request: id, device, ciphertextHash };
  const wrapped = await hpkeSeal(
    fromBase64url((lies.to ?? w.people.alice).decryption.publicKey),
    contentKey,
    { info: lies.info ?? "guard/v1/request", aad: utf8(canonicalJson(aad)) },
  );
  const wrap = { enc: base64url(wrapped.enc), ciphertext: base64url(wrapped.ciphertext) };
  const { terms, createdAt, expiresAt, useBy, nonce, action, salt } = paper;
  const header = {
    type: "guard/v1/request",
    ...{ app: w.app, agent: "billing", keyId, round: 0, request: id, nonce },
    requestDigest: digestOf(text),
    actionDigest: actionDigest(w.app, "billing", action, salt),
    ...{ terms, createdAt, expiresAt, useBy, ciphertextHash },
    recipients: [{ device, wrapHash: wrapDigest(wrap) }],
    ...lies.header,
  };
  return {
    header: await signObject(lies.signer ?? w.agent.signer, header),
    ciphertext: base64url(sealed),
    wraps: [{ device, ...wrap }],
  };
}

const flipped = (text: string, at = 0) => {
  const bytes = fromBase64url(text);
  bytes[at < 0 ? bytes.length + at : at] = (bytes.at(at) as number) ^ 1;
  return base64url(bytes);
};

export async function sealedRequests(w: World): Promise<VectorFile> {
  const { alice, bob, mallory } = w.people;
  const cases: object[] = [];
  const plain = await request(w, "plain");
  const asCase = (name: string, made: Made, to: Person, rest: object) => {
    const { device: _, ...wrap } =
      made.wraps.find((of) => of.device === to.device) ?? (made.wraps[0] as Wrap & { device: string });
    cases.push({ name, device: to.device, header: made.header, ciphertext: made.ciphertext, wrap, ...rest });
  };
  const good = (name: string, made: Made, to: Person, paper: Paper) =>
    asCase(name, made, to, { valid: true, paper: canonicalJson(paper) });
  const bad = (name: string, why: string, made: Made, change: object = {}, to = alice) =>
    asCase(name, made, to, { valid: false, why, ...change });

  good("to the first device", plain, alice, paperOf(w, "plain"));
  good("to the second device", plain, bob, paperOf(w, "plain"));
  const long = { action: { tool: "note", args: { text: "x".repeat(1500) }, schemaDigest: word("schema") } };
  good("a long paper: 2048 bytes and more", await request(w, "long", long), alice, paperOf(w, "long", long));
  const again = { round: 1, supersedes: JSON.parse(plain.header.body).request as string };
  good("asked anew", await request(w, "plain", again), alice, paperOf(w, "plain", again));
  good("by hand", await lie(w, "by hand"), alice, paperOf(w, "by hand"));

  const wrapOf = (made: Made, of: Person) => {
    const { device: _, ...wrap } = made.wraps.find((one) => one.device === of.device) as Wrap & {
      device: string;
    };
    return wrap;
  };
  const other = await request(w, "other");
  const own = wrapOf(plain, alice);
  bad("bad-ciphertext: a flipped bit", "ciphertextHash", plain, { ciphertext: flipped(plain.ciphertext, 9) });
  bad("bad-ciphertext: cut off", "ciphertextHash", plain, { ciphertext: plain.ciphertext.slice(0, 200) });
  bad("bad-ciphertext: empty", "ciphertextHash", plain, { ciphertext: "" });
  bad("bad-ciphertext: not base64url", "encoding", plain, { ciphertext: `${plain.ciphertext}=` });
  bad("bad-ciphertext: a flipped bit in the wrap", "wrapHash", plain, {
    wrap: { ...own, ciphertext: flipped(own.ciphertext) },
  });
  bad("bad-ciphertext: a flipped bit in the encapsulation", "wrapHash", plain, {
    wrap: { ...own, enc: flipped(own.enc) },
  });
  bad("cross-request-splice: another device's wrap", "wrapHash", plain, { wrap: wrapOf(plain, bob) });
  bad("cross-request-splice: another request's wrap", "wrapHash", plain, { wrap: wrapOf(other, alice) });
  bad("cross-request-splice: another request's ciphertext", "ciphertextHash", plain, {
    ciphertext: other.ciphertext,
  });
  bad("not-an-approver: a device that is no recipient", "recipient", plain, { device: mallory.device });
  bad(
    "sender-impersonation: signed by another agent",
    "signature",
    await lie(w, "l1", { signer: w.other.signer }),
  );
  bad(
    "sender-impersonation: another agent's name",
    "signature",
    await lie(w, "l2", { header: { agent: "other" } }),
  );
  bad("forged-outcome: the signature of another header", "signature", {
    ...plain,
    header: { ...plain.header, signature: other.header.signature },
  });
  bad(
    "clock-rollback: expiresAt is moved and signed again",
    "aad",
    await lie(w, "l3", { header: { expiresAt: now + 2 * hour } }),
  );
  bad(
    "cross-request-splice: sealed for another request",
    "aad",
    await lie(w, "l4", { contentAad: { app: w.app, request: word("another"), expiresAt: now + hour } }),
  );
  bad(
    "cross-request-splice: wrapped for another device",
    "aad",
    await lie(w, "l5", {
      wrapAad: { app: w.app, request: word("x"), device: bob.device, ciphertextHash: word("y") },
    }),
  );
  bad("wrapped under another info", "info", await lie(w, "l6", { info: "guard/v1/reply" }));
  bad("key-substitution: wrapped for another key", "key", await lie(w, "l7", { to: mallory }));
  const paper = paperOf(w, "l8");
  bad(
    "wrong padding: not a power of two",
    "padding",
    await lie(w, "l8", { padded: pad(utf8(canonicalJson(paper)), 600) }),
  );
  bad(
    "wrong padding: larger than needed",
    "padding",
    await lie(w, "l8", { padded: pad(utf8(canonicalJson(paper)), 4096) }),
  );
  const dirty = pad(utf8(canonicalJson(paper)));
  dirty[dirty.length - 1] = 1;
  bad("wrong padding: not zeros", "padding", await lie(w, "l8", { padded: dirty }));
  const lengthy = pad(utf8(canonicalJson(paper)));
  Buffer.from(lengthy.buffer, lengthy.byteOffset).writeUInt32BE(lengthy.length, 0);
  bad("wrong padding: a length beyond the end", "padding", await lie(w, "l8", { padded: lengthy }));
  const l9 = paperOf(w, "l9");
  bad(
    "canonical-confusion: a paper that is not canonical",
    "canonical",
    await lie(w, "l9", { text: ` ${canonicalJson(l9)}` }),
  );
  bad(
    "a paper with an unknown member",
    "shape",
    await lie(w, "l9", { text: canonicalJson({ ...l9, note: "x" }) }),
  );
  bad(
    "downgrade: a paper of another version",
    "type",
    await lie(w, "l9", { text: canonicalJson({ ...l9, type: "guard/v2/paper" }) }),
  );
  bad(
    "lies-in-the-loop: the paper has another action than the header signs",
    "actionDigest",
    await lie(w, "l9", { text: canonicalJson({ ...l9, action: { ...l9.action, tool: "lookup" } }) }),
  );
  bad(
    "the header signs another paper",
    "requestDigest",
    await lie(w, "l9", { header: { requestDigest: word("another paper") } }),
  );
  bad(
    "the header has another nonce",
    "nonce",
    await lie(w, "l9", { text: canonicalJson({ ...l9, nonce: word("another nonce") }) }),
  );
  bad(
    "the header has easier terms",
    "terms",
    await lie(w, "l9", { header: { terms: { ...l9.terms, approvers: [alice.identity] } } }),
  );
  bad("the header has another useBy", "useBy", await lie(w, "l9", { header: { useBy: now + 3 * hour } }));
  bad("the header has another round", "round", await lie(w, "l9", { header: { round: 1 } }));
  bad("the header has an unknown member", "shape", await lie(w, "l9", { header: { note: "x" } }));
  bad(
    "the header has another type",
    "type",
    await lie(w, "l9", { header: { type: "guard/v2/request" } as never }),
  );
  bad(
    "threshold-zero: quorum 0",
    "shape",
    await lie(w, "l9", { header: { terms: { ...l9.terms, quorum: 0 } } }),
  );
  bad(
    "a quorum that nobody can reach",
    "shape",
    await lie(w, "l9", { header: { terms: { ...l9.terms, quorum: 2, requester: alice.identity } } }),
  );
  bad(
    "approvers that are not sorted",
    "shape",
    await lie(w, "l9", { header: { terms: { ...l9.terms, approvers: [...l9.terms.approvers].reverse() } } }),
  );
  bad("times out of order", "shape", await lie(w, "l9", { header: { useBy: now } }));

  return {
    description:
      "Sealed requests (sections 5 and 6). A device of `devices` opens `header`, `ciphertext` and `wrap` with its private seed; the header has to be signed by `agentKey`. `valid`: whether it may be shown; `paper`: the canonical text that comes out. `why` is a hint. The HPKE randomness of these files is that of tools/vectors/random.ts.",
    ...{
      app: w.app,
      agent: "billing",
      agentKey: w.agent.signer.key,
      agentSeed: base64url(seed("agent billing")),
    },
    devices: Object.fromEntries(
      [alice, bob, mallory].map(({ identity, device, decryption }) => [
        device,
        {
          identity,
          encryptionSeed: base64url(seed(`device encryption ${identity.split("@")[0]}`)),
          encryptionKey: decryption.publicKey,
        },
      ]),
    ),
    cases,
  };
}

export async function sealedReplies(w: World): Promise<VectorFile> {
  const { alice, bob } = w.people;
  const id = w.agent.requestId(w.agent.keyId(w.app, "plain"), 0);
  const encryptionKey = w.agent.decryption.publicKey;
  const reply: Reply = {
    type: "guard/v1/reply",
    request: id,
    reason: "only half",
    edit: { args: { amount: 450, order: "plain" } },
  };
  const cases: object[] = [];
  restart("replies");
  const seal = (of: Reply, device = alice.device) =>
    sealReply({ reply: of, app: w.app, device, agentEncryptionKey: encryptionKey });
  const statement = (sealed: SealedReply | null, change: object = {}) => ({
    ...{ app: w.app, request: id, device: alice.device, response: sealed && replyDigest(sealed) },
    ...change,
  });
  const good = async (name: string, of: Reply) => {
    const sealed = await seal(of);
    cases.push({ name, statement: statement(sealed), reply: sealed, valid: true, text: canonicalJson(of) });
  };
  const bad = (name: string, why: string, sealed: SealedReply, signs: object) =>
    cases.push({ name, statement: signs, reply: sealed, valid: false, why });
  await good("a reason and an edit", reply);
  await good("a reason alone", { ...reply, edit: null });
  await good("an edit alone, to null", { ...reply, reason: null, edit: { args: null } });
  const sealed = await seal(reply);
  const another = await seal({ ...reply, reason: "send it to me instead" });
  bad("reason-injection: another reply than was signed", "response", another, statement(sealed));
  bad("reason-injection: a reply where none was signed", "response", another, statement(null));
  bad(
    "bad-ciphertext: a flipped bit",
    "response",
    { ...sealed, ciphertext: flipped(sealed.ciphertext) },
    statement(sealed),
  );
  const broken = { ...sealed, ciphertext: flipped(sealed.ciphertext) };
  bad("bad-ciphertext: a flipped bit that was signed", "open", broken, statement(broken));
  const truncated = { ...sealed, enc: sealed.enc.slice(0, 40) };
  bad("bad-ciphertext: a short encapsulation", "open", truncated, statement(truncated));
  bad(
    "cross-request-splice: sealed by another device",
    "aad",
    sealed,
    statement(sealed, { device: bob.device }),
  );
  bad(
    "cross-request-splice: for another request",
    "aad",
    sealed,
    statement(sealed, { request: word("another request") }),
  );
  const moved = await seal({ ...reply, request: word("another request") });
  bad(
    "cross-request-splice: sealed for another request",
    "request",
    moved,
    statement(moved, { request: word("another request"), device: bob.device }),
  );
  const raw = async (text: string) => {
    const out = await hpkeSeal(fromBase64url(encryptionKey), pad(utf8(text)), {
      info: "guard/v1/reply",
      aad: utf8(canonicalJson({ app: w.app, request: id, device: alice.device })),
    });
    return { enc: base64url(out.enc), ciphertext: base64url(out.ciphertext) };
  };
  for (const [name, why, text] of [
    ["an unknown member", "shape", canonicalJson({ ...reply, tool: "delete" })],
    [
      "edited-tool-escape: an edit that names a tool",
      "shape",
      canonicalJson({ ...reply, edit: { args: {}, tool: "delete" } }),
    ],
    ["a reason that is too long", "shape", canonicalJson({ ...reply, reason: "x".repeat(4001) })],
    ["not canonical", "canonical", `${canonicalJson(reply)} `],
    ["another type", "type", canonicalJson({ ...reply, type: "guard/v1/paper" })],
    [
      "inside it says another request",
      "request",
      canonicalJson({ ...reply, request: word("another request") }),
    ],
  ] as const) {
    const made = await raw(text);
    bad(name, why, made, statement(made));
  }
  return {
    description:
      "Sealed replies (section 7.2): what a device seals to the agent, and the part of its statement that binds it. `valid`: whether the agent may read it; `text` is what comes out.",
    agentSeed: base64url(seed("agent billing")),
    cases,
  };
}
