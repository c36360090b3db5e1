import type { Rule } from "@guard/core";
import { testGuard } from "@guard/testing";
import {
  generateText,
  isStepCount,
  type ModelMessage,
  streamText,
  ToolLoopAgent,
  type ToolSet,
  tool,
} from "ai";
import { afterEach, describe, expect, test } from "vitest";
import * as z from "zod";
import {
  executionOf,
  type GuardPending,
  guardTools,
  resumeMessages,
  type SuspendToolsOptions,
  suspendTools,
} from "./index.ts";
import { type Call, scripted } from "./scripted-model.fixture.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});
const policy: Rule[] = [{ tool: "lookup", then: "allow" }];
const stopWhen = isStepCount(5);
const refund = (id: string, amount: number): Call => ({ id, tool: "refund", input: { order: "A", amount } });
const lookup = (id: string): Call => ({ id, tool: "lookup", input: { order: "A" } });
const asked: ModelMessage = { role: "user", content: "go" };

async function kit(options: Parameters<typeof testGuard>[0] = {}) {
  const made = await testGuard({ policy, ...options });
  open.push(made);
  const ran: unknown[] = [];
  const tools = {
    lookup: tool({
      inputSchema: z.object({ order: z.string() }),
      execute: async ({ order }) => {
        ran.push(["lookup", order]);
        return { order, total: 900 };
      },
    }),
    refund: tool({
      description: "Refunds an order",
      inputSchema: z.object({ order: z.string(), amount: z.number() }),
      execute: async (input, { toolCallId }) => {
        ran.push([toolCallId, input]);
        return { refunded: input.amount };
      },
    }),
  };
  /** As a request handler or a worker has it: made anew each time. */
  const suspended = (
    more: Partial<SuspendToolsOptions<typeof tools>> = {},
    guard: typeof made.guard = made.guard,
  ) => suspendTools(tools, { guard, session: "chat-1", ...more });
  /** A first run that ends waiting, and what is stored of it. */
  async function start(calls: readonly Call[], more: Partial<SuspendToolsOptions<typeof tools>> = {}) {
    const result = await generateText({
      model: scripted([calls]),
      messages: [asked],
      stopWhen,
      ...suspended(more),
    });
    const saved: ModelMessage[] = JSON.parse(JSON.stringify([asked, ...result.responseMessages]));
    return { result, saved };
  }
  return { ...made, ran, tools, suspended, start };
}

describe("a suspended call", () => {
  test("ends the run, and goes on in another process once it was approved", async () => {
    const { approver, ran, start, suspended, another } = await kit();
    const held = approver.expect("refund", { order: "A", amount: 900 }).hold();
    const { result, saved } = await start([refund("c1", 900), lookup("c2")]);
    expect(result.finishReason).toBe("tool-calls");
    expect(ran).toEqual([["lookup", "A"]]);
    const request = result.content.find((part) => part.type === "tool-approval-request");
    expect(request).toMatchObject({ toolCall: { toolCallId: "c1" } });
    expect(request?.reason).toMatch(/^Waiting for alice@example.com to approve, until 20/);

    const next = suspended({}, another());
    expect(await resumeMessages(saved, next)).toBeNull();
    await held.arrived;
    await held.approve();
    const messages = await resumeMessages(saved, next);
    const model = scripted(["done"]);
    const resumed = await generateText({ model, messages: messages as ModelMessage[], stopWhen, ...next });
    expect(resumed.text).toBe("done");
    expect(ran).toEqual([
      ["lookup", "A"],
      ["c1", { order: "A", amount: 900 }],
    ]);
    expect(JSON.stringify(model.doGenerateCalls[0]?.prompt)).toContain('"refunded":900');
    approver.done();
  });
});
