/** However many resume at once, and however late: the tool runs once, and the run is whole in the end. */
import { wakeValue } from "@guard/core/plugin";
import { expect, test } from "vitest";
import { expectWhole, pay, ranOf, resultOf, type Scene, scene, settled, turnOf, work } from "../scene.ts";
import type { Subject } from "../subject.ts";

const elsewhere = /another process is running|has run already, but its result is not here/i;

export function once(subject: Subject): void {
  if (subject.mode === "wait") return;
  const calls = subject.traits.calls === "many" ? [pay("c1", 1), pay("c2", 2)] : [pay("c1", 1)];

  async function approved(): Promise<{ s: Scene; requests: readonly string[] }> {
    const s = await scene(subject, { script: turnOf(...calls) });
    const helds = calls.map(({ args }) => s.approver.expect("pay", args).hold());
    await s.process().start();
    const requests: string[] = [];
    for (const held of helds) {
      requests.push((await held.arrived).request);
      await held.approve();
      await settled(s.guard, held);
    }
    return { s, requests };
  }

  async function expectOnce(s: Scene, { raced = false } = {}): Promise<void> {
    expect(s.tools.ran.toSorted()).toEqual(calls.map((call) => ranOf(call)));
    await expectWhole(s);
    for (const call of calls) {
      const result = await resultOf(s, call.id);
      const lost = raced && !subject.traits.racesKeepResults && result.kind === "error";
      if (lost) expect(result.text).toMatch(elsewhere);
      else expect(result).toEqual({ kind: "result", text: `done: ${ranOf(call)}` });
    }
    expect(s.asked).toHaveLength(calls.length);
  }

  test("double-execution: two workers at once", async () => {
    const { s } = await approved();
    s.tools.behave("pay", slow);
    await Promise.all([work(s), work(s)]);
    expect(s.tools.ran.toSorted()).toEqual(calls.map((call) => ranOf(call)));
    await work(s);
    await expectOnce(s, { raced: true });
  });

  test("double-execution: a worker, and resumes that somebody made up, at once", async () => {
    const { s } = await approved();
    s.tools.behave("pay", slow);
    const made = [true, {}].map((value) => s.process().resume(value));
    await Promise.allSettled([work(s), ...made]);
    await work(s);
    await expectOnce(s, { raced: true });
  });

  test("double-execution: resumed again after it ran", async () => {
    const { s, requests } = await approved();
    await work(s);
    await expectOnce(s);
    const later = s.process();
    for (const request of requests) {
      for (const value of [
        true,
        wakeValue({ request, state: "approved" }),
        wakeValue({ request, state: "completed" }),
      ])
        await later.resume(value).catch(() => {});
    }
    await work(s);
    await expectOnce(s);
  });
}

/** Long enough for the others to come upon it while it runs. */
async function slow(args: unknown): Promise<string> {
  await new Promise((next) => setTimeout(next, 30));
  return `done: ${ranOf({ id: "", tool: "pay", args: args as never })}`;
}
