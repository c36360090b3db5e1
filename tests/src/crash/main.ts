/**
 * Thousands of stories with real processes that are killed, and disks and clocks that fail, at points that follow
 * from a seed. Prints what is wrong with any of them, how to repeat it, and one line of JSON at the end.
 *
 *     pnpm crash --runs 2000 --seed 1 [--fault relay-kill] [--jobs 4] [--keep]
 *
 * Run n has the seed SEED + n, so one run is repeated by `--runs 1 --seed ITS-SEED --fault ITS-FAULT`.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { type Fault, faults, planOf } from "./plan.ts";
import { crash } from "./suite.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "200" },
    seed: { type: "string", default: String(randomInt(1_000_000_000)) },
    fault: { type: "string" },
    jobs: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} takes a whole number.`);
  return value;
}
const isFault = (name: string): name is Fault => (faults as readonly string[]).includes(name);
const { fault } = values;
if (fault !== undefined && !isFault(fault)) throw new Error(`--fault takes one of: ${faults.join(", ")}.`);

const runs = whole("runs", values.runs);
const seed = whole("seed", values.seed);
console.log(`crash: ${runs} runs from seed ${seed}${fault ? `, ${fault}` : ""}`);
// What was started, and mounted, is undone when this program exits.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
const summary = await crash({
  plans: Array.from({ length: runs }, (_, n) => planOf(seed + n, fault)),
  jobs: values.jobs === undefined ? undefined : whole("jobs", values.jobs),
  keep: values.keep,
  say: (text) => console.log(text),
});
console.log(JSON.stringify({ seed, ...summary }));
process.exit(summary.problems === 0 ? 0 : 1);
