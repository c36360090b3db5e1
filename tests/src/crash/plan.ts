/**
 * What one run is: which actions an agent asks for, how people answer, and which fault comes when. A plan
 * follows from its seed alone (and the fault's name, where one is given), so the seed is all that has to be kept.
 */
import type { ActionInput, Rule } from "@guard/core";
import { faultOf } from "./faults.ts";
import { type Random, randomOf } from "./random.ts";

export const faults = [
  "none",
  "relay-kill",
  "relay-call",
  "agent-kill",
  "agent-call",
  "agent-evidence",
  "agent-tool",
  "agent-hook",
  "device-kill",
  "device-call",
  "everything",
  "twins",
  "clock",
  "disk-full-agent",
  "disk-full-relay",
  "file-limit-agent",
  "file-limit-relay",
  "read-only-agent",
  "read-only-relay",
  "evidence-vanish",
] as const;
export type Fault = (typeof faults)[number];

/** Whether a fault can be made here: a full disk has to be mounted, and nothing but a mount keeps root from writing. */
export function isPossible({ disk }: Plan, mounts: boolean): boolean {
  if (mounts || disk === null || disk.how === "limit" || disk.how === "vanish") return true;
  return disk.how === "read-only" && process.getuid?.() !== 0;
}

export const roles = ["relay", "agent", "device"] as const;
export type Role = (typeof roles)[number];

/** One action that the agent asks for, under a key of its own. */
export interface Item {
  readonly item: string;
  /** `lookup` is allowed by policy; `pay` asks one person, `wire` two, `slow` one who never answers. */
  readonly tool: "lookup" | "pay" | "wire" | "slow";
  readonly amount: number;
  /** What people make of it; null where nobody is asked. */
  readonly answer: "approve" | "edit" | "reject" | "ignore" | null;
  /** The amount that may run; null where nothing may. */
  readonly wanted: number | null;
  /** Whether the tool throws after its side effect. */
  readonly fails: boolean;
}

/** How one process dies: by itself at the nth time it passes a point, or from outside after a while. */
export type Death = { readonly point: string; readonly nth: number } | { readonly after: number };

/** A clock set by `offset` (ms) against the true one, `after` ms into the run; all clocks where no role is named. */
export interface Jump {
  readonly after: number;
  readonly role: Role | null;
  readonly offset: number;
}

export interface Disk {
  readonly role: "agent" | "relay";
  readonly how: "full" | "limit" | "read-only" | "vanish";
  /** KiB: what is left in the file system, or the size of the largest file. */
  readonly room: number;
  /** Milliseconds after which the disk changes or is mended. */
  readonly after: number;
}

export interface Plan {
  readonly seed: number;
  readonly fault: Fault;
  readonly items: readonly Item[];
  /** Whether the agent waits in `guard.run`, or comes back to `guard.check` until it is ready. */
  readonly mode: "wait" | "suspend";
  readonly agents: 1 | 2;
  /** Roles that are played by processes of their own: all that the fault strikes, and at times the others too. */
  readonly real: readonly Role[];
  /** Whether an agent that is told "in progress" comes back until it is told more. */
  readonly patient: boolean;
  /** How long people take to decide, ms. */
  readonly thinking: number;
  /** By role, how each process after the other dies; what comes after the last of them lives. */
  readonly deaths: Readonly<Record<Role, readonly Death[]>>;
  readonly jumps: readonly Jump[];
  readonly disk: Disk | null;
}

/** Everybody who is asked. */
export const people = ["alice@example.com", "bob@example.com"];

export const policy: readonly Rule[] = [
  { tool: "lookup", then: "allow" },
  { tool: "slow", then: "ask", expiresIn: 1000 },
  { tool: "pay", then: "ask" },
  { tool: "wire", then: "ask", quorum: 2 },
];

/** The action as the agent hands it to its guard, the same in every life. */
export function inputOf(plan: Plan, { tool, item, amount }: Item): ActionInput {
  const validate = async (args: unknown) => args;
  return { tool, args: { item, amount }, session: `run-${plan.seed}`, validate };
}

/** The plan of `seed`; with `fault`, of that kind. */
export function planOf(seed: number, fault?: Fault): Plan {
  const random = randomOf(seed);
  const drawn = random.pick(faults);
  const made = { seed, fault: fault ?? drawn, ...story(random), ...faultOf(fault ?? drawn, random) };
  return { ...made, real: random.chance(10) ? roles : realOf(made) };
}

function realOf({ fault, deaths, disk, agents }: Omit<Plan, "real">): readonly Role[] {
  if (fault === "none" || fault === "everything") return roles;
  return roles.filter(
    (role) => deaths[role].length > 0 || disk?.role === role || (role === "agent" && agents > 1),
  );
}

function story(random: Random): Pick<Plan, "items" | "mode" | "agents" | "patient" | "thinking"> {
  const items: Item[] = [itemOf("lookup", 0, null, random)];
  for (let n = random.between(1, 4); n > 0; n--) {
    const tool = random.pick(["pay", "pay", "wire"] as const);
    const answer = random.pick(["approve", "approve", "approve", "approve", "edit", "reject"] as const);
    items.push(itemOf(tool, items.length, answer, random));
  }
  if (random.chance(8)) items.push(itemOf("slow", items.length, "ignore", random));
  return {
    items,
    mode: random.chance(70) ? "wait" : "suspend",
    agents: 1,
    patient: random.chance(25),
    thinking: random.chance(50) ? 0 : random.between(1, 60),
  };
}

function itemOf(tool: Item["tool"], n: number, answer: Item["answer"], random: Random): Item {
  const amount = random.between(1, 9) * 100;
  const wanted = answer === "reject" || answer === "ignore" ? null : answer === "edit" ? amount / 10 : amount;
  return { item: `${tool}-${n}`, tool, amount, answer, wanted, fails: random.chance(8) };
}
