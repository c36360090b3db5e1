// The README's agent, as it stands there.
// README
import { guardAgent, resumeWorker } from "@guard/mastra";
import { Mastra } from "@mastra/core/mastra";
import { createTool } from "@mastra/core/tools";
import * as z from "zod";
// …
import type { Given } from "./readme.given.ts";

export function example({ guard, model, storage, shop, show }: Given) {
  // README
  const refund = createTool({
    id: "refund",
    description: "Refunds an order",
    inputSchema: z.object({ order: z.string(), amount: z.number() }),
    execute: ({ order, amount }) => shop.refund(order, amount),
  });
  const support = guardAgent(
    { id: "support", name: "Support", instructions: "Help the customer.", model, tools: { refund } },
    { guard },
  );
  const mastra = new Mastra({ agents: { support }, storage });

  /** Ends with the finish reason "suspended" where people have to be asked. */
  const begin = () =>
    support.generate("Refund order A", { memory: { thread: "ticket-7", resource: "customer-3" } });

  // In this process or in another one: resumes each run whose calls have been answered.
  const worker = resumeWorker({
    guard,
    mastra,
    async onResumed(resumed) {
      if (resumed.kind === "agent") show(resumed.thread, await resumed.output.text);
    },
  });
  // …
  return { begin, worker };
}
