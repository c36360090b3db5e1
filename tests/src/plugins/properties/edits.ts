/** What an approver edits is what runs, and what the history shows where the plugin says so. */
import { expect, test } from "vitest";
import { pay, play, ranOf, resultOf, scene, turnOf } from "../scene.ts";
import type { Subject } from "../subject.ts";

export function edits(subject: Subject): void {
  const call = pay("c1", 900);
  const edited = { to: "bob", amount: 90 };
  const { historyShowsEdits: shows } = subject.traits;

  test(`edited arguments are what runs; the history shows ${shows ? "them" : "what the model wrote"}`, async () => {
    const s = await scene(subject, { script: turnOf(call) });
    await play(s, [{ held: s.approver.expect("pay").hold(), give: (held) => held.edit(edited) }]);
    expect(s.tools.ran).toEqual([ranOf(call, edited)]);
    expect((await s.chat.stored()).calls).toEqual([{ ...call, args: shows ? edited : call.args }]);
    if (subject.traits.model)
      expect(s.chat.prompts.at(-1)?.calls).toEqual([{ ...call, args: shows ? edited : call.args }]);
  });

  test.for([
    { title: "breaks a type", args: { to: "bob", amount: "90" } },
    { title: "breaks a limit", args: { to: "bob", amount: -1 } },
    { title: "adds a field that the schema drops", args: { ...edited, currency: "EUR" } },
    { title: "leaves one out", args: { amount: 90 } },
  ])("edited-tool-escape: an edit that $title does not run", async ({ args }) => {
    const s = await scene(subject, { script: turnOf(call) });
    await play(s, [{ held: s.approver.expect("pay").hold(), give: (held) => held.edit(args) }]);
    expect(s.tools.ran).toEqual([]);
    expect(await resultOf(s, "c1")).toMatchObject({
      kind: "error",
      text: expect.stringContaining("not usable"),
    });
  });
}
