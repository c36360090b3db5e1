/** What the gate adds to a call that policy allows: 1 KiB of arguments, 100 rules, evidence in memory. */
import type { Rule } from "@guard/core";
import { testGuard } from "@guard/testing";
import { oneKiB } from "../asking.ts";
import { median, percentile, print } from "../figure.ts";

const policy: Rule[] = [
  ...Array.from(
    { length: 99 },
    (_, n): Rule => ({
      tool: "refund",
      when: { currency: { in: ["EUR", "CHF"] }, amount: { gt: 1000 + n } },
      then: "deny",
      reason: "too much",
    }),
  ),
  { tool: "refund", when: { amount: { lte: 1000 } }, then: "allow" },
];
const args = oneKiB();
const tool = async (given: unknown) => given;
const calls = 1500;
const runs = 5;

const bare: number[] = [];
const over: number[] = [];
const p99: number[] = [];
for (let run = -1; run < runs; run++) {
  const { guard, evidence, close } = await testGuard({ policy });
  // As between two calls of an agent that talks to a model: the signature over the chain's head is made.
  const signed = async () => {
    while (!evidence.lines.at(-1)?.includes("CHECKPOINT_CREATED")) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const refund = guard.protect("refund", tool);
  const times: Record<"bare" | "guarded", number[]> = { bare: [], guarded: [] };
  for (let i = 0; i < calls; i++) {
    // Side by side, so that both see the same machine.
    let start = performance.now();
    await tool(args);
    times.bare.push(performance.now() - start);
    start = performance.now();
    await refund(args);
    times.guarded.push(performance.now() - start);
    await signed();
  }
  await close();
  if (run < 0) continue;
  bare.push(median(times.bare));
  over.push(median(times.guarded) - median(times.bare));
  p99.push(percentile(times.guarded, 0.99));
}
print({
  name: "gate on an allowed call, over the bare call",
  value: 1000 * median(over),
  unit: "µs",
  goal: 100,
  better: "lower",
  against: { name: "bare call", value: 1000 * median(bare), unit: "µs" },
  detail: { "p99 of the guarded call, µs": Math.round(1000 * median(p99)) },
});
