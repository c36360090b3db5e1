import { isGuardError } from "@guard/core";
import type { ModelMessage } from "ai";
import { afterEach, describe, expect, test } from "vitest";
import { type ResumeWorkerOptions, resumeMessages, resumeWorker, type Wake } from "./index.ts";
import { chat, lookup, refund } from "./suspended.fixture.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  // Workers first, then what they use.
  for (const each of open.splice(0).reverse()) await each.close();
});

async function kit() {
  const made = await chat();
  open.push(made);
  const { suspended, run, guard } = made;
  const chats = new Map<string, readonly ModelMessage[]>();
  const loads: string[] = [];
  const errors: unknown[] = [];
  type Options = ResumeWorkerOptions<ModelMessage>;

  const load = (session: string) => {
    loads.push(session);
    return chats.get(session) ?? null;
  };
  async function resume({ session, messages, lost }: Wake<ModelMessage>, using = guard) {
    const tools = suspended({ session }, using);
    const next = await resumeMessages(messages, tools, { lost });
    if (next !== null) chats.set(session, (await run(next, tools)).saved);
  }
  function work(more: Partial<Options> = {}) {
    const onError = (error: unknown) => void errors.push(error);
    const worker = resumeWorker<ModelMessage>({ guard, load, resume, onError, storedWithin: 0, ...more });
    open.push(worker);
    return worker;
  }
  async function suspend(session: string, calls: Parameters<typeof made.start>[0]) {
    chats.set(session, (await made.start(calls, { session })).saved);
  }
  return { ...made, chats, loads, errors, load, resume, work, suspend };
}
const text = (messages: readonly ModelMessage[] | undefined) => JSON.stringify(messages);

describe("resumeWorker", () => {
  test("goes on with the chat that an outcome is for, and loads no other", async () => {
    const { approver, work, suspend, chats, loads, ran, errors } = await kit();
    const first = approver.expect("refund", { order: "A", amount: 1 }).hold();
    const second = approver.expect("refund", { order: "A", amount: 2 }).hold();
    await suspend("one", [refund("c1", 1), lookup("c3")]);
    await suspend("two", [refund("c2", 2)]);
    const worker = work();
    await Promise.all([worker.idle(), first.arrived, second.arrived]);
    expect(loads).toEqual([]);
    const resumed = Promise.withResolvers<void>();
    const set = chats.set.bind(chats);
    chats.set = (session, messages) => {
      resumed.resolve();
      return set(session, messages);
    };
    await second.approve();
    await resumed.promise;
    await worker.idle();
    expect(ran).toEqual([
      ["lookup", "A"],
      ["c2", 2],
    ]);
    expect(new Set(loads)).toEqual(new Set(["two"]));
    expect(text(chats.get("two"))).toContain('"refunded":2');
    expect(errors).toEqual([]);
  });

  test("what was answered while no worker ran is gone on with at the start, all calls of a turn together", async () => {
    const { approver, work, suspend, chats, ran, errors } = await kit();
    approver.expect("refund", { order: "A", amount: 1 }).approve();
    approver.expect("refund", { order: "A", amount: 2 }).reject("no");
    const held = approver.expect("refund", { order: "A", amount: 3 }).hold();
    await suspend("one", [refund("c1", 1), refund("c2", 2)]);
    await suspend("two", [refund("c3", 3)]);
    await held.arrived;
    const worker = work();
    await worker.idle();
    expect(ran).toEqual([["c1", 1]]);
    expect(text(chats.get("one"))).toContain("rejected refund: no");
    expect(text(chats.get("two"))).not.toContain("tool-result");
    expect(errors).toEqual([]);
  });

  test("double-execution: two workers of two processes, and each call runs once", async () => {
    const { approver, work, suspend, another, chats, load, resume, ran, errors } = await kit();
    for (let i = 1; i <= 8; i++) {
      approver.expect("refund", { order: "A", amount: i }).approve();
      await suspend(`chat ${i}`, [refund(`c${i}`, i)]);
    }
    const other = another();
    const workers = [work(), work({ guard: other, load, resume: (wake) => resume(wake, other) })];
    await Promise.all(workers.map((worker) => worker.idle()));
    expect(ran.map((each) => (each as [string, number])[1]).toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    for (const messages of chats.values()) expect(text(messages)).toContain('"text":"done"');
    expect(errors.filter((error) => !isGuardError(error))).toEqual([]);
  });

  test("a call that ran, and whose result was never stored: the chat goes on and is told so", async () => {
    const { approver, work, suspend, resume, chats, ran, goOn } = await kit();
    const held = [1, 2].map((amount) => approver.expect("refund", { order: "A", amount }).hold());
    await suspend("chat-1", [refund("c1", 1), refund("c2", 2)]);
    for (const each of held) {
      await each.arrived;
      await each.approve();
    }
    // A process that dies before it stores what came of it.
    await goOn(chats.get("chat-1") ?? []);
    expect(ran).toHaveLength(2);
    const woken: boolean[] = [];
    const worker = work({
      resume: async (wake) => {
        woken.push(wake.lost);
        await resume(wake);
      },
    });
    await worker.idle();
    expect(woken).toContain(true);
    expect(ran).toHaveLength(2);
    expect(text(chats.get("chat-1"))).toContain("has run already, but its result is not here");
  });

  test("outcomes that no chat here waits for are passed over", async () => {
    const { approver, work, guard, suspend, chats, ran, errors } = await kit();
    approver.expect("refund").approve();
    approver.expect("refund").approve();
    await guard.run({ tool: "refund", args: { amount: 1 } }, () => "without a session");
    await suspend("gone", [refund("c1", 5)]);
    chats.delete("gone");
    await work().idle();
    expect(ran).toEqual([]);
    expect(errors).toEqual([]);
  });

  test("config-fail-open: a typo, or no application's half, is refused", async () => {
    const { guard, load, resume } = await kit();
    const make = (options: object) => resumeWorker({ guard, load, resume, ...options } as never);
    expect(() => make({ lookback: 5 })).toThrow("resumeWorker has no option lookback");
    expect(() => make({ load: undefined })).toThrow("resumeWorker needs load, a function");
    expect(() => make({ resume: undefined })).toThrow("resumeWorker needs resume, a function");
    expect(() => make({ guard: undefined })).toThrow("needs { guard }");
    expect(() => make({ concurrency: 0 })).toThrow("concurrency has to be");
  });
});
