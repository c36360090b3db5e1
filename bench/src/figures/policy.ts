/** Policy alone: one decision, by 1 and by 100 rules of which the last one matches. */
import { createPolicy, normaliseIdentity, type Rule } from "@guard/core";
import { p50, print } from "../figure.ts";

const args = { order: "A-1", amount: 900, currency: "EUR", note: "broken on arrival" };
// Rules that all apply to the tool and fail at their last condition: the longest way through a policy.
const passing = (n: number): Rule => ({
  tool: n % 2 === 0 ? "refund" : "ref*",
  when: { currency: { in: ["EUR", "CHF"] }, amount: { gt: 1000 + n } },
  then: "deny",
  reason: "too much",
});
const last: Rule = { tool: "refund", when: { amount: { lte: 1000 }, currency: "EUR" }, then: "allow" };

for (const [rules, goal] of [
  [1, 2],
  [100, 20],
] as const) {
  const policy = createPolicy({
    rules: [...Array.from({ length: rules - 1 }, (_, n) => passing(n)), last],
    normalise: normaliseIdentity,
  });
  const decide = () => policy.decide({ tool: "refund", args }, {});
  if (decide().outcome !== "allow") throw new Error("The last rule should allow this.");
  const value = 1000 * (await p50(decide, { samples: 300, batch: 200 }));
  print({ name: `policy, ${rules} rules`, value, unit: "µs", goal, better: "lower" });
}
