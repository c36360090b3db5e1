import type { Json } from "@guard/core";
import type { ToolMessage } from "@langchain/core/messages";
import { DynamicTool, StructuredTool, type StructuredToolInterface, tool } from "@langchain/core/tools";
import { MemorySaver, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { afterEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { executionOf } from "./gated.ts";
import { agentGraph, go, kit as make, results, says, thread } from "./graph.fixture.ts";
import { guardTools } from "./guard-tools.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});
async function kit() {
  const made = await make();
  open.push(made);
  const guarded: readonly StructuredToolInterface[] = guardTools(made.tools, { guard: made.guard });
  return { ...made, guarded };
}
const call = (name: string, args: Record<string, unknown>, id = "c1") =>
  ({ name, args, id, type: "tool_call" }) as const;
/** Called as a model's call is. */
const invoke = (each: StructuredToolInterface | undefined, args: Record<string, unknown>, config = {}) =>
  each?.invoke(call(each.name, args), config) as Promise<ToolMessage>;

describe("a guarded tool", () => {
  test("sibling-loss: in a ToolNode, calls wait in parallel and have an outcome each", async () => {
    const { guarded, approver, ran } = await kit();
    const graph = agentGraph(
      [
        [
          ["refund", { order: "A", amount: 1 }, "c1"],
          ["lookup", { order: "A" }, "c2"],
          ["refund", { order: "B", amount: 2 }, "c3"],
        ],
        "done",
      ],
      new ToolNode([...guarded]),
    ).compile();
    const first = approver.expect("refund", { order: "A", amount: 1 }).hold();
    const second = approver.expect("refund", { order: "B", amount: 2 }).hold();
    const running = graph.invoke(go);
    await Promise.all([first.arrived, second.arrived]);
    expect(ran).toEqual([["lookup", "A"]]);
    await second.approve();
    await first.reject("not this one");
    expect(results(await running)).toEqual([
      ["c1", "error", expect.stringContaining("not this one")],
      ["c2", "success", '{"order":"A","total":900}'],
      ["c3", "success", "refunded 2"],
    ]);
    approver.done();
  });

  test("passes the gate whichever way it is called", async () => {
    const { guarded, approver, ran } = await kit();
    const [refund] = guarded;
    const args = { order: "A", amount: 1 };
    const ways: [string, () => Promise<unknown>][] = [
      ["invoke", () => refund?.invoke(args) as Promise<unknown>],
      ["batch", async () => refund?.batch([args])],
      ["stream", async () => (await refund?.stream(args))?.getReader().read()],
      ["call", async () => refund?.call(args)],
      ["func", async () => (refund as unknown as { func(input: unknown): unknown }).func(args)],
      ["_call", async () => (refund as unknown as { _call(input: unknown): unknown })._call(args)],
    ];
    for (const [name, way] of ways) {
      approver.expect("refund", args).reject(`not by ${name}`);
      await expect(way()).rejects.toThrow(`not by ${name}`);
    }
    expect(ran).toEqual([]);
    approver.done();
  });

  test("toctou-args, edits: what runs is what was approved, after the tool's own schema took it", async () => {
    const { guarded, approver, ran } = await kit();
    const [refund] = guarded;
    const input = { order: "A", amount: 1 };
    const held = approver.expect("refund", { order: "A", amount: 1 }).hold();
    const running = refund?.invoke(input);
    await held.arrived;
    input.amount = 5000;
    await held.edit({ order: "A", amount: 2 });
    expect(await running).toBe("refunded 2");
    const broken = approver.expect("refund").hold();
    const second = refund?.invoke({ order: "A", amount: 1 });
    second?.catch(() => {});
    await broken.edit({ order: "A", amount: "all" });
    await expect(second).rejects.toMatchObject({ code: "validation" });
    expect(ran).toEqual([["refund", "A", 2]]);
  });

  test("JSON Schema: an edit has to fit it", async () => {
    const { guard, approver } = await kit();
    const schema = {
      type: "object",
      properties: { path: { type: "string" } },
      required: ["path"],
      additionalProperties: false,
    } as const;
    const ran: unknown[] = [];
    const [remove] = guardTools(
      [tool(async (input) => void ran.push(input), { name: "remove", description: "Removes", schema })],
      { guard },
    );
    approver.expect("remove").edit({ path: "/tmp/y" });
    await remove?.invoke({ path: "/tmp/x" });
    approver.expect("remove").edit({ path: 5 });
    await expect(remove?.invoke({ path: "/tmp/x" })).rejects.toMatchObject({ code: "validation" });
    expect(ran).toEqual([{ path: "/tmp/y" }]);
  });

  test("abort ends the wait, and the tool does not run", async () => {
    const { guarded, approver, ran } = await kit();
    const held = approver.expect("refund").ignore();
    const stop = new AbortController();
    const running = invoke(guarded[0], { order: "A", amount: 1 }, { signal: stop.signal });
    running.catch(() => {});
    await held.arrived;
    stop.abort();
    await expect(running).rejects.toMatchObject({ code: "wait_timeout" });
    expect(ran).toEqual([]);
  });

  test("errors of the tool stay what they are, also where they are errors of a guard", async () => {
    const { guard, another, approver } = await kit();
    const inner = another({ policy: [{ tool: "*", then: "deny" }] });
    const [broken, nested] = guardTools(
      [
        tool(() => Promise.reject(new RangeError("broken")), { name: "lookup_broken", schema: z.object({}) }),
        tool(async () => inner.run({ tool: "x", args: {} }, () => "ran"), {
          name: "lookup_nested",
          schema: z.object({}),
        }),
      ],
      { guard },
    );
    await expect(invoke(broken, {})).rejects.toThrow(RangeError);
    await expect(invoke(nested, {})).rejects.toMatchObject({ code: "denied" });
    approver.done();
  });

  test("a tool that yields: its values are events after the approval, its end is the result", async () => {
    const { guard, approver } = await kit();
    const steps = tool(
      async function* ({ n }) {
        for (let i = 1; i <= n; i++) yield { percent: i };
        return "all done";
      },
      { name: "steps", schema: z.object({ n: z.number() }) },
    );
    const [guarded] = guardTools([steps], { guard });
    const events: unknown[] = [];
    approver.expect("steps").approve();
    const callbacks = [{ handleToolEvent: (event: unknown) => void events.push(event) }];
    expect(await guarded?.invoke({ n: 2 }, { callbacks })).toBe("all done");
    expect(events).toEqual([{ percent: 1 }, { percent: 2 }]);
  });

  test("a tool that takes a text", async () => {
    const { guard, approver } = await kit();
    const ran: unknown[] = [];
    const shell = new DynamicTool({
      name: "shell",
      description: "Runs a command",
      func: async (input) => void ran.push(input),
    });
    const [guarded] = guardTools([shell], { guard });
    approver.expect("shell", { input: "rm -rf /" }).reject("no");
    await expect(guarded?.invoke("rm -rf /")).rejects.toThrow("no");
    approver.expect("shell", { input: "rm -rf build" }).approve();
    await guarded?.invoke("rm -rf build");
    expect(ran).toEqual(["rm -rf build"]);
  });

  test("every field is kept, and the class", async () => {
    const { guard } = await kit();
    class Secret extends StructuredTool {
      override name = "secret";
      override description = "Has a private field";
      override schema = z.object({ n: z.number() });
      #times = 3;
      protected override async _call({ n }: { n: number }) {
        return String(n * this.#times);
      }
    }
    const rich = tool(async () => ["text", { artifact: 1 }], {
      name: "rich",
      description: "Rich",
      schema: z.object({}),
      responseFormat: "content_and_artifact",
      returnDirect: true,
      verboseParsingErrors: true,
      metadata: { team: "a" },
      tags: ["t"],
      extras: { provider: { strict: true } },
    });
    const [first, second] = guardTools([rich, new Secret()] as const, { guard, facts: { rich: () => ({}) } });
    const { func: _a, ...before } = rich;
    const { func: _b, ...after } = first;
    expect(after).toEqual(before);
    expect(Object.getPrototypeOf(first)).toBe(Object.getPrototypeOf(rich));
    expect(second).toBeInstanceOf(Secret);
    expect(second.lc_namespace).toEqual(["langchain", "tools"]);
    const [allowed] = guardTools([Object.assign(new Secret(), { name: "lookup_secret" })], { guard });
    expect(await allowed?.invoke({ n: 2 })).toBe("6");
  });

  test("facts come from the tool's input and reach the approver; the tool finds its execution", async () => {
    const { guard, approver } = await kit();
    const seen: unknown[] = [];
    const pay = tool(async (_input, config) => void seen.push(executionOf(config)), {
      name: "pay",
      description: "Pays",
      schema: z.object({ amount: z.number().default(7) }),
    });
    const [guarded] = guardTools([pay], {
      guard,
      requester: "bob@example.com",
      facts: { pay: ({ amount }: { amount: number }) => ({ title: `Pay ${amount}` }) },
    });
    const held = approver.expect("pay", { amount: 7 }).hold();
    const running = invoke(guarded, {});
    const { facts, request, terms } = await held.arrived;
    expect([facts, terms.requester]).toEqual([{ title: "Pay 7" }, "bob@example.com"]);
    await held.approve();
    await running;
    expect(seen).toEqual([{ args: { amount: 7 }, executionId: request, request }]);
  });

  test("started again in its thread, it joins its request and does not ask twice", async () => {
    const { guard, tools, approver, another, ran } = await kit();
    const checkpointer = new MemorySaver();
    const build = (of: typeof guard) =>
      new StateGraph(MessagesAnnotation)
        .addNode("tools", new ToolNode(guardTools(tools, { guard: of })))
        .addEdge(START, "tools")
        .compile({ checkpointer });
    const held = approver.expect("refund").hold();
    const stop = new AbortController();
    const message = says([["refund", { order: "A", amount: 1 }, "call_0"]]);
    const killed = build(guard).invoke({ messages: [message] }, { ...thread("t"), signal: stop.signal });
    killed.catch(() => {});
    await held.arrived;
    stop.abort();
    await expect(killed).rejects.toThrow();
    const restarted = build(another()).invoke(null, thread("t"));
    await held.approve();
    expect(results(await restarted)).toEqual([["call_0", "success", "refunded 1"]]);
    expect(ran).toHaveLength(1);
    approver.done();
  });
});

describe("config-fail-open: misuse is refused when tools are wrapped", () => {
  const execute = async () => "ran";
  const named = (schema: unknown, name = "t") =>
    tool(execute, { name, description: "T", schema: schema as z.ZodObject });
  const cases: [string, unknown, string][] = [
    ["a provider's definition", { type: "web_search" }, "web_search is no tool that runs here"],
    ["that takes a Date", named(z.object({ at: z.coerce.date() })), "t takes a Date"],
    ["that takes a BigInt", named(z.object({ n: z.bigint() })), "t takes a BigInt"],
    ["with no JSON Schema", named(z.object({ u: z.instanceof(URL) })), "no JSON Schema"],
    ["without a schema", Object.assign(named(z.object({})), { schema: undefined }), "t has no schema"],
  ];
  for (const [what, given, message] of cases) {
    test(`a tool ${what}`, async () => {
      const { guard } = await kit();
      const tools = [given as StructuredToolInterface];
      expect(() => guardTools(tools, { guard })).toThrow(message);
      const name = (given as { name?: string }).name ?? "web_search";
      expect(guardTools(tools, { guard, ungated: [name] })).toEqual(tools);
    });
  }

  test("tools guarded twice, names, and unknown options", async () => {
    const { guard, tools, guarded, refund } = await kit();
    const refused: [() => unknown, string][] = [
      [() => guardTools(guarded, { guard }), "refund is guarded already"],
      [() => guardTools([refund, refund], { guard }), "two tools are called refund"],
      [() => guardTools(tools, { guard, sesion: "s" } as never), "no option sesion"],
      [() => guardTools(tools, { guard, session: 5 as never }), "session has to be a string"],
      [() => guardTools(tools, { guard, ungated: ["refnd"] }), "no tool called refnd"],
      [() => guardTools(tools, { guard, facts: { refund: {} as never } }), "facts.refund"],
      [() => guardTools(tools, {} as never), "needs { guard }"],
      [() => guardTools({} as never, { guard }), "needs a list of tools"],
    ];
    for (const [wrap, message] of refused) expect(wrap).toThrow(message);
  });

  test("prototype-ids: a tool called constructor is guarded like any other", async () => {
    const { guard, approver } = await kit();
    const [evil] = guardTools([named(z.object({}), "constructor")], { guard, facts: {} });
    approver.expect("constructor").reject("no");
    expect((await invoke(evil, {})).status).toBe("error");
    approver.done();
  });

  test("a value that JSON cannot hold is refused when it is made", async () => {
    const { guard } = await kit();
    const schema = z.object({ at: z.string().transform((text) => new Date(text) as unknown as Json) });
    const [plan] = guardTools([named(schema, "plan")], { guard });
    expect((await invoke(plan, { at: "2026-01-01" })).status).toBe("error");
  });
});
