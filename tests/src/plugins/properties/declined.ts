/** What was declined, by whomever, never runs, on no later resume; the model reads why. */
import { expect, test } from "vitest";
import { expectWhole, pay, resultOf, scene, settled, turnOf, until, wipe, work } from "../scene.ts";
import type { Subject } from "../subject.ts";

const hours = 3_600_000;
const [rejected, cancelled, expired, denied] = [pay("r", 1), pay("c", 2), pay("e", 3), wipe("d")];

export function declined(subject: Subject): void {
  const suspend = subject.mode === "suspend";

  test(`decline-falls-through: rejected, cancelled, ${suspend ? "expired, " : ""}denied by policy`, async () => {
    const asked = suspend ? [rejected, cancelled, expired] : [rejected, cancelled];
    const s = await scene(subject, { script: turnOf(...asked, denied) });
    const helds = asked.map(({ args }) => s.approver.expect("pay", args).hold());
    const running = s.process().start();
    if (suspend) await running;
    const requests: string[] = [];
    for (const held of helds) requests.push((await held.arrived).request);
    await helds[0]?.reject("ask the manager first");
    await s.guard.cancel(requests[1] as string);
    if (suspend) {
      s.advance(2 * hours);
      await until(async () => (await s.guard.read(requests[2] as string)).state === "expired");
      await work(s);
    }
    await running;
    const reasons: readonly (readonly [string, RegExp])[] = [
      ["r", /alice@example\.com rejected pay: ask the manager first/],
      ["c", /was cancelled/],
      ["d", /tables are not emptied by agents/],
      ...(suspend ? [["e", /in time/] as const] : []),
    ];
    for (const [id, text] of reasons)
      expect(await resultOf(s, id)).toEqual({ kind: "error", text: expect.stringMatching(text) });
    await expectWhole(s);
    expect(s.asked).toEqual(requests);
    if (suspend) {
      for (const value of [true, { approved: true }])
        await s
          .process()
          .resume(value)
          .catch(() => {});
      await work(s);
    }
    expect(s.tools.ran).toEqual([]);
  });

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
