// A chat of the AI SDK as a process of its own, its messages in a file: it begins the chat and waits to be killed,
// or it is the worker that goes on with it. `slow` tools never end.
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createGuard } from "@guard/core";
import { resumeMessages, resumeWorker, suspendTools } from "@guard/vercel-ai";
import { generateText, isStepCount, type ModelMessage, tool } from "ai";
import * as z from "zod";
import { aiSdkModel } from "../plugins/models/ai-sdk.ts";

const [role = "", directory = "", effects = "", speed = ""] = process.argv.slice(2);
const say = (event: string, more: object = {}) =>
  process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);
const file = (session: string) => join(directory, `${session}.json`);

const guard = createGuard({ approvers: ["alice@example.com"], directory, executionTimeout: 1_000 });
const refund = tool({
  inputSchema: z.object({ amount: z.number() }),
  async execute({ amount }) {
    appendFileSync(effects, `${amount}\n`);
    say("running", { amount });
    if (speed === "slow") await new Promise(() => setInterval(() => {}, 1_000));
    return { refunded: amount };
  },
});
const model = aiSdkModel(
  [[1, 2].map((amount) => ({ id: `c${amount}`, tool: "refund", args: { amount } })), "I have seen to it."],
  [],
);

async function turn(session: string, stored: readonly ModelMessage[], lost = false): Promise<void> {
  const suspended = suspendTools({ refund }, { guard, session });
  const messages = await resumeMessages(stored, suspended, { lost });
  if (messages === null) return;
  const result = await generateText({ model, messages, ...suspended, stopWhen: isStepCount(5) });
  const text = JSON.stringify([...messages, ...result.responseMessages]);
  writeFileSync(`${file(session)}.new`, text);
  renameSync(`${file(session)}.new`, file(session));
  say(result.finishReason === "stop" ? "finished" : "suspended");
}

if (role === "begin") {
  await turn("ticket-7", [{ role: "user", content: "Refund both" }]);
  setInterval(() => {}, 1_000); // Until it is killed.
} else {
  resumeWorker<ModelMessage>({
    guard,
    storedWithin: 500,
    load: (session) => (existsSync(file(session)) ? JSON.parse(readFileSync(file(session), "utf8")) : null),
    resume: ({ session, messages, lost }) => turn(session, messages, lost),
    onError: (error) => say("failed", { error: String(error) }),
  });
}
