/**
 * What statements add up to, as data. People are a, b, c (approvers), r (an approver who is the requester where
 * a case says so), o (enrolled, no approver) and g (an approver whose identity is revoked); a2 is a's second
 * device, x is a's revoked one.
 */
import type { Statement } from "./statement.ts";
import type { Terms } from "./terms.ts";

export type Device = "a" | "a2" | "b" | "c" | "r" | "o" | "g" | "x" | "unknown";

export interface Vote {
  readonly from: Device;
  readonly decision?: "approve" | "reject";
  /** Name of the edited action; null for the one that was asked. */
  readonly edit?: string;
  /** Milliseconds after expiry; before it where absent. */
  readonly late?: number;
  /** Other members of the statement, as digests of these words. */
  readonly lies?: Partial<Record<"app" | "request" | "requestDigest" | "actionDigest", string>>;
  readonly identity?: string;
  readonly response?: Statement["response"];
}

export interface Case {
  readonly title: string;
  readonly terms?: Partial<Terms>;
  readonly votes: readonly Vote[];
  readonly status: "pending" | "approved" | "rejected" | "superseded";
  /** The identities' letters. */
  readonly by?: string;
  /** Name of the edit that came out, where it is not the asked action. */
  readonly edit?: string;
}

const yes = (from: Device, more: Partial<Vote> = {}): Vote => ({ from, ...more });
const no = (from: Device, more: Partial<Vote> = {}): Vote => ({ from, decision: "reject", ...more });
const editable = { editable: true };

export const cases: readonly Case[] = [
  { title: "nobody answered", votes: [], status: "pending" },
  { title: "quorum 1, one yes", votes: [yes("a")], status: "approved", by: "a" },
  { title: "quorum 1, two yes", votes: [yes("b"), yes("a")], status: "approved", by: "ab" },
  { title: "quorum 2, one yes", terms: { quorum: 2 }, votes: [yes("a")], status: "pending" },
  {
    title: "quorum 2, two yes",
    terms: { quorum: 2 },
    votes: [yes("a"), yes("c")],
    status: "approved",
    by: "ac",
  },
  { title: "quorum 3, two yes", terms: { quorum: 3 }, votes: [yes("a"), yes("b")], status: "pending" },
  {
    title: "quorum 3, three yes",
    terms: { quorum: 3 },
    votes: [yes("c"), yes("a"), yes("b")],
    status: "approved",
    by: "abc",
  },
  { title: "one no", votes: [no("a")], status: "rejected", by: "a" },
  { title: "a no beats a yes", votes: [yes("a"), no("b")], status: "rejected", by: "b" },
  { title: "two have to say no, one did", terms: { rejections: 2 }, votes: [no("a")], status: "pending" },
  {
    title: "two have to say no, one did, another said yes",
    terms: { rejections: 2 },
    votes: [no("a"), yes("b")],
    status: "approved",
    by: "b",
  },
  {
    title: "two have to say no, two did",
    terms: { rejections: 2 },
    votes: [no("b"), yes("c"), no("a")],
    status: "rejected",
    by: "ab",
  },
  { title: "both ways is a no", votes: [yes("a"), no("a")], status: "rejected", by: "a" },
  { title: "both ways on two devices is a no", votes: [yes("a2"), no("a")], status: "rejected", by: "a" },
  {
    title: "both ways does not count as a yes where one no does not reject",
    terms: { rejections: 2 },
    votes: [yes("a"), no("a")],
    status: "pending",
  },
  {
    title: "one-person-quorum: two devices of one person",
    terms: { quorum: 2 },
    votes: [yes("a"), yes("a2")],
    status: "pending",
  },
  {
    title: "one-person-quorum: one statement twice",
    terms: { quorum: 2 },
    votes: [yes("a"), yes("a")],
    status: "pending",
  },
  {
    title: "one-person-quorum: two noes of one person",
    terms: { rejections: 2 },
    votes: [no("a"), no("a2")],
    status: "pending",
  },
  { title: "not-an-approver: an enrolled device of somebody else", votes: [yes("o")], status: "pending" },
  { title: "not-an-approver: their no counts no more", votes: [no("o")], status: "pending" },
  {
    title: "not-an-approver: somebody else's device in an approver's name",
    votes: [yes("o", { identity: "a@example.com" })],
    status: "pending",
  },
  { title: "forged-outcome: a device that nobody enrolled", votes: [yes("unknown")], status: "pending" },
  { title: "revoked-device: a revoked device", votes: [yes("x"), no("x")], status: "pending" },
  { title: "revoked-device: a device of a revoked identity", votes: [yes("g")], status: "pending" },
  {
    title: "self-approval: the requester's yes",
    terms: { requester: "r@example.com" },
    votes: [yes("r")],
    status: "pending",
  },
  {
    title: "self-approval: the requester makes no second person",
    terms: { requester: "r@example.com", quorum: 2 },
    votes: [yes("r"), yes("a")],
    status: "pending",
  },
  { title: "without a requester the same person may", votes: [yes("r")], status: "approved", by: "r" },
  {
    title: "a device's clock a minute behind",
    votes: [yes("a", { late: 60_000 })],
    status: "approved",
    by: "a",
  },
  {
    title: "vote-after-terminal: a minute and a millisecond late",
    votes: [yes("a", { late: 60_001 })],
    status: "pending",
  },
  { title: "vote-after-terminal: a late no", votes: [no("a", { late: 60_001 })], status: "pending" },
  {
    title: "an edit with quorum 1",
    terms: editable,
    votes: [yes("a", { edit: "less" })],
    status: "approved",
    by: "a",
    edit: "less",
  },
  {
    title: "an edit beside a yes: what was asked stands",
    terms: editable,
    votes: [yes("a", { edit: "less" }), yes("b")],
    status: "approved",
    by: "b",
  },
  {
    title: "two edits with quorum 1: the earlier stands",
    terms: editable,
    votes: [yes("b", { edit: "none", late: 2 }), yes("a", { edit: "less", late: 1 })],
    status: "approved",
    by: "a",
    edit: "less",
  },
  {
    title: "one edit by two people",
    terms: editable,
    votes: [yes("a", { edit: "less" }), yes("b", { edit: "less" })],
    status: "approved",
    by: "ab",
    edit: "less",
  },
  {
    title: "an edit with quorum 2 is asked anew",
    terms: { ...editable, quorum: 2 },
    votes: [yes("a", { edit: "less" })],
    status: "superseded",
    by: "a",
    edit: "less",
  },
  {
    title: "an edit with quorum 2, by two: still asked anew",
    terms: { ...editable, quorum: 2 },
    votes: [yes("a", { edit: "less" }), yes("b", { edit: "less" })],
    status: "superseded",
    by: "ab",
    edit: "less",
  },
  {
    title: "an edit and a yes are no two people of one mind",
    terms: { ...editable, quorum: 2 },
    votes: [yes("a", { edit: "less" }), yes("b")],
    status: "superseded",
    by: "a",
    edit: "less",
  },
  {
    title: "a no beats an edit",
    terms: editable,
    votes: [yes("a", { edit: "less" }), no("b")],
    status: "rejected",
    by: "b",
  },
  {
    title: "the edit of somebody who also said no does not count",
    terms: { ...editable, rejections: 2 },
    votes: [yes("a", { edit: "less" }), no("a")],
    status: "pending",
  },
  {
    title: "edited-tool-escape: an edit where none is allowed",
    votes: [yes("a", { edit: "less" })],
    status: "pending",
  },
  {
    title: "edited-tool-escape: an edit without its arguments",
    terms: editable,
    votes: [yes("a", { edit: "less", response: null })],
    status: "pending",
  },
  {
    title: "a no that carries an edit",
    terms: editable,
    votes: [no("a", { edit: "less" })],
    status: "pending",
  },
  {
    title: "cross-request-splice: an answer to another request",
    votes: [yes("a", { lies: { request: "other" } })],
    status: "pending",
  },
  {
    title: "outcome-replay: an answer to another paper of this request",
    votes: [yes("a", { lies: { requestDigest: "other" } })],
    status: "pending",
  },
  {
    title: "stale-decision: an answer to another action",
    votes: [yes("a", { lies: { actionDigest: "other" } })],
    status: "pending",
  },
  {
    title: "cross-tenant: an answer in another app",
    votes: [yes("a", { lies: { app: "other" } })],
    status: "pending",
  },
  {
    title: "outcome-replay: an old no",
    votes: [no("a", { lies: { requestDigest: "other" } })],
    status: "pending",
  },
];
