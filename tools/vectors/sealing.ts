/** Papers and sealed requests, made by the code itself, or by hand as somebody who lies would make them. */
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
  type Signed,
  type Signer,
  sealRequest,
  signObject,
  utf8,
  wrapDigest,
} from "../../packages/core/src/index.ts";
import { restart, word } from "./random.ts";
import { sha256 } from "./signers.ts";
import { now, type Person, type World } from "./world.ts";

export const hour = 3_600_000;
export type Wrap = { readonly enc: string; readonly ciphertext: string };

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

export function pad(bytes: Uint8Array, size = 512): Uint8Array {
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
export async function lie(w: World, key: string, lies: Lies = {}): Promise<Made> {
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

/** The bytes with one bit changed. */
export const flipped = (text: string, at = 0) => {
  const bytes = fromBase64url(text);
  bytes[at < 0 ? bytes.length + at : at] = (bytes.at(at) as number) ^ 1;
  return base64url(bytes);
};
