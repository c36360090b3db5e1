/** What was declined, by whomever, never runs, on no later resume; the model reads why. */
import { expect, test } from "vitest";
import { pay, resultOf, type Scene, scene, settled, turnOf, until, wipe, work } from "../scene.ts";
import type { Subject } from "../subject.ts";

export function declined(subject: Subject): void {
  const call = pay("c1", 900);
  const suspend = subject.mode === "suspend";

  /** Starts, waits for the request, and hands over while the run waits or is suspended. */
  async function asked(s: Scene) {
    const held = s.approver.expect("pay").hold();
    const running = s.process().start();
    if (suspend) await running;
    const { request } = await held.arrived;
    return { held, running, request };
  }

  async function expectDeclined(s: Scene, running: Promise<void>, reason: RegExp) {
    if (suspend) await work(s);
    await running;
    expect(s.tools.ran).toEqual([]);
    const { kind, text } = await resultOf(s, "c1");
    expect(kind).toBe("error");
    expect(text).toMatch(reason);
    if (suspend) {
      for (const value of [true, { approved: true }])
        await s
          .process()
          .resume(value)
          .catch(() => {});
      await work(s);
    }
    expect(s.tools.ran).toEqual([]);
  }

  test("decline-falls-through: rejected, with the approver's reason", async () => {
    const s = await scene(subject, { script: turnOf(call) });
    const { held, running } = await asked(s);
    await held.reject("ask the manager first");
    await settled(s.guard, held);
    await expectDeclined(s, running, /alice@example\.com rejected pay: ask the manager first/);
  });

  test("decline-falls-through: cancelled by the agent", async () => {
    const s = await scene(subject, { script: turnOf(call) });
    const { running, request } = await asked(s);
    await s.guard.cancel(request);
    await expectDeclined(s, running, /withdr|cancel/i);
  });

  test.runIf(suspend)("decline-falls-through: expired", async () => {
    const s = await scene(subject, { script: turnOf(call) });
    const { running, request } = await asked(s);
    s.advance(2 * 3_600_000);
    await until(async () => (await s.guard.read(request)).state === "expired");
    await expectDeclined(s, running, /in time/);
  });

  test("denied by policy: nobody is asked, and the model reads why", async () => {
    const s = await scene(subject, { script: turnOf(wipe("c1")) });
    const running = s.process().start();
    await running;
    await expectDeclined(s, running, /tables are not emptied by agents/);
    expect(s.asked).toEqual([]);
  });

  test("policy-changed-while-waiting: approved under a policy that now denies", async () => {
    const s = await scene(subject, { script: turnOf(call) });
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
    expect(await resultOf(s, "c1")).toMatchObject({
      kind: "error",
      text: expect.stringContaining("payments are frozen"),
    });
  });
}
