/**
 * Judges the world that a run left. Every problem begins with the name of the promise that was broken:
 *
 * - `lost`: something that was acknowledged is not there any more, or is another thing now
 * - `double-execution`: something ran twice, or could run again
 * - `act-without-log`: something ran without its statements, or unrecorded
 * - `not-approved`: what ran is not what people approved
 * - `uncertain`: what nobody knows the end of is not `unknown`
 * - `chain`: evidence that does not verify
 * - `end`: something did not come to its end, or came to a wrong one
 */
import { canonicalJson, type RequestState } from "@guard/core";
import type { Effect } from "./journal.ts";
import type { Item } from "./plan.ts";
import { contentOf } from "./points.ts";
import type { Exit } from "./process.ts";
import { type Recorded, recorded } from "./recorded.ts";
import { cannotGoOn } from "./roles/orders.ts";
import type { Stored, World } from "./world.ts";

const terminal: ReadonlySet<RequestState> = new Set([
  "rejected",
  "expired",
  "cancelled",
  "superseded",
  "completed",
]);

/** Everything that is wrong; empty where all promises were kept. */
export async function problemsOf(world: World): Promise<string[]> {
  const { runs, problems } = await recorded(world);
  return [
    ...world.damage.map((text) => `lost: the database is damaged: ${text}`),
    ...lost(world),
    ...doubled(world),
    ...unrecorded(world, runs),
    ...notApproved(world),
    ...uncertain(world, runs),
    ...problems,
    ...ends(world),
  ];
}

/** How many actions were started and have no known end, by the evidence. */
export async function unknownsOf(world: World): Promise<number> {
  const { runs } = await recorded(world);
  return [...runs.values()].filter(({ finished }) => !finished).length;
}

function lost({ acks, stored }: World): string[] {
  const there = new Map(stored.map((one) => [one.request, one]));
  return acks.flatMap(({ kind, request, state, version, digest }) => {
    const now = there.get(request);
    if (!now) return [`lost: request ${request} (${kind} was acknowledged)`];
    const found: string[] = [];
    const say = (why: string) => found.push(`lost: ${why} of request ${request}`);
    if (kind === "ask" && digest !== contentOf([now.header, now.ciphertext])) say("the paper");
    if (kind === "consume" && (now.receipt === null || digest !== contentOf(now.receipt))) say("the consume");
    if (kind === "report" && (now.report === null || digest !== contentOf(now.report))) say("the report");
    const answers = now.answers.map(({ statement, reply }) => contentOf([statement, reply]));
    if (kind === "answer" && !answers.includes(digest as string)) say("an answer");
    if (version !== null && version > now.version) say(`version ${version} (it is ${now.version} again)`);
    if (state !== null && terminal.has(state) && now.state !== state)
      say(`the end (${state}, now ${now.state})`);
    return found;
  });
}

function doubled({ plan, effects, again, stored }: World): string[] {
  const found: string[] = [];
  const asked = new Set(plan.items.filter(({ answer }) => answer !== null).map(({ item }) => item));
  const twice = (what: string, of: (effect: Effect) => string | null) => {
    const seen = new Set<string>();
    for (const effect of effects) {
      const id = of(effect);
      if (id === null) continue;
      if (seen.has(id)) found.push(`double-execution: ${what} ${id} had its effect twice`);
      seen.add(id);
    }
  };
  twice("execution", ({ executionId }) => executionId);
  twice("request", ({ request }) => request);
  twice("key", ({ item }) => (asked.has(item) ? item : null));
  const acted = new Set(effects.map(({ item }) => item));
  const used = new Set(stored.filter(({ attempt }) => attempt !== null).map(({ item }) => item));
  for (const { item, end } of again) {
    if (end !== "ready" && end !== "pending") continue;
    if (acted.has(item)) found.push(`double-execution: ${item} had its effect and could run again`);
    else if (used.has(item)) found.push(`double-execution: ${item} was consumed and could run again`);
  }
  return found;
}

function unrecorded({ effects, stored }: World, runs: Recorded["runs"]): string[] {
  const receipts = new Map(stored.map(({ request, receipt }) => [request, receipt]));
  return effects.flatMap(({ executionId, request, item }) => {
    const run = runs.get(executionId);
    if (!run) return [`act-without-log: ${item} had its effect, and no evidence says so`];
    if (!run.allowed) return [`act-without-log: ${item} was started and never allowed`];
    if (request === null) return [];
    const { receipt } = run.allowed.payload as { receipt?: unknown };
    const kept = receipts.get(request) ?? null;
    if (!receipt || kept === null || canonicalJson(receipt as never) !== canonicalJson(kept as never))
      return [`act-without-log: ${item} ran on a receipt that the relay did not give`];
    return [];
  });
}

function notApproved({ plan, effects }: World): string[] {
  const items = new Map(plan.items.map((item) => [item.item, item]));
  return effects
    .filter(({ item, amount }) => items.get(item)?.wanted !== amount)
    .map(({ item, amount }) => `not-approved: ${item} ran with ${amount}, not ${items.get(item)?.wanted}`);
}

function uncertain(world: World, runs: Recorded["runs"]): string[] {
  const found: string[] = [];
  const reported = new Map<string, Stored>();
  for (const one of world.stored) {
    const { request, attempt, report, state } = one;
    reported.set(request, one);
    const right = attempt === null ? null : report === null ? "unknown" : "completed";
    if (right !== null && state !== right)
      found.push(`uncertain: request ${request} was consumed and is ${state}, not ${right}`);
    if (attempt === null && (state === "unknown" || state === "completed"))
      found.push(`uncertain: request ${request} is ${state} and nobody consumed it`);
  }
  for (const { item, request } of world.effects) {
    const one = request === null ? null : reported.get(request);
    if (one && one.attempt === null) found.push(`uncertain: ${item} ran, and its request is ${one.state}`);
  }
  // Whoever ended well has recorded everything.
  const well = new Set(world.exits.filter(({ code }) => code === 0).map(({ name }) => name));
  for (const { item, executionId, by } of world.effects)
    if (well.has(by) && runs.get(executionId)?.finished === false)
      found.push(`uncertain: ${item} ran to its end in ${by}, and no evidence says so`);
  const acted = new Set(world.effects.map(({ executionId }) => executionId));
  for (const [execution, { finished }] of runs)
    if (finished && !acted.has(execution)) found.push(`uncertain: ${execution} has a result and no effect`);
  const ran = new Set(world.effects.map(({ item }) => item));
  for (const { item, end } of world.told) {
    if ((end === "ran" || end === "tool_failed") && !ran.has(item))
      found.push(`uncertain: a caller was told that ${item} ran, and it did not`);
    const requests = world.stored.filter((one) => one.item === item);
    const completed = requests.some(({ report }) => report !== null);
    const started = requests.some(({ attempt }) => attempt !== null);
    if (end === "already_executed" && !completed)
      found.push(`uncertain: a caller was told that ${item} has run, and nobody reported that`);
    if ((end === "in_progress" || end === "unknown_state") && !started && requests.length > 0)
      found.push(`uncertain: a caller was told that ${item} was started, and nobody consumed it`);
  }
  return found;
}

/** Every action is told one of the ends that its plan allows; every process ends as processes may. */
function ends(world: World): string[] {
  const { plan, told, again, exits, effects } = world;
  const found = exits
    .filter((exit) => !isKnown(exit))
    .map(({ name, code, signal }) => `end: process ${name} ended with ${signal ?? code}`);
  const acted = new Set(effects.map(({ item }) => item));
  for (const action of plan.items) {
    const finals = told.filter(({ item, final }) => final && item === action.item).map(({ end }) => end);
    if (finals.length === 0) found.push(`end: ${action.item} never came to an end`);
    const may = endsOf(action, plan.fault === "clock");
    for (const end of finals)
      if (!may.includes(end)) found.push(`end: ${action.item} (${action.answer}) ended with ${end}`);
    if (action.wanted === null || action.answer === null || acted.has(action.item)) continue;
    // It was approved and did not run: somebody has to have started it, or the clock has gone over it.
    const why = again.find(({ item }) => item === action.item)?.end;
    if (
      why !== "unknown_state" &&
      !(plan.fault === "clock" && (why === "expired" || finals.includes("expired")))
    )
      found.push(`end: ${action.item} was approved and never ran, and an agent is told ${why}`);
  }
  return found;
}

function endsOf({ answer, fails }: Item, clock: boolean): string[] {
  const expired = clock ? ["expired"] : [];
  const ran = fails ? "tool_failed" : "ran";
  switch (answer) {
    case null:
      // Allowed by policy: it ran, and may be unrecorded where the disk failed meanwhile.
      return [ran, "unknown_state"];
    case "reject":
      return ["rejected", ...expired];
    case "ignore":
      return ["expired"];
    default:
      return [ran, "in_progress", "already_executed", "unknown_state", ...expired];
  }
}

function isKnown({ role, code, signal, by }: Exit): boolean {
  // A process that was told to end before it had begun has no other way.
  if (signal !== null) return signal === "SIGKILL" || (signal === "SIGTERM" && by === "end");
  if (code === cannotGoOn) return role !== "device";
  return code === 0 && (role === "agent" || by === "end");
}
