// One run of every fault, so that every test run has them; `pnpm crash` makes thousands.
import { expect, test } from "vitest";
import { type Fault, faults, needsMount, planOf } from "./plan.ts";
import { crash } from "./suite.ts";

/** Small stories in which the fault does strike. */
const seeds: Readonly<Record<Fault, number>> = {
  none: 18,
  "relay-kill": 59,
  "relay-call": 58,
  "agent-kill": 73,
  "agent-call": 58,
  "agent-evidence": 73,
  "agent-tool": 58,
  "agent-hook": 58,
  "device-kill": 58,
  "device-call": 58,
  everything: 18,
  twins: 58,
  clock: 26,
  "disk-full-agent": 58,
  "disk-full-relay": 24,
  "file-limit-agent": 58,
  "file-limit-relay": 18,
  "read-only-agent": 39,
  "read-only-relay": 24,
  "evidence-vanish": 58,
};

test("double-execution, consume-retry, act-without-log, two-writers, clock-rollback: one run of every fault keeps every promise", {
  timeout: 300_000,
}, async () => {
  const said: string[] = [];
  const summary = await crash({
    plans: faults.map((fault) => planOf(seeds[fault], fault)),
    say: (text) => said.push(text),
  });
  expect(said.filter((text) => !text.startsWith("crash: "))).toEqual([]);
  const skipped = [...Object.keys(summary.skipped)];
  expect(skipped.every((fault) => needsMount.has(fault as Fault))).toBe(true);
  expect(summary).toMatchObject({ problems: 0, runs: faults.length - skipped.length });
  expect(summary.killed).toBeGreaterThan(8);
  expect(summary.effects).toBeGreaterThan(summary.runs);
});
