/** What each fault does: who dies where, which disk fails how, and which clock jumps when. */
import type { Death, Disk, Fault, Jump, Plan, Role } from "./plan.ts";
import type { Random } from "./random.ts";

const calls = ["ask", "read", "consume", "report"];
const events = [
  "CHECKPOINT_CREATED",
  "TOOL_CALL_PROPOSED",
  "POLICY_DECISION",
  "APPROVAL_REQUESTED",
  "APPROVAL_DECIDED",
  "TOOL_CALL_ALLOWED",
  "TOOL_CALL_EXECUTED",
  "TOOL_RESULT",
];
const minute = 60_000;

type Faulty = Pick<Plan, "deaths" | "jumps" | "disk"> & Partial<Pick<Plan, "agents">>;

/** What `fault` does, as `random` has it. */
export function faultOf(fault: Fault, random: Random): Faulty {
  const none: Faulty = { deaths: { relay: [], agent: [], device: [] }, jumps: [], disk: null };
  const dying = (role: Role, deaths: readonly Death[]) => ({ ...none.deaths, [role]: deaths });
  const several = (most: number, make: () => Death) =>
    Array.from({ length: random.between(1, most) }, () => make());
  const sometime = (): Death => ({ after: random.between(0, random.pick([20, 100, 300])) });
  const at = (names: readonly string[], often: number) => (): Death => ({
    point: random.pick(names),
    nth: random.between(1, often),
  });
  switch (fault) {
    case "none":
      return none;
    case "relay-kill":
      return { ...none, deaths: dying("relay", several(2, sometime)) };
    case "relay-call":
      return { ...none, deaths: dying("relay", several(2, at(relayPoints, 5))) };
    case "agent-kill":
      return { ...none, deaths: dying("agent", several(2, sometime)) };
    case "agent-call":
      return { ...none, deaths: dying("agent", several(2, at(around(calls), 5))) };
    case "agent-evidence":
      return { ...none, deaths: dying("agent", several(2, at(evidencePoints, 5))) };
    case "agent-tool":
      return { ...none, deaths: dying("agent", several(2, at(["tool begin", "tool acted", "tool end"], 4))) };
    case "agent-hook":
      return { ...none, deaths: dying("agent", several(2, at(["onPending", "onDecided"], 4))) };
    case "device-kill":
      return { ...none, deaths: dying("device", several(2, sometime)) };
    case "device-call":
      return { ...none, deaths: dying("device", several(2, at(around(["answer"]), 4))) };
    case "everything":
      return {
        ...none,
        deaths: {
          relay: several(2, sometime),
          agent: several(2, sometime),
          device: several(2, sometime),
        },
      };
    case "twins":
      return { ...none, agents: 2, deaths: dying("agent", several(2, sometime)) };
    case "clock":
      return { ...none, ...clocks(random, sometime) };
    case "disk-full-agent":
      return { ...none, disk: diskOf("agent", "full", random.between(8, 56), random) };
    case "disk-full-relay":
      return { ...none, disk: diskOf("relay", "full", random.between(8, 200), random) };
    case "file-limit-agent":
      return { ...none, disk: diskOf("agent", "limit", random.between(4, 40), random) };
    case "file-limit-relay":
      return { ...none, disk: diskOf("relay", "limit", random.between(16, 160), random) };
    case "read-only-agent":
      return {
        ...none,
        deaths: dying("agent", [random.chance(50) ? sometime() : at(around(calls), 4)()]),
        disk: diskOf("agent", "read-only", 8192, random),
      };
    case "read-only-relay":
      return {
        ...none,
        deaths: dying("relay", [sometime()]),
        disk: diskOf("relay", "read-only", 8192, random),
      };
    case "evidence-vanish":
      return { ...none, disk: diskOf("agent", "vanish", 0, random) };
  }
}

const around = (names: readonly string[]) => names.flatMap((name) => [`${name} before`, `${name} after`]);

/** `clock` is read inside of the relay's transactions, so a death there is one in the middle of a commit. */
const relayPoints = [
  "clock",
  ...["ask", "answer", "consume", "report"].flatMap((name) => [
    `${name} arrived`,
    `${name} done`,
    `${name} sent`,
  ]),
];

const evidencePoints = events.flatMap((type) => [
  `${type} appending`,
  `${type} appended`,
  `${type} flushing`,
  `${type} torn`,
  `${type} flushed`,
]);

function diskOf(role: Disk["role"], how: Disk["how"], room: number, random: Random): Disk {
  return { role, how, room, after: random.between(10, 250) };
}

/**
 * Clocks go apart, forward and back. In the end they come together at the latest time that any of them has shown,
 * so that every story can end: before the time at which something was signed, nobody goes on (clock-rollback).
 */
function clocks(random: Random, sometime: () => Death): Pick<Plan, "jumps" | "deaths"> {
  const sizes = [30_000, 4 * minute, 6 * minute, 90 * minute, 3 * 24 * 60 * minute, 9 * 24 * 60 * minute];
  const jumps: Jump[] = [];
  let after = 0;
  for (let n = random.between(1, 4); n > 0; n--) {
    after += random.between(0, 120);
    const role = random.pick(["relay", "agent", "device", null, null] as const);
    jumps.push({ after, role, offset: random.pick(sizes) * (random.chance(50) ? 1 : -1) });
  }
  const together =
    Math.max(0, ...jumps.map(({ offset }) => offset)) + (random.chance(50) ? 0 : random.pick(sizes));
  jumps.push({ after: after + random.between(100, 400), role: null, offset: together });
  const dies = random.pick(["relay", "agent", "device"] as const);
  const none = { relay: [], agent: [], device: [] };
  return { jumps, deaths: { ...none, [dies]: random.chance(60) ? [sometime()] : [] } };
}
