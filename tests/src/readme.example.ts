// The README's example, compiled and run as it stands there: readme.test.ts compares the two.
// README
import { createGuard } from "@guard/core";
import { guardTools } from "@guard/vercel-ai";
import { generateText, isStepCount } from "ai";
// …
import type { Given } from "./readme.given.ts";

export async function example(given: Given, run: (tools: object) => void): Promise<void> {
  const { lookupOrder, refund, model, prompt, ticketId } = given;
  // README
  const guard = createGuard({
    approvers: ["alice@example.com"],
    policy: [
      { tool: "lookup*", then: "allow" },
      { tool: "refund", when: { amount: { lte: 50 } }, then: "allow" },
      { tool: "delete*", then: "deny", reason: "Deletions go through the data team" },
    ],
  });
  const tools = guardTools({ lookupOrder, refund }, { guard, session: ticketId });
  await generateText({ model, prompt, tools, stopWhen: isStepCount(10) });
  // …
  run(tools);
  await guard.close();
}
