// What a tool behind guardMiddleware gets and gives: edits, errors, other middleware.
import { AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { Command, MemorySaver } from "@langchain/langgraph";
import {
  createAgent,
  createMiddleware,
  fakeModel,
  toolErrorMiddleware,
  toolRetryMiddleware,
} from "langchain";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import {
  type Call,
  go,
  invoke,
  kit,
  type Result,
  refund,
  requestsIn,
  resume,
  shop,
  toolMessages,
} from "./agent.fixture.ts";
import { executionOf } from "./gated.ts";
import { guardMiddleware } from "./middleware.ts";

describe("edited arguments", () => {
  test.each(["suspend", "wait"] as const)("%s: are what runs, and what the history shows", async (mode) => {
    const { agent, approver, ran } = await kit();
    const held = [900, 800, 700].map((amount) => approver.expect("refund", { order: "A", amount }).hold());
    const app = agent([[refund("c1", 900), refund("c2", 800), refund("c3", 700)], "done"], { mode });
    const running = invoke(app, go);
    await Promise.all(held.map(({ arrived }) => arrived));
    await held[0]?.edit({ order: "A", amount: 90 });
    await held[1]?.edit({ order: "A", amount: 80 });
    await held[2]?.approve();
    const first = await running;
    const ended = mode === "wait" ? first : await invoke(app, resume(first, "look"));
    const amounts = [90, 80, 700];
    expect(ran).toHaveLength(3);
    expect(ran).toEqual(expect.arrayContaining(amounts.map((amount) => ["refund", { order: "A", amount }])));
    const calls = (messages: readonly BaseMessage[]) =>
      messages.flatMap((message) => (AIMessage.isInstance(message) ? (message.tool_calls ?? []) : []));
    const expected = amounts.map((amount) => ({ order: "A", amount }));
    expect(calls(ended.messages).map(({ args }) => args)).toEqual(expected);
    // And what the model is told that it had called.
    expect(calls(app.model.calls[1]?.messages ?? []).map(({ args }) => args)).toEqual(expected);
    expect(ended.messages).toHaveLength(6);
    approver.done();
  });

  test("edited-tool-escape: an edit that the tool's schema refuses does not run", async () => {
    const { agent, approver, ran } = await kit();
    approver.expect("refund").edit({ order: "A", amount: "all of it" });
    const ended = await invoke(agent([[refund("c1", 900)], "done"], { mode: "wait" }), go);
    expect(toolMessages(ended)).toEqual([
      ["c1", "error", expect.stringContaining("do not fit the tool's schema")],
    ]);
    expect(ran).toEqual([]);
  });
});

describe("a tool's own errors stay what they are without the guard", () => {
  const said = "TypeError: the bank is closed\n Please fix your mistakes.";
  test.each(["suspend", "wait"] as const)(
    "%s: in an agent with no other middleware the model reads them",
    async (mode) => {
      const { agent, approver, tools, ran } = await kit();
      const plain = createAgent({
        model: fakeModel()
          .respondWithTools([refund("c1", 666)])
          .respond(new AIMessage("done")),
        tools,
      });
      const before = toolMessages((await plain.invoke(go)) as unknown as Result);
      expect(before).toEqual([["c1", "error", said]]);
      const held = approver.expect("refund").hold();
      const app = agent([[refund("c1", 666)], "done"], { mode });
      const running = invoke(app, go);
      await held.arrived;
      await held.approve();
      const first = await running;
      const ended = mode === "wait" ? first : await invoke(app, resume(first, "look"));
      expect(toolMessages(ended)).toEqual(before);
      expect(ran).toHaveLength(2);
    },
  );

  test.each(["suspend", "wait"] as const)(
    "%s: also those of tools that are allowed or ungated",
    async (mode) => {
      for (const ungated of [["refund"], []]) {
        const { tools, ran } = await kit();
        const { guard } = await shop([{ tool: "refund", then: "allow" }]);
        const model = fakeModel()
          .respondWithTools([refund("c1", 666)])
          .respond(new AIMessage("done"));
        const middleware = [guardMiddleware({ guard, mode, ungated })];
        const app = createAgent({ model, tools, middleware, checkpointer: new MemorySaver() });
        expect(toolMessages(await invoke(app, go))).toEqual([["c1", "error", said]]);
        expect(ran).toHaveLength(1);
      }
    },
  );

  test("arguments that the tool's schema refuses: nobody is asked, and the model reads what it reads without the guard", async () => {
    const { agent, approver, tools, ran } = await kit();
    const wrong: Call = { id: "c1", name: "refund", args: { order: "A", amount: "much" } };
    const plain = createAgent({
      model: fakeModel().respondWithTools([wrong]).respond(new AIMessage("done")),
      tools,
    });
    const content = (result: unknown) =>
      String(toolMessages(result as Result)[0]?.[2]).replace(/\n +at .*/g, "");
    const before = content(await plain.invoke(go));
    expect(before).toContain("Received tool input did not match expected schema");
    expect(content(await invoke(agent([[wrong], "done"]), go))).toBe(before);
    expect(ran).toEqual([]);
    approver.done();
  });

  test('toolErrors: "throw" gives them to toolErrorMiddleware around it, and without one the run fails as it does without the guard', async () => {
    const { agent, approver } = await kit();
    const seen: unknown[] = [];
    const onError = (error: unknown) => {
      seen.push(error);
      return error instanceof TypeError ? "the tool failed" : undefined;
    };
    approver.expect("refund").approve();
    const around = [toolErrorMiddleware({ onError })];
    const ended = await invoke(
      agent([[refund("c1", 666)], "done"], { mode: "wait", toolErrors: "throw", around }),
      go,
    );
    expect(toolMessages(ended)).toEqual([["c1", "error", "the tool failed"]]);
    expect(seen).toEqual([new TypeError("the bank is closed")]);
    approver.expect("refund").reject("no");
    const rejected = await invoke(
      agent([[refund("c1", 1)], "done"], { mode: "wait", toolErrors: "throw", around }),
      go,
      "rejected",
    );
    expect(toolMessages(rejected)).toEqual([["c1", "error", "alice@example.com rejected refund: no"]]);
    approver.expect("refund").approve();
    const alone = agent([[refund("c1", 666)], "done"], { mode: "wait", toolErrors: "throw" });
    await expect(invoke(alone, go, "alone")).rejects.toThrow("the bank is closed");
  });

  test("a tool that there is not is told to the model, and nobody is asked", async () => {
    const { agent, approver } = await kit();
    const ended = await invoke(agent([[{ id: "c1", name: "refnd", args: {} }], "done"]), go);
    expect(toolMessages(ended)).toEqual([["c1", "error", "Error: refnd is not a valid tool."]]);
    approver.done();
  });
});

describe("other middleware", () => {
  test("toctou-args: arguments that middleware changes, before or behind the guard, are the ones that are asked and run", async () => {
    const { agent, approver, ran } = await kit();
    const double = (name: string) =>
      createMiddleware({
        name,
        wrapToolCall: (request, handler) => {
          const { toolCall } = request;
          const args = { ...toolCall.args, amount: 2 * Number(toolCall.args.amount) };
          return handler({ ...request, toolCall: { ...toolCall, args } });
        },
      });
    approver.expect("refund", { order: "A", amount: 4 }).approve();
    const app = agent([[refund("c1", 1)], "done"], {
      mode: "wait",
      around: [double("around")],
      inside: [double("inside")],
    });
    await invoke(app, go);
    expect(ran).toEqual([["refund", { order: "A", amount: 4 }]]);
    approver.done();
  });

  test("config-fail-open: middleware behind the guard that runs something else in the tool's place is an error", async () => {
    const { agent, tools } = await kit();
    const swap = createMiddleware({
      name: "swap",
      wrapToolCall: (request, handler) => handler({ ...request, tool: tools[0] }),
    });
    const app = agent([[refund("c1", 1)], "done"], { inside: [swap] });
    await expect(invoke(app, go)).rejects.toThrow("Put guardMiddleware last");
  });

  test("double-execution: a retry behind the guard neither runs an approved tool again nor loses the pause", async () => {
    const { agent, approver, ran } = await kit();
    const held = approver.expect("refund").hold();
    const inside = [toolRetryMiddleware({ maxRetries: 1, initialDelayMs: 0, jitter: false })];
    const app = agent([[refund("c1", 666)], "done"], { inside });
    const paused = await invoke(app, go);
    expect(requestsIn(paused)).toHaveLength(1);
    await held.approve();
    const ended = await invoke(app, resume(paused, "look"));
    expect(toolMessages(ended)).toEqual([
      ["c1", "error", expect.stringContaining("failed after 2 attempts")],
    ]);
    expect(ran).toHaveLength(1);
    approver.done();
  });

  test("a tool that middleware brings is guarded too, and one that is ungated is not", async () => {
    const { agent, approver } = await kit();
    let ran = 0;
    const more = tool(() => `${++ran}`, { name: "more", description: "More", schema: z.object({}) });
    const around = [createMiddleware({ name: "brings", tools: [more] })];
    approver.expect("more").reject("no");
    await invoke(agent([[{ id: "c1", name: "more", args: {} }], "done"], { mode: "wait", around }), go);
    expect(ran).toBe(0);
    const free = agent([[{ id: "c1", name: "more", args: {} }], "done"], { around, ungated: ["more"] });
    await invoke(free, go, "free");
    expect(ran).toBe(1);
    approver.done();
  });
});

describe("what a tool gets and gives", () => {
  test("an execution, by its config, and results of every kind", async () => {
    const { agent, approver } = await kit();
    const seen: unknown[] = [];
    const schema = z.object({});
    const tools = [
      tool(
        (_input, config) => {
          seen.push(executionOf(config)?.executionId);
          return ["text", { rows: 3 }];
        },
        {
          name: "artifact",
          description: "d",
          schema,
          responseFormat: "content_and_artifact",
        },
      ),
      tool(
        (_input, config) =>
          new Command({
            update: {
              messages: [new ToolMessage({ tool_call_id: config.toolCall.id, content: "by command" })],
            },
          }),
        { name: "command", description: "d", schema },
      ),
    ];
    const calls = ["artifact", "command"].map((name, at) => ({ id: `c${at}`, name, args: {} }));
    const held = approver.expect("artifact").hold();
    approver.expect("command").approve();
    const running = invoke(agent([calls, "done"], { mode: "wait" }, { tools }), go);
    const { request } = await held.arrived;
    await held.approve();
    const ended = await running;
    expect(seen).toEqual([request]);
    expect(toolMessages(ended)).toEqual([
      ["c0", "success", "text"],
      ["c1", undefined, "by command"],
    ]);
    expect(ended.messages.find(ToolMessage.isInstance)?.artifact).toEqual({ rows: 3 });
    // A refusal is no pair of content and artifact.
    approver.expect("artifact").reject("no");
    const refused = await invoke(
      agent([calls.slice(0, 1), "done"], { mode: "wait" }, { tools }),
      go,
      "refused",
    );
    expect(toolMessages(refused)).toEqual([["c0", "error", "alice@example.com rejected artifact: no"]]);
  });

  test("facts reach the approver", async () => {
    const { agent, approver } = await kit();
    const held = approver.expect("refund").hold();
    const facts = { refund: ({ amount }: { amount: number }) => ({ title: `Refund ${amount}` }) };
    const running = invoke(agent([[refund("c1", 9)], "done"], { mode: "wait", facts }), go);
    expect((await held.arrived).facts).toEqual({ title: "Refund 9" });
    await held.approve();
    await running;
  });
});
