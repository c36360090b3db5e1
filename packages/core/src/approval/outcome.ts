/**
 * What statements add up to. One pure function for relay, agent and verifier: it does not depend on the order
 * of the statements, on who asks, or on anything that is not passed in.
 *
 * A statement counts if its digests are the request's, its device and identity are on the roster and not
 * revoked, its identity is among the approvers and is not the requester, and its time is before expiry
 * (60 s of grace for the device's clock). Signatures are checked before, by {@link verifyAnswers}. An unsigned answer
 * counts where the terms accept its wire, which they can only where one person suffices.
 */
import { type Signed, verifySigned } from "../crypto/signed.ts";
import { isGuardError } from "../errors.ts";
import type { Roster } from "../roster/roster.ts";
import type { Header } from "./request.ts";
import { type Answered, readAnswer } from "./statement.ts";
import { eligible } from "./terms.ts";

/** How far a device's clock may be behind expiry and its statement still count, in milliseconds. */
export const expiryGrace = 60_000;

export interface Outcome {
  readonly status: "pending" | "approved" | "rejected" | "expired" | "superseded";
  /** Digest of the action that may run (approved) or has to be asked anew (superseded); else null. */
  readonly effective: string | null;
  /** The identities whose statements made the outcome, sorted. */
  readonly by: readonly string[];
}

type Question = Pick<Header, "app" | "request" | "requestDigest" | "actionDigest" | "terms" | "expiresAt">;

/** Without the agent no unsigned answer is believed. */
type Asked = Question & Partial<Pick<Header, "agent">>;

/** Why a statement does not count, or null where it does. */
export function whyNotCounted(question: Question, roster: Roster, statement: Answered): string | null {
  const { terms } = question;
  if (statement.app !== question.app) return "it is another app's";
  if (statement.request !== question.request) return "it answers another request";
  if (statement.requestDigest !== question.requestDigest) return "it answers another paper";
  if (statement.actionDigest !== question.actionDigest) return "it answers another action";
  const edited = statement.effective !== question.actionDigest;
  if (edited && statement.decision === "reject") return "it rejects an edit";
  if (edited && !terms.editable) return "the arguments may not be edited";
  if (edited && statement.response === null) return "it edits and carries no arguments";
  if (statement.type === "guard/v1/unsigned") {
    if (terms.unsigned !== statement.wire) return "the terms accept no unsigned answer over that wire";
  } else {
    const device = roster.device(statement.device);
    if (!device || device.revoked) return "its device is not on the roster";
    if (device.identity !== statement.identity) return "its device is another identity's";
  }
  if (roster.identity(statement.identity)?.revoked !== false) return "its identity is not on the roster";
  if (!eligible(terms).includes(statement.identity)) return "its identity is not among the approvers";
  if (statement.time > question.expiresAt + expiryGrace) return "it came after expiry";
  return null;
}

/**
 * Counts. `now` (ms) decides between pending and expired only.
 * With quorum 1 an edit approves the edited action; with more, it supersedes the request, and the edited
 * action is asked anew. An identity that answered both ways has rejected.
 */
export function outcomeOf(
  question: Question,
  roster: Roster,
  statements: readonly Answered[],
  now: number,
): Outcome {
  const { terms, actionDigest } = question;
  const counted = statements.filter((statement) => whyNotCounted(question, roster, statement) === null);
  const rejected = people(counted.filter((s) => s.decision === "reject"));
  if (rejected.length >= terms.rejections) return { status: "rejected", effective: null, by: rejected };

  const approvals = counted.filter((s) => s.decision === "approve" && !rejected.includes(s.identity));
  const asked = people(approvals.filter((s) => s.effective === actionDigest));
  if (asked.length >= terms.quorum) return { status: "approved", effective: actionDigest, by: asked };

  // Of several edits the earliest stands; ties are broken by the digest, so that every reader agrees.
  const edit = approvals
    .filter((s) => s.effective !== actionDigest)
    .sort(
      (a, b) => a.time - b.time || (a.effective < b.effective ? -1 : a.effective > b.effective ? 1 : 0),
    )[0];
  if (edit) {
    const by = people(approvals.filter((s) => s.effective === edit.effective));
    return { status: terms.quorum === 1 ? "approved" : "superseded", effective: edit.effective, by };
  }
  return { status: now >= question.expiresAt ? "expired" : "pending", effective: null, by: [] };
}

function people(statements: readonly Answered[]): readonly string[] {
  return [...new Set(statements.map((statement) => statement.identity))].sort();
}

/**
 * Reads statements and checks their signatures by the roster. What is malformed, not signed by its device, or
 * does not count for this request is left out.
 */
export async function verifyAnswers(
  question: Asked,
  roster: Roster,
  statements: readonly Signed[],
): Promise<Answered[]> {
  const verified = await Promise.all(statements.map((signed) => verifyAnswer(question, roster, signed)));
  return verified.filter((statement) => statement !== null);
}

/** One statement, read and verified, or null where it is not to be believed. */
export async function verifyAnswer(
  question: Asked,
  roster: Roster,
  signed: Signed,
): Promise<Answered | null> {
  let statement: Answered;
  try {
    statement = readAnswer(signed);
  } catch (error) {
    if (isGuardError(error, "verification_failed")) return null;
    throw error;
  }
  // Who wrote it down: the device that decided, or the agent that was told.
  const signer =
    statement.type === "guard/v1/unsigned"
      ? roster.agent(question.agent ?? "")
      : roster.device(statement.device);
  if (!signer || signer.revoked || !(await verifySigned(signer.key, signed))) return null;
  return whyNotCounted(question, roster, statement) === null ? statement : null;
}
