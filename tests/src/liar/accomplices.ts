/**
 * Whom a relay may have on its side: its own receipt key, and devices of people who may not decide (one that was
 * revoked, one of somebody who is not an approver). With their keys it signs what it likes.
 */
import {
  type Answer,
  base64url,
  type Consume,
  ed25519Signer,
  type Head,
  type Receipt,
  type RequestView,
  randomBytes,
  readHeader,
  replyDigest,
  type Signed,
  type Signer,
  type Statement,
  signObject,
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

/** A statement on the request of `view` that none of its approvers made. */
export async function forgedAnswer(view: RequestView, by: Accomplices, choose: Choose): Promise<Answer> {
  const header = readHeader(view.header);
  const signer = by.devices[choose(by.devices.length + 1)] ?? {
    identity: header.terms.approvers[0] as string,
    device: header.recipients[0]?.device as string,
    signer: await ed25519Signer(randomBytes(32)),
  };
  // As themselves, or in the name of somebody who may decide.
  const borrowed = choose(2) === 1;
  const recipient = header.recipients[choose(header.recipients.length)]?.device as string;
  const approver = header.terms.approvers[choose(header.terms.approvers.length)] as string;
  const reply =
    choose(4) === 1 ? { enc: base64url(randomBytes(1120)), ciphertext: base64url(randomBytes(528)) } : null;
  const statement: Statement = {
    type: "guard/v1/statement",
    app: header.app,
    request: header.request,
    requestDigest: header.requestDigest,
    actionDigest: header.actionDigest,
    effective: reply ? base64url(randomBytes(32)) : header.actionDigest,
    decision: choose(4) === 1 ? "reject" : "approve",
    response: reply ? replyDigest(reply) : null,
    identity: borrowed || choose(2) === 1 ? approver : signer.identity,
    device: borrowed ? recipient : signer.device,
    roster: view.roster,
    time: header.createdAt + 1,
  };
  return { statement: await signObject(signer.signer, statement), reply };
}

/** A receipt for whatever is consumed, with the relay's own key: null where the liar does not have it. */
export async function madeReceipt(
  by: Accomplices,
  consume: Signed,
  options: { roster: Head; time: number },
): Promise<Signed | null> {
  if (by.receipts === null) return null;
  const { app, request, requestDigest, effective, attempt } = JSON.parse(consume.body) as Consume;
  const receipt: Receipt = {
    type: "guard/v1/receipt",
    app,
    relay: by.receipts.relay,
    request,
    requestDigest,
    effective,
    attempt,
    ...options,
  };
  return signObject(by.receipts.signer, receipt);
}
