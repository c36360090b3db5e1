// An agent and a workflow of Mastra as a process of their own, in LibSQL: it begins both and waits to be killed, or
// it is the worker that goes on with them. `slow` tools never end.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { createGuard } from "@guard/core";
import { approvalStep, guardAgent, resumeWorker } from "@guard/mastra";
import type { MastraModelConfig } from "@mastra/core/llm";
import { Mastra } from "@mastra/core/mastra";
import { createTool } from "@mastra/core/tools";
import { createWorkflow } from "@mastra/core/workflows";
import { LibSQLStore } from "@mastra/libsql";
import * as z from "zod";
import { aiSdkModel } from "../plugins/models/ai-sdk.ts";
import type { Transcript } from "../plugins/subject.ts";

const [role = "", directory = "", effects = "", speed = ""] = process.argv.slice(2);
const say = (event: string, more: object = {}) =>
  process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);

const guard = createGuard({ approvers: ["alice@example.com"], directory, executionTimeout: 1_000 });
const refunds = z.object({ amount: z.number() });

async function refund({ amount }: z.infer<typeof refunds>) {
  appendFileSync(effects, `${amount}\n`);
  say("running", { amount });
  if (speed === "slow") await new Promise(() => setInterval(() => {}, 1_000));
  return { refunded: amount };
}
const seen: Transcript[] = [];
const model = aiSdkModel(
  [[1, 2].map((amount) => ({ id: `c${amount}`, tool: "refund", args: { amount } })), "I have seen to it."],
  seen,
) as unknown as MastraModelConfig;
const tool = createTool({ id: "refund", description: "Refunds", inputSchema: refunds, execute: refund });
const support = guardAgent(
  { id: "support", name: "Support", instructions: "Help.", model, tools: { refund: tool } },
  { guard },
);
const payout = createWorkflow({ id: "payout", inputSchema: refunds, outputSchema: z.unknown() })
  .then(
    approvalStep({
      id: "pay",
      guard,
      inputSchema: refunds,
      outputSchema: z.unknown(),
      action: ({ inputData }) => ({ tool: "pay", args: inputData }),
      execute: ({ args }) => refund(args as z.infer<typeof refunds>),
    }),
  )
  .commit();
const storage = new LibSQLStore({ id: "store", url: `file:${join(directory, "mastra.db")}` });
const mastra = new Mastra({ agents: { support }, workflows: { payout }, storage, logger: false });

if (role === "agent") {
  const output = await support.generate("Refund both", { memory: { thread: "ticket-7", resource: "r" } });
  say(output.finishReason ?? "ended");
  setInterval(() => {}, 1_000); // Until it is killed.
} else if (role === "workflow") {
  const result = await (await payout.createRun()).start({ inputData: { amount: 3 } });
  say(result.status);
  setInterval(() => {}, 1_000);
} else {
  // A workflow that was killed while a step ran is not suspended: Mastra itself starts it again.
  await mastra.restartAllActiveWorkflowRuns();
  const { runs } = await payout.listWorkflowRuns({ status: "failed" });
  for (const { runId } of runs) {
    const state = await payout.getWorkflowRunById(runId, { fields: ["error"] });
    say("failed", { error: state?.error?.message });
  }
  resumeWorker({
    guard,
    mastra,
    storedWithin: 500,
    onError: (error) => say("failed", { error: String(error) }),
    async onResumed(resumed) {
      if (resumed.kind === "workflow") {
        const { result } = resumed;
        say(result.status, { error: result.status === "failed" ? result.error.message : null });
      } else if ((await resumed.output.finishReason) === "stop") {
        say("finished", { text: await resumed.output.text, results: seen.at(-1)?.results });
      }
    },
  });
}
