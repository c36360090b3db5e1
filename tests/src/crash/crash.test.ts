// One run of every fault, so that every test run has them; `pnpm crash` makes thousands.
import { expect, test } from "vitest";
import { type Fault, faults, planOf } from "./plan.ts";
import { crash } from "./suite.ts";

/** Small stories in which the fault does strike. */
const seeds: Readonly<Record<Fault, number>> = {
  none: 113,
  "relay-kill": 385,
  "relay-call": 2234,
  "agent-kill": 113,
  "agent-call": 2234,
  "agent-evidence": 2234,
  "agent-tool": 2234,
  "agent-hook": 2234,
  "device-kill": 385,
  "device-call": 2234,
  everything: 113,
  twins: 385,
  clock: 113,
  "disk-full-agent": 1384,
  "disk-full-relay": 1384,
  "file-limit-agent": 1384,
  "file-limit-relay": 1384,
  "read-only-agent": 863,
  "read-only-relay": 113,
  "evidence-vanish": 956,
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
  const skipped = Object.keys(summary.skipped);
  expect(skipped.every((fault) => /^(disk-full|read-only)-/.test(fault))).toBe(true);
  expect(summary).toMatchObject({ problems: 0, runs: faults.length - skipped.length });
  expect(summary.killed).toBeGreaterThan(8);
  expect(summary.effects).toBeGreaterThan(summary.runs);
});
