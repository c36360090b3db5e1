// A relay that lies in every way it knows, over whole sessions: the agent may fail closed, and never runs what was
// not approved; a device may refuse, and never shows or signs what its agent did not ask.
//
// GUARD_RUNS=20 plays twenty times as many sessions, GUARD_SEED says which; a failure prints its own seed, and
// GUARD_SHRINK=1 looks for a smaller one, which takes minutes.
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { judge } from "./judge.ts";
import { edited, type Plan, plans, type Step } from "./plan.ts";
import { play } from "./session.ts";
import { createWorld, type World } from "./world.ts";

const sessions = 100 * Number(process.env.GUARD_RUNS ?? 1);
const seed = Number(process.env.GUARD_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Sessions wait more than they work, so several are under way at once. */
const lanes = 12;
/** Milliseconds after which no further session begins. */
const longest = 9 * 60_000;
/** A roster grows with every session, and is read often. */
const sessionsOfAWorld = 12;

const worlds = new Set<World>();
afterAll(async () => {
  for (const world of worlds) await world.close();
});
async function newWorld(): Promise<World> {
  const world = await createWorld();
  worlds.add(world);
  return world;
}

const tally = { sessions: 0, runs: 0, approved: 0, edited: 0, quorum: 0, twice: 0, lies: 0 };
const ends: { [code: string]: number } = {};

async function lane(index: number): Promise<void> {
  let world = await newWorld();
  let played = 0;
  const session = fc.asyncProperty(plans, async (plan) => {
    if (++played % sessionsOfAWorld === 0) world = await newWorld();
    const record = await play(world, plan);
    const asked = record.runs.filter(({ request }) => request !== null);
    tally.sessions++;
    tally.runs += record.runs.length;
    tally.approved += asked.length;
    tally.edited += asked.filter(({ args }) => (args as { amount: number }).amount >= edited).length;
    tally.quorum += asked.filter(({ tool }) => tool === "wire").length;
    tally.twice += asked.length - new Set(asked.map(({ request }) => request)).size;
    tally.lies += record.lies.length;
    for (const code of record.ends) ends[code] = (ends[code] ?? 0) + 1;
    expect(await judge(plan, record, world.bench.owner.roster()), record.lies.join("\n")).toEqual([]);
  });
  const numRuns = Math.max(1, Math.round(sessions / lanes));
  await fc.assert(session, {
    numRuns,
    seed: seed + index,
    endOnFailure: process.env.GUARD_SHRINK === undefined,
    interruptAfterTimeLimit: longest,
  });
}

test("forged-outcome, outcome-replay, cross-request-splice, stale-delivery, stale-roster, consume-equivocation: " +
  "sessions behind a relay that lies", { timeout: 600_000 }, async () => {
  await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
  if (process.env.GUARD_RUNS) console.log(JSON.stringify({ seed, ...tally, ends }));
  expect(tally.approved).toBeGreaterThan(0);
  expect(tally.lies).toBeGreaterThan(0);
});

const approving: Plan = {
  liar: { lies: [], about: null, to: null, rate: 0 },
  choices: [],
  receiptKey: false,
  ledger: false,
  answers: [
    ["approve", "edit", "reject", "approve"],
    ["approve", "ignore", "approve", "ignore"],
  ],
  steps: [],
};
const asking = (tool: "refund" | "wire" | "lookup", amount: number, guard: 0 | 1 = 0): Step => ({
  do: "ask",
  guard,
  tool,
  amount,
  key: amount % 3,
  wait: false,
});

test("an honest relay in the liar's place: what was approved runs, edits and quorums too, and nothing else", async () => {
  const both: Step[] = [
    { do: "answer", person: 0, watch: false },
    { do: "answer", person: 1, watch: true },
  ];
  const world = await newWorld();
  const steps: Step[] = [
    asking("lookup", 0),
    ...[0, 1, 2].flatMap((amount) => [asking("refund", amount), ...both, asking("refund", amount)]),
    { do: "restart", guard: 0 },
    asking("refund", 0),
    asking("refund", 0, 1),
    ...[asking("wire", 0), ...both, asking("wire", 0, 1)],
  ];
  const plan = { ...approving, steps };
  const record = await play(world, plan);
  expect(await judge(plan, record, world.bench.owner.roster())).toEqual([]);
  expect(record.runs.map(({ tool, args }) => [tool, (args as { amount: number }).amount])).toEqual([
    ["lookup", 0],
    ["refund", 0],
    ["refund", 1 + edited],
    ["wire", 0],
  ]);
  expect(record.ends).toEqual(["rejected", "already_executed", "already_executed"]);
});
