import { generateText, type ModelMessage, streamText, ToolLoopAgent, type ToolSet, tool } from "ai";
import { afterEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { executionOf, type GuardPending, guardTools, resumeMessages, suspendTools } from "./index.ts";
import { scripted } from "./scripted-model.fixture.ts";
import { chat, lookup, question, refund, stopWhen } from "./suspended.fixture.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});
async function kit(options: Parameters<typeof chat>[0] = {}) {
  const made = await chat(options);
  open.push(made);
  return made;
}

describe("a suspended call", () => {
  test("ends the run, and goes on in another process once it was approved", async () => {
    const { approver, ran, start, goOn, suspended, another } = await kit();
    const held = approver.expect("refund", { order: "A", amount: 900 }).hold();
    const { result, saved } = await start([refund("c1", 900), lookup("c2")]);
    expect(result.finishReason).toBe("tool-calls");
    expect(ran).toEqual([["lookup", "A"]]);
    const request = result.content.find((part) => part.type === "tool-approval-request");
    expect(request).toMatchObject({ toolCall: { toolCallId: "c1" } });
    expect(request?.reason).toMatch(/^Waiting for alice@example.com to approve, until 20/);

    const other = another();
    expect(await goOn(saved, suspended({}, other))).toBeNull();
    await held.arrived;
    await held.approve();
    const next = await goOn(saved, suspended({}, other));
    expect(next?.result.text).toBe("done");
    expect(next?.results.c1).toMatchObject({ value: { refunded: 900 } });
    expect(ran).toEqual([
      ["lookup", "A"],
      ["c1", 900],
    ]);
    approver.done();
  });

  test("calls that policy allows run at once, once through the gate, and nobody is asked", async () => {
    const { ran, start, evidence, guard } = await kit();
    const { result } = await start([lookup("c1")]);
    expect(result.text).toBe("nothing waited");
    expect(ran).toEqual([["lookup", "A"]]);
    await guard.close();
    expect(evidence.lines.filter((line) => line.includes("TOOL_CALL_PROPOSED"))).toHaveLength(1);
  });

  test("what policy denies is denied with its reason, and the run goes on", async () => {
    const { ran, start } = await kit({
      policy: [{ tool: "refund", then: "deny", reason: "Refunds go through the desk" }],
    });
    const { result } = await start([refund("c1", 900)]);
    expect(result.text).toBe("nothing waited");
    expect(JSON.stringify(result.steps[0]?.response.messages)).toContain("Refunds go through the desk");
    expect(ran).toEqual([]);
  });

  test("a rejection reaches the model as a denial with its reason", async () => {
    const { approver, ran, start, goOn } = await kit();
    const held = approver.expect("refund").hold();
    const { saved } = await start([refund("c1", 900)]);
    await held.arrived;
    await held.reject("ask the manager first");
    const next = await goOn(saved);
    expect(next?.results.c1).toEqual({
      type: "execution-denied",
      reason: "alice@example.com rejected refund: ask the manager first",
    });
    expect(ran).toEqual([]);
  });

  test("a tool's own error stays a tool error", async () => {
    const { guard, approver } = await kit();
    const tools = {
      pay: tool({
        inputSchema: z.object({}),
        execute: async (): Promise<string> => {
          throw new TypeError("no such account");
        },
      }),
    };
    const make = () => suspendTools(tools, { guard, session: "s" });
    const held = approver.expect("pay").hold();
    const first = await generateText({
      model: scripted([[{ id: "p", tool: "pay", input: {} }]]),
      messages: [question],
      ...make(),
    });
    await held.arrived;
    await held.approve();
    const suspended = make();
    const messages = await resumeMessages([question, ...first.responseMessages], suspended);
    const model = scripted(["done"]);
    await generateText({ model, messages: messages ?? [], ...suspended });
    expect(model.doGenerateCalls[0]?.prompt.at(-1)?.content).toMatchObject([
      { output: { type: "error-text", value: expect.stringContaining("no such account") } },
    ]);
  });

  test("edited arguments are what runs and what the history shows, and the next run joins them", async () => {
    const { approver, ran, start, goOn, run, suspended } = await kit();
    const held = approver.expect("refund").hold();
    const { saved } = await start([refund("c1", 900)]);
    await held.arrived;
    await held.edit({ order: "A", amount: 90 });
    // Resumed by a process that died before it ran anything; its messages were stored all the same.
    const halfway = (await resumeMessages(saved, suspended())) as ModelMessage[];
    expect(ran).toEqual([]);
    const next = await goOn(JSON.parse(JSON.stringify(halfway)));
    expect(ran).toEqual([["c1", 90]]);
    expect(next?.prompt[1]?.content).toMatchObject([
      { type: "tool-call", input: { order: "A", amount: 90 } },
    ]);
    expect(next?.saved[1]?.content).toMatchObject([
      { input: { amount: 90 }, providerOptions: { guard: { asked: { amount: 900 } } } },
      {},
    ]);
    // An input that is neither what was asked nor what was approved.
    const lie = JSON.parse(JSON.stringify(halfway).replace('"amount":90}', '"amount":9000}'));
    await expect(run(lie)).rejects.toMatchObject({ code: "already_executed" });
    expect(ran).toHaveLength(1);
  });

  test("where the SDK signs requests the history keeps what was asked, and the edited arguments run", async () => {
    const { approver, ran, suspended } = await kit();
    const held = approver.expect("refund").hold();
    const secret = { experimental_toolApprovalSecret: "s".repeat(32) };
    const first = await generateText({
      model: scripted([[refund("c1", 900)]]),
      messages: [question],
      ...suspended(),
      ...secret,
    });
    await held.arrived;
    await held.edit({ order: "A", amount: 90 });
    const next = suspended();
    const messages = await resumeMessages([question, ...first.responseMessages], next);
    await generateText({ model: scripted(["done"]), messages: messages ?? [], ...next, ...secret });
    expect(ran).toEqual([["c1", 90]]);
  });

  test("streamText, with a tool that yields: its preliminary results come once it was approved", async () => {
    const { guard, approver } = await kit();
    const tools = {
      progress: tool({
        inputSchema: z.object({ n: z.number() }),
        async *execute({ n }, options) {
          for (let i = 1; i <= n; i++) yield { percent: i, key: executionOf(options)?.executionId };
        },
      }),
    };
    const make = () => suspendTools(tools, { guard, session: "s" });
    const held = approver.expect("progress").hold();
    const first = streamText({
      model: scripted([[{ id: "p", tool: "progress", input: { n: 3 } }]]),
      messages: [question],
      stopWhen,
      ...make(),
    });
    await first.consumeStream();
    const { request } = await held.arrived;
    await held.approve();
    const suspended = make();
    const messages = await resumeMessages([question, ...(await first.responseMessages)], suspended);
    const second = streamText({
      model: scripted(["done"]),
      messages: messages ?? [],
      stopWhen,
      ...suspended,
    });
    const outputs: [boolean, unknown][] = [];
    for await (const part of second.stream) {
      if (part.type === "tool-result") outputs.push([part.preliminary === true, part.output]);
    }
    const value = (percent: number) => ({ percent, key: request });
    expect(outputs).toEqual([
      [true, value(1)],
      [true, value(2)],
      [true, value(3)],
      [false, value(3)],
    ]);
  });

  test("a tool that fails while it yields is a tool error, and its run is recorded as failed", async () => {
    const { guard, evidence } = await kit({ policy: [{ tool: "*", then: "allow" }] });
    const tools = {
      progress: tool({
        inputSchema: z.object({}),
        async *execute() {
          yield 1;
          throw new RangeError("half way");
        },
      }),
    };
    const result = await generateText({
      model: scripted([[{ id: "p", tool: "progress", input: {} }], "done"]),
      prompt: "go",
      stopWhen,
      ...suspendTools(tools, { guard, session: "s" }),
    });
    expect(result.steps[0]?.content.find((part) => part.type === "tool-error")).toMatchObject({
      error: { message: "half way" },
    });
    await guard.close();
    expect(evidence.lines.find((line) => line.includes("TOOL_RESULT"))).toContain('"error":"RangeError"');
  });

  test("ToolLoopAgent suspends and goes on", async () => {
    const { approver, ran, suspended } = await kit();
    const held = approver.expect("refund").hold();
    const first = await new ToolLoopAgent({
      model: scripted([[refund("c1", 900)]]),
      ...suspended(),
    }).generate({ messages: [question] });
    await held.arrived;
    await held.approve();
    const next = suspended();
    const messages = await resumeMessages([question, ...first.responseMessages], next);
    const agent = new ToolLoopAgent({ model: scripted(["done"]), ...next });
    const { text } = await agent.generate({ messages: messages ?? [] });
    expect(text).toBe("done");
    expect(ran).toEqual([["c1", 900]]);
  });

  test("stale-decision: a later call with the id of an earlier one is denied, and the run goes on", async () => {
    const { approver, ran, start, goOn, suspended } = await kit();
    const held = approver.expect("refund").hold();
    const { saved } = await start([refund("c1", 5)]);
    await held.arrived;
    await held.approve();
    const next = await goOn(saved);
    const result = await generateText({
      model: scripted([[refund("c1", 5)], "understood"]),
      messages: [...(next?.saved ?? []), question],
      stopWhen,
      ...suspended(),
    });
    expect(result.text).toBe("understood");
    expect(JSON.stringify(result.steps[0]?.response.messages)).toContain("has run already");
    expect(ran).toEqual([["c1", 5]]);
  });

  test("prototype-ids: tools and calls named like members of every object", async () => {
    const { guard, approver } = await kit();
    let ran = 0;
    const evil = tool({ inputSchema: z.object({}), execute: async () => ++ran });
    const tools: ToolSet = Object.fromEntries([
      ["constructor", evil],
      ["__proto__", evil],
    ]);
    const make = () => suspendTools(tools, { guard, session: "s", facts: {} });
    const held = approver.expect("constructor").hold();
    const first = await generateText({
      model: scripted([[{ id: "constructor", tool: "constructor", input: {} }]]),
      messages: [question],
      ...make(),
    });
    await held.arrived;
    await held.approve();
    const suspended = make();
    const messages = await resumeMessages([question, ...first.responseMessages], suspended);
    await generateText({ model: scripted(["done"]), messages: messages ?? [], ...suspended });
    expect(ran).toBe(1);
  });

  test("types survive: results, contexts and the tools themselves", async () => {
    const { suspended, guard } = await kit({ policy: [{ tool: "*", then: "allow" }] });
    const whoami = tool({
      inputSchema: z.object({}),
      contextSchema: z.object({ tenant: z.string() }),
      execute: async (_input, { context }) => context.tenant,
    });
    const { tools } = suspended();
    const result = await generateText({
      model: scripted([[refund("c1", 5), { id: "w", tool: "whoami", input: {} }], "done"]),
      prompt: "go",
      stopWhen,
      runtimeContext: { trace: 1 },
      toolsContext: { whoami: { tenant: "acme" } },
      ...suspendTools({ whoami }, { guard, session: "s" }),
    });
    const typed = result.steps[0]?.toolResults.find((part) => !part.dynamic && part.toolName === "whoami");
    const tenant: string | undefined = typed?.dynamic ? undefined : typed?.output;
    expect(tenant).toBe("acme");
    expect(Object.keys(tools)).toEqual(["lookup", "refund"]);
    // @ts-expect-error: the input of refund has an amount that is a number
    suspended({ facts: { refund: ({ amount }) => ({ title: amount.trim() }) } });
  });

  test("onPending tells each chat of its own calls, with who may approve and until when", async () => {
    const { suspended, approver } = await kit({
      policy: [
        { tool: "refund", then: "ask", quorum: 2, approvers: ["alice@example.com", "bob@example.com"] },
      ],
    });
    const told: Record<string, GuardPending[]> = { a: [], b: [] };
    approver.expect("refund").ignore();
    approver.expect("refund").ignore();
    await Promise.all(
      ["a", "b"].map((session) =>
        generateText({
          model: scripted([[refund(`call-${session}`, 900)]]),
          messages: [question],
          ...suspended({ session, onPending: (pending) => void told[session]?.push(pending) }),
        }),
      ),
    );
    for (const session of ["a", "b"]) {
      expect(told[session]).toEqual([
        {
          toolCallId: `call-${session}`,
          tool: "refund",
          approvers: ["alice@example.com", "bob@example.com"],
          quorum: 2,
          expiresAt: expect.any(Number),
          request: expect.any(String),
        },
      ]);
    }
  });
});

describe("config-fail-open: nothing runs where half of it is missing", () => {
  test("tools without toolApproval run nothing, not even what policy allows", async () => {
    const { suspended, ran } = await kit();
    const { tools } = suspended();
    const result = await generateText({
      model: scripted([[refund("c1", 900), lookup("c2")], "done"]),
      tools,
      prompt: "go",
      stopWhen,
    });
    expect(ran).toEqual([]);
    const errors = result.steps[0]?.content.filter((part) => part.type === "tool-error");
    expect(errors).toHaveLength(2);
    expect(errors?.[0]).toMatchObject({
      error: { code: "configuration", message: expect.stringContaining("tools and toolApproval") },
    });
  });

  test("toolApproval without its tools runs nothing, not even what policy allows", async () => {
    const { suspended, tools, ran } = await kit();
    for (const given of [tools, suspended().tools]) {
      const result = await generateText({
        model: scripted([[refund("c1", 900), lookup("c2")], "done"]),
        prompt: "go",
        stopWhen,
        ...suspended(),
        tools: given,
      });
      expect(JSON.stringify(result.steps[0]?.response.messages)).toContain("tools and toolApproval");
    }
    expect(ran).toEqual([]);
  });

  test("somebody else's toolApproval lets nothing run", async () => {
    const { suspended, ran } = await kit();
    const result = await generateText({
      model: scripted([[refund("c1", 900)], "done"]),
      prompt: "go",
      stopWhen,
      ...suspended(),
      toolApproval: () => "approved",
    });
    expect(ran).toEqual([]);
    expect(result.steps[0]?.content.some((part) => part.type === "tool-error")).toBe(true);
  });

  test("a tool beside the guarded ones is denied, unless it is listed in ungated", async () => {
    const { guard, tools } = await kit();
    let ran = 0;
    const extra = tool({ inputSchema: z.object({}), execute: async () => ++ran });
    const calls = [[{ id: "e", tool: "extra", input: {} }], "done"] as const;
    const suspended = suspendTools(tools, { guard, session: "s" });
    const denied = await generateText({
      model: scripted(calls),
      prompt: "go",
      stopWhen,
      ...suspended,
      tools: { ...suspended.tools, extra },
    });
    expect(JSON.stringify(denied.steps[0]?.response.messages)).toContain("not one of the tools");
    expect(ran).toBe(0);
    await generateText({
      model: scripted(calls),
      prompt: "go",
      stopWhen,
      ...suspendTools({ ...tools, extra }, { guard, session: "s", ungated: ["extra"] }),
    });
    expect(ran).toBe(1);
  });

  test("what cannot work is refused at construction", async () => {
    const { guard, tools, suspended } = await kit();
    const make = (options: object, given: ToolSet = tools) =>
      suspendTools(given, { guard, session: "s", ...options } as never);
    expect(() => make({ session: undefined })).toThrow("needs { session }");
    expect(() => make({ session: "" })).toThrow("needs { session }");
    expect(() => make({ session: 5 })).toThrow("session has to be a string");
    expect(() => make({ sesion: "s" })).toThrow("suspendTools has no option sesion");
    expect(() => make({ onPending: "page" })).toThrow("onPending has to be a function");
    expect(() => make({ ungated: ["refnd"] })).toThrow("no tool called refnd");
    expect(() => make({ guard: undefined })).toThrow("needs { guard }");
    expect(() => make({}, suspended().tools)).toThrow("suspendTools: the tool lookup is guarded already");
    expect(() => make({}, guardTools(tools, { guard }))).toThrow("guarded already");
    const own = tool({ inputSchema: z.object({}), needsApproval: true, execute: async () => "ran" });
    expect(() => make({}, { own })).toThrow("own also sets needsApproval");
    expect(() => make({ ungated: ["own"] }, { own })).toThrow("not look at needsApproval of own any more");
    await expect(resumeMessages([question], { tools })).rejects.toThrow("what suspendTools returned");
  });

  test("an error denies the call and does not lose the run", async () => {
    const { suspended, ran, bench, guard } = await kit();
    const broken = suspended({
      facts: {
        refund: () => {
          throw new TypeError("no such customer");
        },
      },
    });
    const calls = [[refund("c1", 900)], "done"] as const;
    const first = await generateText({ model: scripted(calls), prompt: "go", stopWhen, ...broken });
    expect(first.text).toBe("done");
    expect(JSON.stringify(first.steps[0]?.response.messages)).toContain("no such customer");
    await guard.ready();
    await bench.close();
    const second = await generateText({ model: scripted(calls), prompt: "go", stopWhen, ...suspended() });
    expect(second.text).toBe("done");
    expect(JSON.stringify(second.steps[0]?.response.messages)).toContain("execution-denied");
    expect(ran).toEqual([]);
  });
});

describe("subagent-bypass: what suspends in a sub-agent would be lost", () => {
  async function nested(kind: "function" | "generator") {
    const made = await kit({ policy: [{ tool: "delegate", then: "allow" }] });
    const { suspended, guard, tools } = made;
    const read: string[] = [];
    async function subAgent(inner: { readonly tools: ToolSet }) {
      const model = scripted([[refund("inner", 900)], "sub-agent done"]);
      const { text, steps } = await generateText({ model, prompt: "refund it", stopWhen, ...inner });
      read.push(JSON.stringify(steps[0]?.response.messages));
      return text;
    }
    const run = async (inner: { readonly tools: ToolSet }) => {
      const inputSchema = z.object({});
      const delegate =
        kind === "function"
          ? tool({ inputSchema, execute: () => subAgent(inner) })
          : tool({
              inputSchema,
              async *execute() {
                yield "at it";
                yield await subAgent(inner);
              },
            });
      const outer = suspendTools({ delegate }, { guard, session: "chat-1" });
      const script = [[{ id: "o", tool: "delegate", input: {} }], "done"] as const;
      return generateText({ model: scripted(script), prompt: "go", stopWhen, ...outer });
    };
    return { ...made, suspended, tools, run, read };
  }

  for (const kind of ["function", "generator"] as const) {
    test(`the same session, in a ${kind}: denied, and the message says what to do`, async () => {
      const { run, read, ran, suspended } = await nested(kind);
      const result = await run(suspended());
      expect(result.steps[0]?.toolResults[0]?.output).toBe("sub-agent done");
      expect(read[0]).toContain("Give a sub-agent its tools by guardTools");
      expect(ran).toEqual([]);
    });

    test(`guardTools in a ${kind} waits there, and runs`, async () => {
      const { run, approver, ran, guard, tools } = await nested(kind);
      approver.expect("refund").approve();
      await run({ tools: guardTools(tools, { guard, session: "chat-1" }) });
      expect(ran).toEqual([["inner", 900]]);
    });
  }

  test("a chat of its own, with a session of its own, may suspend", async () => {
    const { run, approver, read, suspended } = await nested("function");
    approver.expect("refund").ignore();
    await run(suspended({ session: "chat-2" }));
    expect(read[0]).toContain("tool-approval-request");
  });
});
