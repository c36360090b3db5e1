/**
 * Whom a relay may have on its side: its own receipt key, and devices of people who may not decide (one that was
 * revoked, one of somebody who is not an approver). With their keys it signs what it likes.
 */
import {
  type Answer,
  agentKeys,
  base64url,
  type Consume,
  decryptionKey,
  deviceIdOf,
  ed25519Signer,
  type Head,
  idOf,
  type Paper,
  type Receipt,
  type RequestView,
  randomBytes,
  readEntry,
  readHeader,
  replyDigest,
  type Signed,
  type Signer,
  type Statement,
  sealRequest,
  signObject,
  wrapDigest,
} from "@guard/core";
import type { Choose } from "./choices.ts";

export interface Accomplice {
  readonly identity: string;
  readonly device: string;
  readonly signer: Signer;
}

export interface Accomplices {
  /** The key that the roster names for receipts, and the relay's name there. */
  readonly receipts: { readonly signer: Signer; readonly relay: string } | null;
  readonly devices: readonly Accomplice[];
}

export const nobody: Accomplices = { receipts: null, devices: [] };

/** A statement on the request of `view` that none of its approvers made, in the name of the device `claimed`. */
async function forgedAnswer(
  view: RequestView,
  claimed: { readonly device: string; readonly identity: string },
  signer: Signer,
  choose: Choose,
): Promise<Answer> {
  const header = readHeader(view.header);
  const edit = choose(8) === 1;
  const reply = edit ? { enc: base64url(randomBytes(1120)), ciphertext: base64url(randomBytes(528)) } : null;
  const statement: Statement = {
    type: "guard/v1/statement",
    app: header.app,
    request: header.request,
    requestDigest: header.requestDigest,
    actionDigest: header.actionDigest,
    effective: edit ? base64url(randomBytes(32)) : header.actionDigest,
    decision: choose(8) === 1 ? "reject" : "approve",
    response: reply ? replyDigest(reply) : null,
    ...claimed,
    roster: view.roster,
    time: header.createdAt + 1,
  };
  return { statement: await signObject(signer, statement), reply };
}

/**
 * Statements enough for every quorum: by accomplices as themselves or as somebody else, or in the name of the very
 * devices that were asked, with a key that is not theirs.
 */
export async function forgedAnswers(
  view: RequestView,
  by: Accomplices,
  options: { readonly choose: Choose; readonly devices: ReadonlyMap<string, { readonly identity: string }> },
): Promise<readonly Answer[]> {
  const { choose, devices } = options;
  const { recipients, terms } = readHeader(view.header);
  const stranger = await ed25519Signer(randomBytes(32));
  const asked = recipients.map(({ device }) => ({
    device,
    identity: devices.get(device)?.identity ?? (terms.approvers[0] as string),
  }));
  const how = choose(4);
  const claims = by.devices.map(({ device, identity, signer }, i) => {
    const other = terms.approvers[i % terms.approvers.length] as string;
    return { signer, claimed: { device, identity: how === 1 ? other : identity } };
  });
  if (how >= 2)
    claims.push(...asked.map((claimed) => ({ signer: by.devices[how - 3]?.signer ?? stranger, claimed })));
  return Promise.all(claims.map(({ claimed, signer }) => forgedAnswer(view, claimed, signer, choose)));
}

/**
 * A request that the agent never made, sealed to the device that asked for `view`: whoever knows a device's public key
 * can do that (sender-impersonation).
 */
export async function forgedRequest(
  view: RequestView,
  devices: ReadonlyMap<string, { readonly encryptionKey: string }>,
): Promise<RequestView> {
  const header = readHeader(view.header);
  const device = header.recipients.find(
    ({ wrapHash }) => view.wrap && wrapHash === wrapDigest(view.wrap),
  )?.device;
  const encryptionKey = device && devices.get(device)?.encryptionKey;
  if (!encryptionKey) return view;
  const keys = await agentKeys(randomBytes(32));
  const { app, agent, keyId, terms, createdAt, expiresAt, useBy, round } = header;
  const paper: Paper = {
    type: "guard/v1/paper",
    nonce: base64url(randomBytes(32)),
    action: { tool: "refund", args: { amount: 1_000_000 }, schemaDigest: null },
    salt: keys.salt(app, "forged"),
    facts: {},
    schema: null,
    callId: null,
    session: null,
    terms,
    policy: { version: "1", rule: "rules[0]", reasons: [] },
    ...{ createdAt, expiresAt, useBy, round },
    supersedes: null,
    roster: view.roster,
  };
  const sealed = await sealRequest({ keys, paper, app, agent, keyId, devices: [{ device, encryptionKey }] });
  const [wrap] = sealed.envelope.wraps;
  return {
    ...view,
    request: keys.requestId(keyId, round),
    header: sealed.header,
    ciphertext: sealed.envelope.ciphertext,
    wrap: wrap ? { enc: wrap.enc, ciphertext: wrap.ciphertext } : null,
  };
}

/**
 * A device of `identity` that nobody enrolled, and the roster entry that says otherwise: it follows `last`, and the root
 * did not sign it (key-substitution).
 */
export async function plantedDevice(
  last: Signed,
  identity: string,
): Promise<{ entry: Signed; accomplice: Accomplice }> {
  const { app, seq, time } = readEntry(last);
  const signer = await ed25519Signer(randomBytes(32));
  const { key } = signer;
  const encryptionKey = (await decryptionKey(randomBytes(32))).publicKey;
  const device = deviceIdOf({ app, identity, key, encryptionKey });
  const entry = {
    type: "guard/v1/roster",
    app,
    seq: seq + 1,
    prev: idOf(last),
    time,
    by: "root",
    change: { kind: "device", device, identity, key, encryptionKey, name: "planted", origin: "terminal" },
  };
  return { entry: await signObject(signer, entry), accomplice: { identity, device, signer } };
}

/** A receipt for whatever is consumed, with the relay's own key: null where the liar does not have it. */
export async function madeReceipt(
  by: Accomplices,
  consume: Signed,
  options: { readonly now: number; readonly roster?: Head },
): Promise<Signed | null> {
  if (by.receipts === null) return null;
  const { app, request, requestDigest, effective, attempt, roster } = JSON.parse(consume.body) as Consume;
  const receipt: Receipt = {
    type: "guard/v1/receipt",
    app,
    relay: by.receipts.relay,
    request,
    requestDigest,
    effective,
    attempt,
    roster: options.roster ?? roster,
    time: options.now,
  };
  return signObject(by.receipts.signer, receipt);
}
