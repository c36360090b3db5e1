/**
 * The agent, in a process of its own: works on tickets, or goes on with those that were suspended, every tool
 * behind the guard. Which framework it is made with is read here; the framework's own code is in `agents/`.
 */
import { mkdirSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { createGuard } from "@guard/core";
import type { SupportAgent, SupportAgentOptions } from "./agents/support-agent.ts";
import { done } from "./models/script.ts";
import type { Framework } from "./options.ts";
import { inWords, type Line, names, said } from "./output.ts";
import { given, parent } from "./processes.ts";
import { openShop } from "./shop.ts";
import { lastTicket, people, policy, type ScriptedCall, tickets } from "./story.ts";
import { shopTools } from "./tools.ts";
import { watched } from "./watch.ts";

const { report, signal, leave } = parent();
signal.addEventListener("abort", () => process.exit(0));

// Only the one that is wanted is loaded: loading is most of what a process here takes.
const makers: Readonly<
  Record<Framework, () => Promise<{ supportAgent: (options: SupportAgentOptions) => SupportAgent }>>
> = {
  "vercel-ai": () => import("./agents/vercel-ai.ts"),
  langgraph: () => import("./agents/langgraph.ts"),
  mastra: () => import("./agents/mastra.ts"),
};

const live = given("DEMO_LIVE") === "1";
const suspend = given("DEMO_SUSPEND") === "1";
const resuming = given("DEMO_ACT") === "resume";
const haltAt = process.env.DEMO_HALT_AT;
const tell = (line: Line) => report({ kind: "line", line });
const waitingFor = new Set<string>();
const opened = new Set<string>();

function open(ticket: string): void {
  if (opened.has(ticket)) return;
  opened.add(ticket);
  const { text, hint } = [...tickets, lastTicket].find(({ id }) => id === ticket) ?? { text: "" };
  const number = ticket.replace("ticket-", "#");
  tell({ text: "" });
  tell({ text: `${number} ${resuming ? `goes on: ${text}` : text}`, tone: "title" });
  if (live && !resuming && hint) tell(said("", `(try this: ${hint})`, "dim"));
}

const guard = watched(
  createGuard({
    connection: given("GUARD_CONNECTION"),
    policy,
    approvers: people,
    directory: given("DEMO_DIRECTORY"),
    onPending({ request, callId, tool, args, approvers, quorum, reasons, joined }) {
      const call = { tool, args: args as ScriptedCall["args"] };
      for (const identity of approvers) waitingFor.add(identity);
      if (joined) return;
      tell(said("agent", inWords(tool, call.args)));
      const whom = quorum > 1 ? `${names(approvers)}, both` : names(approvers);
      tell(said("guard", `asks ${whom}: ${reasons.join("; ")}`, "warning"));
      report({ kind: "asked", asked: { request, callId: callId ?? "", call, quorum } });
    },
  }),
  {
    tell,
    ended: (call) => report({ kind: "ended", call }),
    async answered(ticket) {
      if (!resuming) return;
      open(ticket);
      if (ticket !== haltAt) return;
      report({ kind: "halted", ticket });
      await new Promise(() => {});
    },
  },
);

const directory = given("DEMO_RUNS");
mkdirSync(directory, { recursive: true });
const { supportAgent } = await makers[given("DEMO_FRAMEWORK") as Framework]();
const agent = supportAgent({
  guard,
  tools: shopTools(openShop(given("DEMO_SHOP"))),
  suspend,
  directory,
  model: given("DEMO_MODEL") || undefined,
  reply(ticket, text) {
    report({ kind: "said", ticket, text });
    if (text !== done && ticket !== lastTicket.id) tell(said("model", text, "dim"));
  },
});
await guard.ready();

if (resuming) {
  tell({ text: "" });
  tell(said("", `(another process, pid ${process.pid}, looks for what was answered)`, "dim"));
  await agent.resume();
} else {
  const wanted = given("DEMO_TICKETS").split(" ");
  for (const ticket of [...tickets, lastTicket].filter(({ id }) => wanted.includes(id))) {
    open(ticket.id);
    await agent.work(ticket);
    if (live && !suspend) await pause(800);
  }
  if (suspend) {
    tell({ text: "" });
    tell(
      said(
        "agent",
        `waiting for ${names([...waitingFor])}; this process exits now (pid ${process.pid})`,
        "warning",
      ),
    );
  }
}
await guard.close();
await leave();
