/** What was declined, by whomever, never runs, on no later resume; the model reads why. */
import { expect, test } from "vitest";
import { expectWhole, pay, resultOf, scene, settled, turnOf, until, wipe, work } from "../scene.ts";
import type { Subject } from "../subject.ts";

const hours = 3_600_000;
const [rejected, cancelled, expired, denied] = [pay("r", 1), pay("c", 2), pay("e", 3), wipe("d")];

export function declined(subject: Subject): void {
  const suspend = subject.mode === "suspend";

  const reasons = {
    [rejected.id]: /alice@example\.com rejected pay: ask the manager first/,
    [cancelled.id]: /was cancelled/,
    [expired.id]: /in time/,
    [denied.id]: /tables are not emptied by agents/,
  };
  const all = suspend ? [rejected, cancelled, expired, denied] : [rejected, cancelled, denied];

  test.for(subject.traits.calls === "many" ? [{ calls: all }] : all.map((call) => ({ calls: [call] })))(
    "decline-falls-through: rejected, cancelled, expired, denied by policy: $calls.length at once",
    async ({ calls }) => {
      const s = await scene(subject, { script: turnOf(...calls) });
      const asked = calls.filter((call) => call !== denied);
      const helds = new Map(asked.map(({ id, args }) => [id, s.approver.expect("pay", args).hold()]));
      const running = s.process().start();
      if (suspend) await running;
      const requests = new Map<string, string>();
      for (const [id, { arrived }] of helds) requests.set(id, (await arrived).request);
      await helds.get(rejected.id)?.reject("ask the manager first");
      const [away, late] = [requests.get(cancelled.id), requests.get(expired.id)];
      if (away !== undefined) await s.guard.cancel(away);
      if (late !== undefined) {
        s.advance(2 * hours);
        await until(async () => (await s.guard.read(late)).state === "expired");
      }
      for (const held of helds.values()) await settled(s.guard, held);
      if (suspend) await work(s);
      await running;
      for (const { id } of calls)
        expect(await resultOf(s, id)).toEqual({
          kind: "error",
          text: expect.stringMatching(reasons[id] as RegExp),
        });
      await expectWhole(s);
      expect(s.asked.toSorted()).toEqual([...requests.values()].toSorted());
      if (suspend) {
        const later = s.process();
        for (const value of [true, { approved: true }]) await later.resume(value).catch(() => {});
        await work(s);
      }
      expect(s.tools.ran).toEqual([]);
    },
  );

  test("policy-changed-while-waiting: approved under a policy that now denies", async () => {
    const s = await scene(subject, { script: turnOf(pay("c1", 900)) });
    const held = s.approver.expect("pay").hold();
    const stop = new AbortController();
    const first = s.process().start({ signal: stop.signal });
    if (suspend) await first;
    await held.arrived;
    stop.abort();
    await first.catch(() => {});
    await held.approve();
    await settled(s.guard, held);
    const later = s.process([{ tool: "pay", then: "deny", reason: "payments are frozen" }]);
    if (suspend) await work(s, later);
    else await later.start();
    expect(s.tools.ran).toEqual([]);
    const result = await resultOf(s, "c1");
    expect(result).toEqual({ kind: "error", text: expect.stringContaining("payments are frozen") });
  });
}
