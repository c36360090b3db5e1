/** The agent, in a process of its own: works through the tickets, every tool behind the guard. */
import { setTimeout as pause } from "node:timers/promises";
import { createGuard, formatConnection, type Guard, isGuardError, parseConnection } from "@guard/core";
import { guardTools } from "@guard/vercel-ai";
import { generateText, isStepCount } from "ai";
import { done, scriptedModel } from "./model.ts";
import { inWords, type Line, names, said } from "./output.ts";
import { type CallEnd, given, parent } from "./processes.ts";
import { createShop } from "./shop.ts";
import { bob, lastTicket, people, policy, type ScriptedCall, type Ticket, tickets } from "./story.ts";
import { shopTools } from "./tools.ts";

const { report, signal } = parent();
signal.addEventListener("abort", () => process.exit(0));

const connection = given("GUARD_CONNECTION");
const live = given("DEMO_LIVE") === "1";
const gatewayModel = process.env.DEMO_MODEL;
const tools = shopTools(createShop(given("DEMO_SHOP")));
const instructions =
  "You are the support agent of a shop. Do what the ticket asks with your tools: look up the order, then refund " +
  "what is fair. If a tool is refused, do not try again. End with one short sentence.";

const askedCalls = new Set<string>();
const tell = (line: Line) => report({ kind: "line", line });

function openGuard(url: string): Guard {
  return createGuard({
    connection: url,
    policy,
    approvers: people,
    directory: given("DEMO_DIRECTORY"),
    onPending: ({ request, callId, tool, args, approvers, quorum, reasons }) => {
      const call = { tool, args: args as ScriptedCall["args"] };
      askedCalls.add(callId ?? "");
      report({ kind: "asked", asked: { request, callId: callId ?? "", call, quorum } });
      tell(said("agent", inWords(tool, call.args)));
      const whom = quorum > 1 ? `${names(approvers)}, both` : names(approvers);
      tell(said("guard", `asks ${whom}: ${reasons.join("; ")}`, "warning"));
    },
  });
}

async function work(guard: Guard, ticket: Ticket): Promise<void> {
  tell({ text: "" });
  tell({ text: `${ticket.id.replace("ticket-", "#")} ${ticket.text}`, tone: "title" });
  if (live && ticket.hint) tell(said("", `(try this: ${ticket.hint})`, "dim"));
  const { text } = await generateText({
    // The last act needs a call that somebody rejects; a real model might not make it.
    model: ticket === lastTicket || !gatewayModel ? scriptedModel(ticket) : gatewayModel,
    instructions,
    prompt: ticket.text,
    tools: guardTools(tools, { guard, session: ticket.id }),
    stopWhen: isStepCount(8),
    maxRetries: 0,
    onToolExecutionEnd: ({ toolCall, toolOutput }) => {
      const { toolCallId: callId, toolName: tool } = toolCall;
      const args = toolCall.input as ScriptedCall["args"];
      if (toolOutput.type === "tool-error") ended(toolOutput.error, { callId, tool, args });
      else {
        report({ kind: "ended", call: { callId, tool, args, end: "ran", message: "" } });
        const ran = inWords(tool, asRun(args, toolOutput.output));
        if (askedCalls.has(callId)) tell(said("guard", `ran ${ran}`, "good"));
        else tell(said("agent", `${ran}   (allowed by a rule)`));
      }
    },
  });
  report({ kind: "said", ticket: ticket.id, text });
  if (text !== done && ticket !== lastTicket) tell(said("model", text, "dim"));
  if (live) await pause(800);
}

/** A call that did not run. */
function ended(error: unknown, { callId, tool, args }: Pick<CallEnd, "callId" | "tool" | "args">): void {
  const end = isGuardError(error) ? error.code : "error";
  const message = error instanceof Error ? error.message : String(error);
  report({ kind: "ended", call: { callId, tool, args, end, message } });
  if (!askedCalls.has(callId)) tell(said("agent", inWords(tool, args)));
  // Why, is what the model was told.
  if (end === "rejected" || end === "denied") tell(said("guard", `did not run it (${end})`, "danger"));
  else tell(said("guard", `refused (${end}): ${message}`, "danger"));
}

/** What ran, which an approver may have changed. */
function asRun(args: ScriptedCall["args"], output: unknown): ScriptedCall["args"] {
  const { refunded } = (output ?? {}) as { refunded?: number };
  return refunded === undefined ? args : { ...args, amount: refunded };
}

let guard = openGuard(connection);
await guard.ready();
report({ kind: "ready" });
for (const ticket of tickets) await work(guard, ticket);
await guard.close();

// The last act: the same agent, restarted, behind a relay that lies. It goes on with its own chain.
tell({ text: "" });
tell({
  text: `Now the relay is replaced by one that lies: it will turn ${names([bob])}'s rejection into an approval.`,
  tone: "warning",
});
guard = openGuard(formatConnection({ ...parseConnection(connection), relay: given("DEMO_LYING_RELAY") }));
await work(guard, lastTicket);
await guard.close();
report({ kind: "done" });
