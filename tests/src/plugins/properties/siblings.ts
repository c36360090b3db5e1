/** Parallel calls have an outcome each, in any order of the answers. */
import type { Held } from "@guard/testing";
import { expect, test } from "vitest";
import {
  expectWhole,
  lookup,
  pay,
  play,
  ranOf,
  resultOf,
  scene,
  settled,
  turnOf,
  until,
  work,
} from "../scene.ts";
import type { Subject } from "../subject.ts";

const [first, second, third] = [pay("c1", 1), pay("c2", 2), pay("c3", 3)];

export function siblings(subject: Subject): void {
  if (subject.traits.calls === "one") return;
  const suspend = subject.mode === "suspend";
  const edited = subject.traits.edits ? { to: "bob", amount: 33 } : third.args;
  const given = [
    { call: first, give: (held: Held) => held.approve() },
    { call: second, give: (held: Held) => held.reject("not this one") },
    {
      call: third,
      give: (held: Held) => (subject.traits.edits ? held.edit(edited) : held.approve()),
    },
  ] as const;

  const orders = [
    { order: [2, 0, 1], each: suspend },
    { order: [1, 2, 0], each: false },
  ];

  test.for(subject.variant ? orders.slice(0, 1) : orders)(
    "sibling-loss, positional-mismatch, stale-decision: answered in the order $order",
    async ({ order, each }) => {
      const s = await scene(subject, { script: turnOf(first, lookup("free"), second, third) });
      const answers = given.map(({ call, give }) => ({
        held: s.approver.expect("pay", call.args).hold(),
        give,
      }));
      const free = ranOf(lookup("free"));
      const [soonest, ...later] = order.map((at) => answers[at] as (typeof answers)[number]);
      const afterFree = async (held: Held) => {
        // What needs nobody does not wait for those who decide on the others.
        await until(() => s.tools.ran.length > 0);
        expect(s.tools.ran).toEqual([free]);
        await soonest?.give(held);
      };
      await play(s, [{ held: soonest?.held as Held, give: afterFree }, ...later], { each });
      expect(s.tools.ran.toSorted()).toEqual([free, ranOf(first), ranOf(third, edited)].toSorted());
      expect(await resultOf(s, "c1")).toEqual({ kind: "result", text: `done: ${ranOf(first)}` });
      expect(await resultOf(s, "c2")).toMatchObject({
        kind: "error",
        text: expect.stringContaining("not this one"),
      });
      expect(await resultOf(s, "c3")).toEqual({ kind: "result", text: `done: ${ranOf(third, edited)}` });
      expect(await resultOf(s, "free")).toEqual({ kind: "result", text: `done: ${free}` });
      expect(s.asked).toHaveLength(3);
      await expectWhole(s);
      s.approver.done();
    },
  );

  test(`an approved call ${subject.traits.runsBeforeSiblings ? "does not wait" : "waits"} for its siblings' answers`, async () => {
    const s = await scene(subject, { script: turnOf(first, second) });
    const [one, two] = [first, second].map(({ args }) => s.approver.expect("pay", args).hold()) as [
      Held,
      Held,
    ];
    const running = s.process().start();
    await Promise.all([one.arrived, two.arrived]);
    await one.approve();
    if (suspend) {
      await running;
      await settled(s.guard, one);
      await work(s);
      expect(s.tools.ran).toEqual(subject.traits.runsBeforeSiblings ? [ranOf(first)] : []);
    } else {
      await until(() => s.tools.ran.length > 0);
    }
    await two.approve();
    if (suspend) {
      await settled(s.guard, two);
      await work(s);
    }
    await running;
    expect(s.tools.ran.toSorted()).toEqual([ranOf(first), ranOf(second)]);
    await expectWhole(s);
  });
}
