// guardMiddleware where it could be got round: agents in tools, options, agents that it does not fit.
import type { Rule } from "@guard/core";
import { AIMessage, type BaseMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { MemorySaver } from "@langchain/langgraph";
import {
  type AgentMiddleware,
  createAgent,
  createMiddleware,
  fakeModel,
  humanInTheLoopMiddleware,
  toolErrorMiddleware,
  toolRetryMiddleware,
} from "langchain";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import {
  go,
  invoke,
  kit,
  type Options,
  refund,
  requestsIn,
  resume,
  shop,
  shopTools,
  thread,
  toolMessages,
} from "./agent.fixture.ts";
import { guardTools } from "./guard-tools.ts";
import { guardMiddleware } from "./middleware.ts";
import type { GuardMiddlewareOptions } from "./middleware-options.ts";
import { resumeWorker } from "./worker.ts";

describe("subagent-bypass", () => {
  async function family(parent: Options, child: Options | null, also: Rule[] = []) {
    const made = await shop(also);
    const ran: unknown[] = [];
    const inner = createAgent({
      model: fakeModel()
        .respondWithTools([refund("c1", 5)])
        .respond(new AIMessage("refunded it")),
      tools: shopTools(ran),
      middleware: child === null ? [] : [guardMiddleware({ guard: made.guard, ...child })],
    });
    const delegate = tool(
      async (_input, config) => {
        const { messages } = await inner.invoke(go, config);
        return String(messages.at(-1)?.content);
      },
      { name: "delegate", description: "Delegates", schema: z.object({}) },
    );
    const outer = createAgent({
      model: fakeModel()
        .respondWithTools([{ id: "c1", name: "delegate", args: {} }])
        .respond(new AIMessage("done")),
      tools: [delegate],
      checkpointer: new MemorySaver(),
      middleware: [guardMiddleware({ guard: made.guard, ...parent })],
    });
    return { ...made, ran, outer };
  }

  test.each([
    ["is ungated", { ungated: ["delegate"] }, []],
    ["is allowed by policy", {}, [{ tool: "delegate", then: "allow" } as const]],
  ])(
    "a guarded agent in a tool that %s suspends the whole run and goes on with it",
    async (_why, parent, also) => {
      const { outer, approver, ran } = await family(parent, {}, also);
      const held = approver.expect("refund", { order: "A", amount: 5 }).hold();
      const paused = await invoke(outer, go);
      expect(requestsIn(paused)).toEqual([expect.objectContaining({ tool: "refund" })]);
      expect((await held.arrived).session).toBe("t");
      await held.approve();
      const ended = await invoke(outer, resume(paused, "look"));
      expect(toolMessages(ended)).toEqual([["c1", "success", "refunded it"]]);
      expect(ran).toEqual([["refund", { order: "A", amount: 5 }]]);
      approver.done();
    },
  );

  test("an agent in a tool that was approved waits, where its own guard waits", async () => {
    const { outer, approver, ran } = await family({}, { mode: "wait" });
    const held = approver.expect("delegate").hold();
    approver.expect("refund").approve();
    const paused = await invoke(outer, go);
    await held.approve();
    const ended = await invoke(outer, resume(paused, "look"));
    expect(toolMessages(ended)).toEqual([["c1", "success", "refunded it"]]);
    expect(ran).toHaveLength(1);
    approver.done();
  });

  test("config-fail-open: an agent that suspends in a tool that was approved is an error that says what to do", async () => {
    const { outer, approver, ran } = await family({}, {});
    const held = approver.expect("delegate").hold();
    approver.expect("refund").ignore();
    const paused = await invoke(outer, go);
    await held.approve();
    await expect(invoke(outer, resume(paused, "look"))).rejects.toThrow("Let the policy allow this tool");
    expect(ran).toEqual([]);
  });

  test("as documented: a guard does not see the tools of an agent that has none of its own", async () => {
    const { outer, ran } = await family({ ungated: ["delegate"] }, null);
    await outer.invoke(go, thread());
    expect(ran).toHaveLength(1);
  });
});

describe("config-fail-open: misuse is refused", () => {
  const option = (options: object) => () => guardMiddleware(options as GuardMiddlewareOptions);

  test("options", async () => {
    const { guard, tools } = await kit();
    expect(option({})).toThrow("guardMiddleware needs { guard }");
    expect(option({ guard, ungatd: ["x"] })).toThrow("has no option ungatd");
    expect(option({ guard, mode: "interrupt" })).toThrow('mode is "suspend" or "wait"');
    expect(option({ guard, toolErrors: "swallow" })).toThrow('toolErrors is "model" or "throw"');
    expect(option({ guard, session: "s" })).toThrow("the session is the thread");
    expect(option({ guard, tools, ungated: ["refnd"] })).toThrow("no tool called refnd");
    expect(option({ guard, tools, facts: { refnd: () => ({}) } })).toThrow("no tool called refnd");
    expect(option({ guard, tools: [{ type: "web_search", name: "web_search" }] })).toThrow(
      "no tool that runs here",
    );
    expect(option({ guard, tools: [{ type: "web_search" }], ungated: ["web_search"] })).not.toThrow();
  });

  test("tools that nobody could be shown", async () => {
    const { guard, agent } = await kit();
    const dated = tool(() => "ok", { name: "dated", description: "d", schema: z.object({ at: z.date() }) });
    expect(option({ guard, tools: [dated] })).toThrow("takes a Date");
    const app = agent([[{ id: "c", name: "dated", args: {} }], "done"], {}, { tools: [dated] });
    await expect(invoke(app, go)).rejects.toThrow("takes a Date");
  });

  test("suspend without a checkpointer, before the model is asked anything", async () => {
    const { agent } = await kit();
    const app = agent(["done"], {}, { checkpointer: false });
    await expect(invoke(app, go)).rejects.toThrow("needs a checkpointer");
    expect(app.model.callCount).toBe(0);
  });

  test("suspend where all calls of a turn run in one step", async () => {
    const { agent, ran } = await kit();
    const app = agent([[refund("c1", 1), refund("c2", 2)], "done"], { version: "v1" });
    await expect(invoke(app, go)).rejects.toThrow('Leave out version: "v1"');
    expect(ran).toEqual([]);
  });

  test("an agent that does not fit, when its worker is made", async () => {
    const { agent, guard, tools } = await kit();
    const made = (...[options, more]: [Parameters<typeof agent>[1]?, Parameters<typeof agent>[2]?]) =>
      agent([], options, more);
    const refused = (graph: ReturnType<typeof made>) => expect(() => resumeWorker({ guard, graph }));
    const onError = () => "failed";
    refused(made({ around: [toolRetryMiddleware()] })).toThrow("takes a pause for an error");
    refused(made({ around: [toolErrorMiddleware({ onError })] })).toThrow('Set toolErrors: "throw"');
    // Under exactOptionalPropertyTypes, langchain's own type takes nothing.
    const asksToo = humanInTheLoopMiddleware({ interruptOn: { refund: true } } as never) as AgentMiddleware;
    refused(made({ around: [asksToo] })).toThrow("its answers are not verified");
    refused(made({ inside: [asksToo] })).toThrow("its answers are not verified");
    refused(made({ version: "v1" })).toThrow("Leave the version out");
    refused(made({ ungated: ["refnd"] })).toThrow("no tool called refnd");
    refused(made({ facts: { refnd: () => ({}) } })).toThrow("no tool called refnd");
    refused(made({}, { tools: [...tools, { type: "web_search", name: "web_search" }] })).toThrow(
      "no tool that runs here",
    );
    const brings = createMiddleware({ name: "brings", tools: [{ type: "web_search", name: "web_search" }] });
    refused(made({ around: [brings] })).toThrow("no tool that runs here");

    const fits = [
      made(),
      made({ inside: [toolRetryMiddleware()] }),
      made({ around: [toolErrorMiddleware({ onError })], toolErrors: "throw" }),
      made({ around: [asksToo], ungated: ["refund"] }),
      made({ around: [brings], ungated: ["web_search"] }),
    ];
    for (const graph of fits) await resumeWorker({ guard, graph }).close();
  });

  test("a tool of the agent that is guarded already", async () => {
    const { agent, guard, tools } = await kit();
    const app = agent([[refund("c1", 1)], "done"], {}, { tools: [...guardTools(tools, { guard })] });
    await expect(invoke(app, go)).rejects.toThrow("is guarded already");
  });
});

test("types: createAgent takes it beside langchain's own", async () => {
  const { guard } = await kit();
  guardMiddleware({ guard }) satisfies AgentMiddleware;
  const stateSchema = z.object({ todos: z.array(z.string()).default([]) });
  const agent = createAgent({
    model: fakeModel().respond(new AIMessage("done")),
    tools: [],
    checkpointer: new MemorySaver(),
    middleware: [createMiddleware({ name: "todos", stateSchema }), guardMiddleware({ guard })],
  });
  const { messages, todos } = await agent.invoke(go, thread());
  const last: BaseMessage | undefined = messages.at(-1);
  expect([last?.content, todos]).toEqual(["done", []]);
});
