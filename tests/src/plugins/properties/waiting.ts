/** Wait mode: what may change or end while a call is held. */
import type { Json } from "@guard/core";
import { expect, test } from "vitest";
import { pay, ranOf, scene, turnOf } from "../scene.ts";
import type { Subject } from "../subject.ts";

export function waiting(subject: Subject): void {
  if (subject.mode !== "wait") return;
  const call = pay("c1", 900);

  test.runIf(subject.traits.argsByReference)(
    "toctou-args: arguments that are changed while people look at them",
    async () => {
      const found: Record<string, Json>[] = [];
      const s = await scene(subject, { script: turnOf(call), onArgs: (args) => void found.push(args) });
      const held = s.approver.expect("pay", call.args).hold();
      const running = s.process().start();
      await held.arrived;
      expect(found.length).toBeGreaterThan(0);
      for (const args of found) Object.assign(args, { to: "mallory", amount: 1e6 });
      await held.approve();
      await running;
      expect(s.tools.ran).toEqual([ranOf(call)]);
    },
  );

  test("abort ends the wait: nothing runs, and the request stays open", async () => {
    const s = await scene(subject, { script: turnOf(call) });
    const held = s.approver.expect("pay").hold();
    const stop = new AbortController();
    const running = s.process().start({ signal: stop.signal });
    const { request } = await held.arrived;
    stop.abort();
    await expect(running).rejects.toThrow();
    expect((await s.guard.read(request)).state).toBe("pending");
    await held.approve();
    expect(s.tools.ran).toEqual([]);
  });

  test("closing the guard ends the wait: nothing runs, and the request stays open", async () => {
    const s = await scene(subject, { script: turnOf(call) });
    const held = s.approver.expect("pay").hold();
    const process = s.process();
    const running = process.start().catch(() => {});
    const { request } = await held.arrived;
    await process.guard.close();
    await running;
    expect((await s.guard.read(request)).state).toBe("pending");
    await held.approve();
    expect(s.tools.ran).toEqual([]);
  });
}
