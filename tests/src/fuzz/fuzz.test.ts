/**
 * Fuzzing of everything that parses foreign bytes: no crash, no hang, no silent acceptance. `GUARD_RUNS=20`
 * runs twenty times as many inputs as `pnpm test` does, `GUARD_SEED` repeats a run, and `GUARD_TARGET` names the
 * targets (a regular expression).
 */
import { afterAll, test } from "vitest";
import { factor, run, seed, type Tally } from "./target.ts";
import { createTargets } from "./targets.ts";

const { targets, close } = await createTargets();
const only = new RegExp(process.env.GUARD_TARGET ?? "");
const tallies: Record<string, Tally & { ms: number }> = {};

for (const target of targets.filter(({ name }) => only.test(name))) {
  test(`no crash, no hang, no silent acceptance: ${target.name}`, {
    timeout: 60_000 + 60_000 * factor,
  }, async () => {
    const started = performance.now();
    const tally = await run(target);
    tallies[target.name] = { ...tally, ms: Math.round(performance.now() - started) };
  });
}

afterAll(async () => {
  await close();
  if (process.env.GUARD_RUNS === undefined) return;
  console.table(tallies);
  console.log(
    `${Object.values(tallies).reduce((sum, { runs }) => sum + runs, 0)} inputs, GUARD_SEED=${seed}`,
  );
});
