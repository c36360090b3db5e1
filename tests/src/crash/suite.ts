/** Many runs, several at a time, and what they add up to. */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { bundle } from "./bundle.ts";
import { whyNoMounts } from "./disk.ts";
import { install } from "./installation.ts";
import { isPossible, type Plan } from "./plan.ts";
import { type Grounds, placeOf, type Result, run } from "./run.ts";

export interface Summary {
  readonly runs: number;
  /** Runs that had a problem. */
  readonly problems: number;
  /** Runs by fault. */
  readonly faults: Readonly<Record<string, number>>;
  /** Runs that this machine cannot do, by fault. */
  readonly skipped: Readonly<Record<string, number>>;
  readonly effects: number;
  readonly unknowns: number;
  /** Processes killed, and processes that waited for their disk to be mended. */
  readonly killed: number;
  readonly helped: number;
  /** How often a caller was told that relay or evidence cannot be used. */
  readonly refused: number;
  readonly seconds: number;
}

/** Ports below those that systems give out by themselves, so that a relay finds its own again after a restart. */
const ports = { first: 10_000, count: 20_000 };

export async function crash(options: {
  readonly plans: readonly Plan[];
  readonly jobs?: number | undefined;
  /** Keeps the directories of good runs too. */
  readonly keep?: boolean;
  readonly say: (text: string) => void;
}): Promise<Summary> {
  const { plans, jobs = availableParallelism() * 2, keep = false, say } = options;
  const began = performance.now();
  const directory = mkdtempSync(join(tmpdir(), "guard-crash-"));
  const why = whyNoMounts(directory);
  if (why !== null)
    say(`crash: faults that need a mounted disk are left out: none can be mounted here (${why})`);
  const grounds: Grounds = {
    program: await bundle(join(directory, "program")),
    installation: await install(join(directory, "installation")),
    mounts: why === null,
    directory,
  };
  const sum = { runs: 0, problems: 0, effects: 0, unknowns: 0, killed: 0, helped: 0, refused: 0 };
  const counts = { faults: {} as Record<string, number>, skipped: {} as Record<string, number> };
  const count = (of: Record<string, number>, name: string) => {
    of[name] = (of[name] ?? 0) + 1;
  };
  let port = ports.first + (process.pid % ports.count);
  const nextPort = () => {
    port = ports.first + ((port + 1 - ports.first) % ports.count);
    return port;
  };
  const queue = plans.values();

  async function one(plan: Plan): Promise<void> {
    const { seed, fault } = plan;
    if (!isPossible(plan, grounds.mounts)) return count(counts.skipped, fault);
    const result = await run(grounds, plan, nextPort()).catch((error: unknown) => failed(plan, error));
    sum.runs++;
    count(counts.faults, fault);
    for (const name of ["effects", "unknowns", "killed", "helped", "refused"] as const)
      sum[name] += result[name];
    const place = placeOf(grounds, plan);
    if (result.problems.length > 0) {
      sum.problems++;
      say(`FAILED ${fault}: pnpm crash --runs 1 --seed ${seed} --fault ${fault}`);
      say(`  everything of it is in ${place}`);
      for (const problem of result.problems) say(`  - ${problem}`);
    } else if (!keep) rmSync(place, { recursive: true, force: true });
  }

  async function work(): Promise<void> {
    for (const plan of queue) await one(plan);
  }

  await Promise.all(Array.from({ length: jobs }, work));
  if (sum.problems === 0 && !keep) rmSync(directory, { recursive: true, force: true });
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  return { ...sum, ...counts, seconds };
}

function failed(plan: Plan, error: unknown): Result {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const problems = [`end: the run itself failed: ${what}`];
  return { plan, problems, effects: 0, unknowns: 0, killed: 0, helped: 0, refused: 0 };
}
