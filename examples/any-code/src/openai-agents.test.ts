import type { Rule } from "@guard/core";
import { type TestGuard, testGuard } from "@guard/testing";
import { RunState, run, setTracingDisabled } from "@openai/agents";
import { afterEach, describe, expect, test } from "vitest";
import { type Ended, type Refund, suspendingAgent, waitingAgent } from "./openai-agents.ts";
import { type Call, scripted } from "./scripted-model.fixture.ts";

setTracingDisabled(true);
const policy: Rule[] = [{ tool: "refund", when: { amount: { lte: 50 } }, then: "allow" }];
const open: TestGuard[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

async function kit() {
  const made = await testGuard({ policy });
  open.push(made);
  const ran: Refund[] = [];
  const keys: string[] = [];
  const refund = async (args: Refund, key: string) => {
    ran.push(args);
    keys.push(key);
    return `refunded ${args.amount}`;
  };
  return { ...made, ran, keys, refund, session: "ticket-1" };
}
const refund = (id: string, amount: number): Call => ({ id, tool: "refund", input: { order: "A", amount } });
/** What the model was told of its calls, when it was called for the last time. */
function results(model: ReturnType<typeof scripted>) {
  const told: Record<string, unknown> = {};
  for (const item of model.seen.at(-1) ?? []) {
    if (item.type !== "function_call_result") continue;
    const { output } = item;
    told[item.callId] = typeof output === "object" && "text" in output ? output.text : output;
  }
  return told;
}

describe("wait", () => {
  test("approved runs once as approved, edited runs edited, rejected does not run, and the model is told why", async () => {
    const { approver, ran, ...support } = await kit();
    approver.expect("refund", { order: "A", amount: 900 }).approve();
    approver.expect("refund", { order: "A", amount: 800 }).edit({ order: "A", amount: 80 });
    approver.expect("refund", { order: "A", amount: 700 }).reject("ask the manager");
    const calls = [refund("c1", 20), refund("c2", 900), refund("c3", 800), refund("c4", 700)];
    const model = scripted([calls, "done"]);
    expect((await run(waitingAgent({ ...support, model }), "go")).finalOutput).toBe("done");
    expect(ran.map(({ amount }) => amount).toSorted((a, b) => a - b)).toEqual([20, 80, 900]);
    expect(new Set(support.keys).size).toBe(3);
    expect(results(model)).toEqual({
      c1: "refunded 20",
      c2: "refunded 900",
      c3: "refunded 80",
      c4: "alice@example.com rejected refund: ask the manager",
    });
    approver.done();
  });
});

describe("suspend", () => {
  const stateOf = (ended: Ended) => ("state" in ended ? ended.state : expect.unreachable("It did not wait."));

  test("sibling-loss: the run ends while people are asked, and another process goes on with what each of them said", async () => {
    const { approver, ran, another, ...support } = await kit();
    const held = [900, 800, 700].map((amount) => approver.expect("refund", { order: "A", amount }).hold());
    const calls = [refund("c1", 20), refund("c2", 900), refund("c3", 800), refund("c4", 700)];
    const model = scripted([calls, "done"]);
    const begun = await suspendingAgent({ ...support, model }).begin("go");
    expect(ran).toEqual([{ order: "A", amount: 20 }]);

    const later = () => suspendingAgent({ ...support, guard: another(), model });
    await held[2]?.reject("ask the manager");
    await held[0]?.approve();
    const wentOn = await later().goOn(stateOf(begun));
    expect(ran).toHaveLength(2);

    await held[1]?.edit({ order: "A", amount: 80 });
    expect(await later().goOn(stateOf(wentOn))).toEqual({ output: "done" });
    expect(ran.map(({ amount }) => amount)).toEqual([20, 900, 80]);
    expect(results(model)).toEqual({
      c1: "refunded 20",
      c2: "refunded 900",
      c3: "refunded 80",
      c4: "alice@example.com rejected refund: ask the manager",
    });
    approver.done();
  });

  test("going on before anybody has answered waits on, and asks nobody twice", async () => {
    const { approver, ran, another, ...support } = await kit();
    approver.expect("refund").ignore();
    const model = scripted([[refund("c1", 900)]]);
    let ended = await suspendingAgent({ ...support, model }).begin("go");
    for (const guard of [support.guard, another()])
      ended = await suspendingAgent({ ...support, guard, model }).goOn(stateOf(ended));
    expect(ran).toEqual([]);
    approver.done();
  });

  test("forged-history: an approval that somebody wrote into the state runs nothing", async () => {
    const { approver, ran, ...support } = await kit();
    approver.expect("refund").ignore();
    const model = scripted([[refund("c1", 900)], "done"]);
    const { agent, begin } = suspendingAgent({ ...support, model });
    const forged = await RunState.fromString(agent, stateOf(await begin("go")));
    for (const item of forged.getInterruptions()) forged.approve(item);
    await run(agent, forged);
    expect(ran).toEqual([]);
    expect(results(model).c1).toContain("An error occurred");
    approver.done();
  });

  test("double-execution: a state that is gone on with twice at once runs the tool once", async () => {
    const { approver, ran, another, ...support } = await kit();
    const held = approver.expect("refund").hold();
    const begun = await suspendingAgent({ ...support, model: scripted([[refund("c1", 900)]]) }).begin("go");
    await held.approve();
    const models = [scripted(["done"]), scripted(["done"])];
    await Promise.all(
      models.map((model) => suspendingAgent({ ...support, guard: another(), model }).goOn(stateOf(begun))),
    );
    expect(ran).toEqual([{ order: "A", amount: 900 }]);
    expect(models.map((model) => results(model).c1)).toContain("refunded 900");
    approver.done();
  });
});
