/**
 * The support agent with Mastra, made by `guardAgent` instead of `new Agent`.
 *
 * Suspending, Mastra's own storage keeps the run while people decide, and `resumeWorker` goes on with it. A thread is
 * a ticket.
 */
import { join } from "node:path";
import { guardAgent, resumeWorker } from "@guard/mastra";
import { Mastra } from "@mastra/core/mastra";
import { createTool } from "@mastra/core/tools";
import { LibSQLStore } from "@mastra/libsql";
import { scriptedModel } from "../models/mastra.ts";
import { instructions, type SupportAgent, type SupportAgentOptions } from "./support-agent.ts";

export function supportAgent(options: SupportAgentOptions): SupportAgent {
  const { guard, suspend, directory, reply } = options;
  const tools = Object.fromEntries(
    Object.entries(options.tools).map(([id, { description, inputSchema, run }]) => [
      id,
      createTool({
        id,
        description,
        inputSchema,
        execute: async (args, { agent }) => run(args, agent?.toolCallId ?? ""),
      }),
    ]),
  );
  const agent = guardAgent(
    { id: "support", name: "support", instructions, model: scriptedModel(), tools },
    { guard, mode: suspend ? "suspend" : "wait" },
  );
  const mastra = new Mastra({
    agents: { support: agent },
    storage: new LibSQLStore({ id: "runs", url: `file:${join(directory, "runs.db")}` }),
    logger: false,
  });

  return {
    async work({ id, text: prompt }) {
      const { finishReason, text } = await agent.generate(prompt, {
        memory: { thread: id, resource: "shop" },
      });
      if (finishReason !== "suspended") reply(id, text);
    },

    async resume() {
      const worker = resumeWorker({
        guard,
        mastra,
        concurrency: 1, // One after another, for whoever watches.
        async onResumed(resumed) {
          if (resumed.kind !== "agent") return;
          const text = await resumed.output.text;
          if (resumed.output.status !== "suspended") reply(resumed.thread ?? "", text);
        },
      });
      await worker.idle(); // A server would let it run on.
      await worker.close();
    },
  };
}
