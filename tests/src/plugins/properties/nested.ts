/** A guarded tool in a sub-agent is gated, and waits or suspends the whole, where the plugin says so. */
import { expect, test } from "vitest";
import { pay, play, ranOf, scene } from "../scene.ts";
import type { Subject } from "../subject.ts";

const delegate = { id: "d1", tool: "delegate", args: { task: "pay bob" } };

export function nested(subject: Subject): void {
  if (subject.traits.subAgents === "none") return;
  const call = pay("c1", 900);

  if (subject.traits.subAgents === "refused") {
    test("subagent-bypass: a sub-agent's call that would have to suspend is refused, and nobody is asked", async () => {
      const s = await scene(subject, { script: [[delegate], "the end"], inner: [[call], "not paid"] });
      await s.process().start();
      expect(s.tools.ran).toEqual([]);
      expect(s.asked).toEqual([]);
      expect(s.chat.prompts.at(-1)?.results).toMatchObject([{ kind: "error" }]);
      expect((await s.chat.stored()).text).toBe("the end");
    });
    return;
  }

  test("subagent-bypass: a sub-agent's call waits for people, and the whole goes on", async () => {
    const s = await scene(subject, { script: [[delegate], "the end"], inner: [[call], "paid"] });
    const held = s.approver.expect("pay", call.args).hold();
    await play(s, [
      {
        held,
        async give() {
          expect(s.tools.ran).toEqual([]);
          await held.approve();
        },
      },
    ]);
    expect(s.tools.ran).toEqual([ranOf(call)]);
    expect((await s.chat.stored()).text).toBe("the end");
    expect(s.asked).toHaveLength(1);
  });

  test("subagent-bypass: a sub-agent's rejected call does not run, and the sub-agent reads why", async () => {
    const s = await scene(subject, { script: [[delegate], "the end"], inner: [[call], "not paid"] });
    await play(s, [{ held: s.approver.expect("pay").hold(), give: (held) => held.reject("not today") }]);
    expect(s.tools.ran).toEqual([]);
    expect(s.chat.prompts.at(-1)?.results[0]?.text).toContain("not today");
    expect((await s.chat.stored()).text).toBe("the end");
  });
}
