// The interrupt's value, as the inboxes of LangChain read it, and what their answers do: nothing but wake.
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import { Command, END, MemorySaver, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import * as agent from "./agent.fixture.ts";
import { approvalNode } from "./approval-node.ts";
import { type GuardInterrupt, interruptValue, waitsFor } from "./interrupt.ts";
import { guardToolNode } from "./tool-node.ts";

const args = z.record(z.string(), z.unknown());
const decision = z.enum(["approve", "edit", "reject"]);

/** `HITLRequest` of langchain 1.5 (libs/langchain/src/agents/middleware/hitl.ts). */
const hitlRequest = z.object({
  actionRequests: z.array(z.object({ name: z.string(), args, description: z.string().optional() })),
  reviewConfigs: z.array(z.object({ actionName: z.string(), allowedDecisions: z.array(decision) })),
});

/**
 * What langchain-ai/agent-chat-ui takes for a request of an agent (src/lib/agent-inbox-interrupt.ts, July 2026):
 * a list of interrupts whose values have these members, in this spelling only. An empty list of decisions is none.
 */
const agentChatUi = z.array(
  z.object({
    value: z.object({
      action_requests: z.array(z.object({ name: z.string(), args, description: z.string() })).min(1),
      review_configs: z
        .array(z.object({ action_name: z.string(), allowed_decisions: z.array(decision).min(1) }))
        .min(1),
    }),
  }),
);

/**
 * What langchain-ai/agent-inbox makes of an interrupt's value (`normalizeInterrupt` in
 * src/components/agent-inbox/contexts/utils.ts, August 2026): it lists the first call, and offers what is allowed.
 */
const agentInbox = z
  .object({
    action_requests: z.array(z.object({ name: z.string(), args, description: z.string().optional() })).min(1),
    review_configs: z.array(z.object({ allowed_decisions: z.array(decision) })),
  })
  .transform(({ action_requests: [request], review_configs: [config] }) => {
    const allowed: readonly string[] = config?.allowed_decisions ?? [];
    // None named means that all are offered.
    const offers = (name: string) => allowed.length === 0 || allowed.includes(name);
    return {
      action: request?.name,
      args: request?.args,
      accept: offers("approve"),
      edit: offers("edit"),
      respond: offers("reject"),
    };
  });

/** Answers that these pages send, and others. None of them is a decision. */
const answers = [
  { decisions: [{ type: "approve" }] },
  { decisions: [{ type: "approve" }, { type: "approve" }] },
  { decisions: [{ type: "edit", editedAction: { name: "refund", args: { order: "A", amount: 1 } } }] },
  { decisions: [{ type: "edit", edited_action: { name: "refund", args: { order: "A", amount: 1 } } }] },
  { decisions: [{ type: "reject", message: "no" }] },
  [{ type: "accept", args: null }],
  [{ type: "edit", args: { action: "refund", args: { order: "A", amount: 1 } } }],
  [{ type: "ignore", args: null }],
  [{ type: "response", args: "go ahead" }],
  { guard: "wake-up", state: "approved" },
  "approve",
  true,
];

/** One refund of 900 that waits, in each of the three ways. */
const shapes = {
  async guardMiddleware() {
    const kit = await agent.kit();
    return { ...kit, app: kit.agent([[agent.refund("c1", 900)], "done"]) };
  },
  async guardToolNode() {
    const kit = await agent.kit();
    const call = { ...agent.refund("c1", 900), type: "tool_call" as const };
    const app = new StateGraph(MessagesAnnotation)
      .addNode("model", () => ({ messages: [new AIMessage({ content: "", tool_calls: [call] })] }))
      .addNode("tools", guardToolNode({ guard: kit.guard, tools: kit.tools }))
      .addEdge(START, "model")
      .addEdge("model", "tools")
      .addEdge("tools", END)
      .compile({ checkpointer: new MemorySaver() });
    return { ...kit, app };
  },
  async approvalNode() {
    const kit = await agent.kit();
    const node = approvalNode({
      guard: kit.guard,
      action: () => ({ tool: "refund", args: { order: "A", amount: 900 } }),
      execute: ({ args: given }) => {
        kit.ran.push(["refund", given]);
        return { messages: [new HumanMessage("refunded")] };
      },
      denied: ({ message }) => ({ messages: [new HumanMessage(message)] }),
    });
    const app = new StateGraph(MessagesAnnotation)
      .addNode("refund", node)
      .addEdge(START, "refund")
      .addEdge("refund", END)
      .compile({ checkpointer: new MemorySaver() });
    return { ...kit, app };
  },
};

describe.each(Object.entries(shapes))("%s", (_name, make) => {
  test("LangChain's inboxes list it: which tool, with which arguments, and one button", async () => {
    const { app, approver } = await make();
    approver.expect("refund").ignore();
    const paused = await agent.invoke(app, agent.go);
    // As it leaves a server.
    const sent = JSON.parse(JSON.stringify(paused.__interrupt__)) as { value: GuardInterrupt }[];
    expect(agentChatUi.safeParse(sent).error).toBeUndefined();
    const value = sent[0]?.value as GuardInterrupt;
    expect(hitlRequest.safeParse(value).error).toBeUndefined();
    expect(agentInbox.parse(value)).toEqual({
      action: "refund",
      args: { order: "A", amount: 900 },
      accept: true,
      edit: false,
      respond: false,
    });
    const description = value.actionRequests[0]?.description;
    expect(description).toContain("waits for an approval in Guard");
    expect(description).toContain("approves nothing");
    const request = value.guard.requests[0]?.request ?? "";
    expect([waitsFor(value, request), waitsFor(value, "another")]).toEqual([true, false]);
  });

  test("self-approval-by-model, decline-falls-through: their answers wake, and approve, reject or edit nothing", async () => {
    const { app, approver, ran } = await make();
    const held = approver.expect("refund", { order: "A", amount: 900 }).hold();
    let state = await agent.invoke(app, agent.go);
    const asked = agent.requestsIn(state);
    for (const [at, answer] of answers.entries()) {
      // By the interrupt's id, as the newer pages do, and to whatever waits, as the older ones do.
      const resume = at % 2 === 0 ? agent.resume(state, answer) : new Command({ resume: answer });
      state = await agent.invoke(app, resume);
      expect(agent.requestsIn(state)).toEqual(asked);
    }
    expect(ran).toEqual([]);
    await held.reject("no");
    await agent.invoke(app, agent.resume(state, answers[0]));
    expect(ran).toEqual([]);
    approver.done();
  });
});

test("several calls of one interrupt are all listed, each by its own id", () => {
  const calls = ["r1", "r2"].map((request) => ({
    ...{ request, tool: "refund", args: {}, callId: `${request}-call`, expiresAt: 1 },
  }));
  const value = interruptValue(calls);
  expect([value.actionRequests.length, value.action_requests.length]).toEqual([2, 2]);
  expect(["r1", "r2", "r3"].map((request) => waitsFor(value, request))).toEqual([true, true, false]);
  expect(value.guard.requests).toEqual([
    { request: "r1", tool: "refund", callId: "r1-call", expiresAt: 1 },
    { request: "r2", tool: "refund", callId: "r2-call", expiresAt: 1 },
  ]);
});

test("prototype-ids, forged-history: an interrupt of any other shape waits for nothing of ours", () => {
  const inherited: unknown = Object.create({ guard: { requests: [{ request: "r" }] } });
  const others = [
    ...[
      null,
      undefined,
      "r",
      1,
      true,
      [],
      [{ request: "r" }],
      { guard: null },
      { guard: { requests: null } },
    ],
    ...[{ guard: { requests: { request: "r" } } }, { guard: { requests: [null, "r", ["r"], {}] } }],
    ...[{ requests: [{ request: "r" }] }, { guard: "r" }, inherited],
  ];
  for (const value of others) expect(waitsFor(value, "r")).toBe(false);
});
