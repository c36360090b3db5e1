import { Command } from "@langchain/langgraph";
import { afterEach, describe, expect, test } from "vitest";
import { interruptsOf, type kit as Kit, kit as make, results, thread } from "./graph.fixture.ts";
import { resumeWorker } from "./worker.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});
async function kit(...options: Parameters<typeof Kit>) {
  const made = await make(...options);
  open.push(made);
  return made;
}
const go = { messages: [{ role: "user", content: "go" }] };

describe("a turn", () => {
  test("calls that need nobody run at once; the others are one interrupt", async () => {
    const { compile, approver, ran, guard } = await kit();
    const graph = compile([
      [
        ["refund", { order: "A", amount: 1 }, "c1"],
        ["lookup", { order: "A" }, "c2"],
        ["refund", { order: "B", amount: 2 }, "c3"],
      ],
      "done",
    ]);
    const first = approver.expect("refund", { order: "A", amount: 1 }).hold();
    const second = approver.expect("refund", { order: "B", amount: 2 }).hold();
    const paused = await graph.invoke(go, thread("t"));
    expect(ran).toEqual([["lookup", "A"]]);
    expect(
      interruptsOf(paused).map(({ value }) => value?.guard.requests.map(({ callId }) => callId)),
    ).toEqual([["c1", "c3"]]);
    const worker = resumeWorker({ guard, graph });
    open.push(worker);
    await second.reject("not this one");
    await first.approve();
    for (;;) {
      await worker.idle();
      const state = await graph.getState(thread("t"));
      if (state.next.length === 0) {
        expect(results(state.values)).toEqual([
          ["c1", "success", "refunded 1"],
          ["c2", "success", '{"order":"A","total":900}'],
          ["c3", "error", expect.stringContaining("not this one")],
        ]);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(ran).toEqual([
      ["lookup", "A"],
      ["refund", "A", 1],
    ]);
    approver.done();
  });
});
