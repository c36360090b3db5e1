/** What an approver edits is what runs, and what the history shows where the plugin says so. */
import type { Json } from "@guard/core";
import type { Held } from "@guard/testing";
import { expect, test } from "vitest";
import { expectWhole, pay, play, ranOf, resultOf, scene, turnOf } from "../scene.ts";
import type { Call, Subject } from "../subject.ts";

const bad: readonly { readonly call: Call; readonly args: Json }[] = [
  { call: pay("type", 1), args: { to: "bob", amount: "90" } },
  { call: pay("limit", 2), args: { to: "bob", amount: -1 } },
  { call: pay("dropped-field", 3), args: { to: "bob", amount: 90, currency: "EUR" } },
  { call: pay("missing-field", 4), args: { amount: 90 } },
];

export function edits(subject: Subject): void {
  const call = pay("c1", 900);
  const edited = { to: "bob", amount: 90 };
  const { historyShowsEdits: shows } = subject.traits;

  if (!subject.traits.edits) {
    test("edited-tool-escape: approvers cannot edit, and may still approve what was asked", async () => {
      const s = await scene(subject, { script: turnOf(call) });
      const give = async (held: Held) => {
        await expect(held.edit(edited)).rejects.toThrow("may not be edited");
        await held.approve();
      };
      await play(s, [{ held: s.approver.expect("pay").hold(), give }]);
      expect(s.tools.ran).toEqual([ranOf(call)]);
    });
    return;
  }

  test(`edited arguments are what runs; the history shows ${shows ? "them" : "what the model wrote"}`, async () => {
    const s = await scene(subject, { script: turnOf(call) });
    await play(s, [{ held: s.approver.expect("pay").hold(), give: (held) => held.edit(edited) }]);
    expect(s.tools.ran).toEqual([ranOf(call, edited)]);
    expect((await s.chat.stored()).calls).toEqual([{ ...call, args: shows ? edited : call.args }]);
    if (subject.traits.model)
      expect(s.chat.prompts.at(-1)?.calls).toEqual([{ ...call, args: shows ? edited : call.args }]);
  });

  test("edited-tool-escape: an edit that the tool's schema does not take unchanged does not run", async () => {
    const tried = subject.traits.calls === "many" ? bad : bad.slice(2, 3);
    const s = await scene(subject, { script: turnOf(...tried.map((each) => each.call)) });
    await play(
      s,
      tried.map((each) => ({
        held: s.approver.expect("pay", each.call.args).hold(),
        give: (held) => held.edit(each.args),
      })),
    );
    expect(s.tools.ran).toEqual([]);
    for (const { id } of tried.map((each) => each.call)) {
      const { kind, text } = await resultOf(s, id);
      expect([kind, text]).toEqual(["error", expect.stringContaining("not usable")]);
    }
    await expectWhole(s);
  });
}
