/**
 * The demo's script as plain data: who writes in, what the scripted model calls, what the scripted people
 * answer, and the numbers that must come out. Nothing in here decides anything: the rules and the people do.
 */
import type { Rule } from "@guard/core";

export const alice = "alice@shop.example";
export const bob = "bob@shop.example";
export const people = [alice, bob] as const;

/** The policy: read from top to bottom, the first rule that matches decides. */
export const policy: readonly Rule[] = [
  { tool: "lookup*", then: "allow" },
  { tool: "refund", when: { amount: { lte: 50 } }, then: "allow" },
  { tool: "refund", when: { amount: { gt: 5000 } }, then: "ask", quorum: 2, reason: "More than 5,000" },
  { tool: "refund", then: "ask", approvers: [alice], reason: "A refund of more than 50" },
  { tool: "sendEmail", then: "ask", approvers: [alice], reason: "E-mails to customers are read first" },
  { tool: "payOut", then: "ask", approvers: [bob], reason: "Money to an account that we do not know" },
  { tool: "delete*", then: "deny", reason: "Deletions go through the data team" },
];

export interface ScriptedCall {
  readonly tool: string;
  readonly args: { readonly [name: string]: string | number };
}

export interface Ticket {
  readonly id: string;
  readonly text: string;
  /** What the model calls, step by step; the calls of one step are made in parallel. */
  readonly steps: readonly (readonly ScriptedCall[])[];
  /** For the person at the keyboard. */
  readonly hint?: string;
}

const call = (tool: string, args: ScriptedCall["args"]): ScriptedCall => ({ tool, args });

export const tickets: readonly Ticket[] = [
  {
    id: "ticket-1",
    text: "Order 1001: the mug arrived cracked.",
    steps: [[call("lookupOrder", { order: 1001 })], [call("refund", { order: 1001, amount: 18 })]],
  },
  {
    id: "ticket-2",
    text: "Order 1002: the espresso machine leaks.",
    steps: [[call("lookupOrder", { order: 1002 })], [call("refund", { order: 1002, amount: 480 })]],
    hint: "approve it",
  },
  {
    id: "ticket-3",
    text: "Order 1003: the sofa came three days late, I want it all back!",
    steps: [[call("lookupOrder", { order: 1003 })], [call("refund", { order: 1003, amount: 900 })]],
    hint: "edit the amount from 900 to 90",
  },
  {
    id: "ticket-4",
    text: "Please delete my account.",
    steps: [[call("deleteCustomer", { customer: 4 })]],
  },
  {
    id: "ticket-5",
    text: "Two parcels are stuck at customs: tell Adam and Bea.",
    steps: [
      [
        call("sendEmail", { to: "adam@mail.example", text: "Your parcel is at customs." }),
        call("sendEmail", { to: "bea@mail.example", text: "Your parcel is at customs." }),
      ],
    ],
    hint: "two at once; answer them in any order",
  },
  {
    id: "ticket-6",
    text: "Order 1006: our company cancels all forty desks.",
    steps: [[call("lookupOrder", { order: 1006 })], [call("refund", { order: 1006, amount: 12_000 })]],
    hint: "approve it; Bob has to as well",
  },
  {
    id: "ticket-7",
    text: "Order 1007: after three months I do not like the lamp.",
    steps: [[call("lookupOrder", { order: 1007 })], [call("refund", { order: 1007, amount: 640 })]],
    hint: "reject it, and say why",
  },
];

/** The last act: here the relay lies. */
export const lastTicket: Ticket = {
  id: "ticket-8",
  text: "Order 1008: pay the refund to my new bank account instead.",
  steps: [[call("payOut", { order: 1008, amount: 2400, account: "XX00 1234" })]],
};

export interface ScriptedAnswer {
  readonly ticket: string;
  /** Which of the ticket's requests: those whose arguments hold this text. */
  readonly holds?: string;
  /** Answered only once the ticket's request that holds this text has run; was answered, where the agent is gone. */
  readonly after?: string;
  readonly decision: "approve" | "reject";
  readonly reason?: string;
  /** Arguments to run instead of those asked for. */
  readonly edit?: ScriptedCall["args"];
}

/** What the scripted people answer. A request that is not in here is rejected. */
export const answers: { readonly [identity: string]: readonly ScriptedAnswer[] } = {
  [alice]: [
    { ticket: "ticket-2", decision: "approve" },
    { ticket: "ticket-3", decision: "approve", edit: { amount: 90 }, reason: "Ten percent for being late" },
    { ticket: "ticket-5", holds: "adam@", after: "bea@", decision: "approve" },
    { ticket: "ticket-5", holds: "bea@", decision: "approve" },
    { ticket: "ticket-6", decision: "approve" },
    { ticket: "ticket-7", decision: "reject", reason: "Returns end after 30 days" },
  ],
  [bob]: [
    { ticket: "ticket-6", decision: "approve" },
    { ticket: "ticket-8", decision: "reject", reason: "That account is not the customer's" },
  ],
};

/** How each call ends. The kinds do not overlap; `forged` is the call about which the relay lied. */
export interface Tally {
  calls: number;
  /** Ran because a rule allows it. */
  allowed: number;
  /** Ran as asked, because people approved it. */
  approved: number;
  /** Ran with the arguments that an approver put in. */
  edited: number;
  rejected: number;
  /** Refused by a rule. */
  denied: number;
  forged: number;
  executed: number;
}

/** What must come out where model and people follow the script. */
export const expected: Readonly<Tally> = {
  calls: 14,
  allowed: 6,
  approved: 4,
  edited: 1,
  rejected: 1,
  denied: 1,
  forged: 1,
  executed: 11,
};
