/** What happens in a session, drawn by fast-check: who asks what, who decides what, and what the liar does. */
import fc from "fast-check";
import type { Kind } from "./lie.ts";
import { type LieName, lieNames } from "./lies.ts";

const minute = 60_000;
const hour = 60 * minute;

/** The tools of every session, and what policy says of each. `quorum` 0 runs by itself; null is denied. */
export const tools = {
  lookup: { quorum: 0, expiresIn: hour },
  refund: { quorum: 1, expiresIn: hour },
  wire: { quorum: 2, expiresIn: hour },
  wipe: { quorum: null, expiresIn: hour },
} as const;
export type Tool = keyof typeof tools;

export const policy = [
  { tool: "lookup", then: "allow" },
  { tool: "refund", then: "ask" },
  { tool: "wire", then: "ask", quorum: 2 },
  { tool: "wipe", then: "deny" },
] as const;

export type Choice = "approve" | "reject" | "edit" | "ignore";
export const edited = 100;

export type Step =
  | {
      readonly do: "ask";
      readonly guard: 0 | 1;
      readonly tool: Tool;
      readonly amount: number;
      readonly key: number;
      readonly wait: boolean;
    }
  /** An approver looks at what is open, or watches what comes, and decides: now, or before the next look. */
  | { readonly do: "answer"; readonly person: 0 | 1; readonly watch: boolean; readonly later?: boolean }
  | { readonly do: "jump"; readonly ms: number }
  | { readonly do: "pause"; readonly ms: number }
  | { readonly do: "suspend" | "lift" | "renew" | "revoke" | "cancel" }
  | { readonly do: "restart"; readonly guard: 0 | 1 }
  | { readonly do: "reopen"; readonly person: 0 | 1 };

/** What a liar is after: everything at once would spoil most sessions before they come to anything. */
interface Liar {
  readonly lies: readonly LieName[];
  /** The kinds of call that are lied about; null for all. */
  readonly about: readonly Kind[] | null;
  /** Who is lied to; null for everybody. */
  readonly to: "agent" | "devices" | null;
  /** How many such calls in a hundred are lied about. */
  readonly rate: number;
}

export interface Plan {
  readonly liar: Liar;
  /** What the liar chooses, one number for each choice; after them it is honest. */
  readonly choices: readonly number[];
  /** Whether the liar holds the relay's receipt key. */
  readonly receiptKey: boolean;
  /** Whether the agent's processes share a ledger. */
  readonly ledger: boolean;
  /** What each approver makes of each amount. */
  readonly answers: readonly (readonly Choice[])[];
  readonly steps: readonly Step[];
}

const which = fc.constantFrom(0 as const, 1 as const);
const subject = fc.record({
  tool: fc.constantFrom<Tool>(
    ...(["refund", "refund", "refund", "wire", "wire", "wire", "lookup", "wipe"] as const),
  ),
  amount: fc.nat(3),
  key: fc.nat(2),
});
const aside: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("pause" as const), ms: fc.nat(40) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("jump" as const),
      ms: fc.constantFrom(minute, hour + 2 * minute, 25 * hour, 31 * 24 * hour),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("restart" as const), guard: which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("reopen" as const), person: which }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom(...(["renew", "revoke", "cancel", "suspend", "lift"] as const)),
    }),
  },
);

/** One action from the question to the run, with something in between now and then. */
const scene: fc.Arbitrary<readonly Step[]> = fc
  .record({
    subject,
    first: which,
    wait: fc.boolean(),
    watch: fc.boolean(),
    people: fc.constantFrom<readonly (0 | 1)[]>([0, 1], [1, 0], [0, 1, 0], [1], []),
    again: fc.constantFrom<readonly (0 | 1)[]>([0, 1], [1, 0], [0, 1, 0], [1, 1], [0]),
    aside: fc.option(aside, { freq: 1 }),
    at: fc.nat(5),
  })
  .map(({ subject, first, wait, watch, people, again, aside, at }) => {
    const ask = (guard: 0 | 1, wait: boolean): Step => ({ do: "ask", guard, ...subject, wait });
    const steps = [
      ask(first, wait),
      ...people.map((person): Step => ({ do: "answer", person, watch })),
      ...again.map((guard) => ask(guard, false)),
    ];
    return aside === null ? steps : steps.toSpliced(at, 0, aside);
  });

/** An approval that nobody used in time, and the same question once more: only its old answers are there. */
const unused: fc.Arbitrary<readonly Step[]> = fc
  .record({ subject, guard: which, later: which })
  .map(({ subject, guard, later }) => [
    { do: "ask", guard, ...subject, wait: false },
    { do: "answer", person: 0, watch: false },
    { do: "answer", person: 1, watch: false },
    { do: "jump", ms: 26 * hour },
    { do: "ask", guard: later, ...subject, wait: false },
    { do: "ask", guard: later, ...subject, wait: false },
  ]);

/** Somebody looks again, or makes up their mind, when all is over. */
const late: fc.Arbitrary<readonly Step[]> = fc
  .record({ subject, person: which, watch: fc.boolean(), later: fc.boolean() })
  .map(({ subject, person, watch, later }) => [
    { do: "ask", guard: 0, ...subject, wait: false },
    { do: "answer", person, watch: false, later },
    { do: "jump", ms: hour + 2 * minute },
    { do: "answer", person: 0, watch },
    { do: "answer", person: 1, watch },
    { do: "ask", guard: 0, ...subject, wait: false },
  ]);

const requests: readonly Kind[] = ["ask", "view", "consume"];
const liars: readonly Liar[] = [
  // Approvals from nothing, and receipts for them.
  { lies: ["forge"], about: requests, to: "agent", rate: 90 },
  // Devices that nobody enrolled, and their answers.
  { lies: ["forge"], about: ["roster", ...requests], to: "agent", rate: 80 },
  // One request's answers for another one.
  { lies: ["splice", "replay", "forge"], about: requests, to: "agent", rate: 60 },
  { lies: ["replay", "equivocate"], about: requests, to: "agent", rate: 70 },
  // One approval for two processes.
  { lies: ["equivocate"], about: requests, to: "agent", rate: 95 },
  // Revocations and suspensions that nobody hears of.
  { lies: ["withhold", "replay", "forge", "truncate"], about: ["roster", "stream"], to: null, rate: 60 },
  // Devices that see what nobody asked, or what is over.
  { lies: ["forge", "replay"], about: ["list", "view"], to: "devices", rate: 70 },
  {
    lies: ["forge", "splice", "replay", "truncate", "withhold"],
    about: ["view", "list", "stream"],
    to: "devices",
    rate: 50,
  },
  { lies: ["swallow", "repeat", "reorder", "garble"], about: ["statement", "view"], to: "devices", rate: 50 },
  // Whatever comes.
  { lies: lieNames, about: null, to: null, rate: 10 },
  { lies: lieNames, about: null, to: "agent", rate: 30 },
  { lies: ["swallow", "repeat", "reorder", "garble", "truncate"], about: null, to: "agent", rate: 40 },
];

const choice = fc.constantFrom<Choice>("approve", "approve", "approve", "edit", "reject", "ignore", "ignore");

export const plans: fc.Arbitrary<Plan> = fc.record({
  liar: fc.constantFrom(...liars),
  choices: fc.array(fc.noBias(fc.nat(0xffff)), { minLength: 200, maxLength: 600, size: "max" }),
  receiptKey: fc.boolean(),
  ledger: fc.boolean(),
  answers: fc.array(fc.array(choice, { minLength: 4, maxLength: 4 }), { minLength: 2, maxLength: 2 }),
  steps: fc
    .array(
      fc.oneof(
        { weight: 4, arbitrary: scene },
        { weight: 1, arbitrary: unused },
        { weight: 1, arbitrary: late },
      ),
      {
        minLength: 1,
        maxLength: 4,
        size: "max",
      },
    )
    .map((scenes) => scenes.flat()),
});
