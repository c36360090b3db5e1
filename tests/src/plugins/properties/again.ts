/** A step that the framework runs again from its top asks nobody twice, and a later turn is another matter. */
import type { Held } from "@guard/testing";
import { expect, test } from "vitest";
import { expectWhole, heard, pay, play, ranOf, scene, settled, turnOf, until, work } from "../scene.ts";
import type { Call, Result, Subject } from "../subject.ts";

export function again(subject: Subject): void {
  const call = pay("c1", 900);
  const many = subject.traits.calls === "many";

  test.runIf(subject.mode === "suspend")(
    "resubmission: run again from the top, also by other processes, the step asks once",
    async () => {
      const calls = many ? [call, pay("c2", 900)] : [call];
      const s = await scene(subject, { script: turnOf(...calls) });
      const helds = calls.map(() => s.approver.expect("pay").hold());
      const first = s.process();
      await first.start();
      for (const { arrived } of helds) await arrived;
      for (const process of [first, s.process(), s.process()]) await process.resume({}).catch(() => {});
      expect(s.asked).toHaveLength(calls.length);
      for (const held of helds) {
        await held.approve();
        await settled(s.guard, held);
      }
      await work(s);
      expect(s.tools.ran).toEqual(calls.map((each) => ranOf(each)));
      await expectWhole(s);
      s.approver.done();
    },
  );

  test.runIf(subject.mode === "wait")(
    "resubmission: after the process ended while it waited, the next one joins the open request",
    async () => {
      const s = await scene(subject, { script: turnOf(call) });
      const held = s.approver.expect("pay").hold();
      const stop = new AbortController();
      const first = s
        .process()
        .start({ signal: stop.signal })
        .catch(() => {});
      await held.arrived;
      stop.abort();
      await first;
      const second = s.process().start();
      await held.approve();
      await second;
      expect(s.asked).toHaveLength(1);
      expect(s.tools.ran).toEqual([ranOf(call)]);
      s.approver.done();
    },
  );

  const { model, repeatedIds } = subject.traits;

  test.runIf(model && (repeatedIds === "refused" || repeatedIds === "skipped"))(
    `stale-decision: a later turn that uses a call's id again is ${repeatedIds}`,
    async () => {
      const s = await scene(subject, { script: [[pay("call_0", 1)], [pay("call_0", 1)], "the end"] });
      await play(s, [{ held: s.approver.expect("pay").hold(), give: (held) => held.approve() }]);
      expect(s.tools.ran).toEqual([ranOf(pay("", 1))]);
      const { kind, text } = (await heard(s)).results.at(-1) as Result;
      if (repeatedIds === "skipped") expect(kind).toBe("result");
      else expect([kind, text]).toEqual(["error", expect.stringContaining("has run already")]);
      s.approver.done();
    },
  );

  test.runIf(model && repeatedIds === "asked")(
    "stale-decision: a later turn that uses a call's id again is asked anew",
    async () => {
      const turns = [pay("call_0", 1), pay("call_0", 1), pay("call_0", 2)];
      const s = await scene(subject, { script: [...turns.map((turn) => [turn]), "the end"] });
      const helds = turns.map(({ args }) => s.approver.expect("pay", args).hold()) as [Held, Held, Held];
      const running = s.process().start();
      const ran: string[] = [];
      for (const [at, held] of helds.entries()) {
        if (subject.mode === "suspend") await (at === 0 ? running : work(s));
        await Promise.race([held.arrived, until(() => s.tools.ran.length > ran.length)]);
        expect(s.tools.ran).toEqual(ran);
        if (at === 1) {
          await held.reject("once is enough");
        } else {
          ran.push(ranOf(turns[at] as Call));
          await held.approve();
        }
        await settled(s.guard, held);
      }
      if (subject.mode === "suspend") await work(s);
      await running;
      expect(s.tools.ran).toEqual(ran);
      expect((await s.chat.stored()).text).toBe("the end");
      s.approver.done();
    },
  );

  test.runIf(!model)("an allowed call needs nobody, and the run ends by itself", async () => {
    const allowed = { id: "c1", tool: "lookup", args: { q: "rates" } };
    const s = await scene(subject, { script: turnOf(allowed) });
    await play(s, []);
    expect(s.tools.ran).toEqual([ranOf(allowed)]);
    await expectWhole(s);
    expect(s.asked).toEqual([]);
  });
}
