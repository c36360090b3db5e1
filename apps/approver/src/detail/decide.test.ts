import type { Decision } from "@guard/device";
import { describe, expect, test } from "vitest";
import { type Deciding, nextDeciding, type Problem, settleTime, startDeciding } from "./decide.ts";

const approve: Decision = { decision: "approve" };
const reject: Decision = { decision: "reject", reason: "no" };
const later = 1000 + settleTime;

const press = (
  state: Deciding,
  options: Partial<{ decision: Decision; at: number; unseen: number; ended: boolean }> = {},
) =>
  nextDeciding(state, { kind: "decide", decision: approve, at: later, unseen: 0, ended: false, ...options });
const sending = press(startDeciding(1000));
const refused = (kind: Problem["kind"]) =>
  nextDeciding(sending, { kind: "refused", problem: { text: "why", kind } });

test("an answer is sent once everything was in view", () => {
  expect(sending.sending).toEqual(approve);
  expect(nextDeciding(sending, { kind: "taken" })).toMatchObject({ sending: null, taken: true });
});

describe("stale-decision", () => {
  test("stale-decision: a press within 600 ms of the request coming up does nothing, and says so", () => {
    for (const decision of [approve, reject]) {
      const early = press(startDeciding(1000), { decision, at: later - 1 });
      expect(early.sending).toBeNull();
      expect(early.problem?.kind).toBe("open");
      expect(press(early, { decision }).sending).toEqual(decision);
    }
  });

  test("stale-decision: a press that began before the request came up does nothing, however late it ends", () => {
    expect(press(startDeciding(1000), { at: 900 }).sending).toBeNull();
  });

  test("stale-decision: every step, and coming back to the page, is something new under the finger", () => {
    const step = { kind: "reviewing", args: 1 } as const;
    const reviewing = nextDeciding(startDeciding(0), { kind: "go", to: step, at: 1000, ended: false });
    expect(reviewing.step).toEqual(step);
    expect(press(reviewing, { at: later - 1 }).sending).toBeNull();
    expect(press(reviewing).sending).toEqual(approve);
    const back = nextDeciding(startDeciding(0), { kind: "appeared", at: 1000 });
    expect(press(back, { at: later - 1 }).sending).toBeNull();
  });

  test("stale-decision: a form is not opened, nor an answer sent again, by a press that was meant for something else", () => {
    const go = { kind: "go", to: { kind: "rejecting" }, at: later - 1, ended: false } as const;
    expect(nextDeciding(startDeciding(1000), go).step.kind).toBe("reading");
    expect(
      nextDeciding(refused("unknown"), { kind: "again", at: later - 1, ended: false }).sending,
    ).toBeNull();
  });
});

test("out-of-view: nothing is approved while a part was not in view; rejecting needs none", () => {
  expect(press(startDeciding(1000), { unseen: 1 })).toMatchObject({
    sending: null,
    problem: { kind: "open" },
  });
  expect(press(startDeciding(1000), { unseen: 1, decision: reject }).sending).toEqual(reject);
});

test("in flight: nothing is sent a second time, and no other step is taken", () => {
  expect(press(sending)).toBe(sending);
  expect(press(sending, { decision: reject })).toBe(sending);
  expect(nextDeciding(sending, { kind: "again", at: later, ended: false })).toBe(sending);
  expect(nextDeciding(sending, { kind: "go", to: { kind: "editing" }, at: later, ended: false })).toBe(
    sending,
  );
  const taken = nextDeciding(sending, { kind: "taken" });
  expect(press(taken, { decision: reject })).toBe(taken);
});

test("too late: a request that ended takes no press, before or after one was refused for it", () => {
  const state = startDeciding(1000);
  expect(press(state, { ended: true })).toBe(state);
  expect(nextDeciding(state, { kind: "go", to: { kind: "editing" }, at: later, ended: true })).toBe(state);
  const final = refused("final");
  expect(final.problem?.text).toBe("why");
  expect(press(final)).toBe(final);
});

test("an answer that may have arrived can only be sent again as it was", () => {
  const unknown = refused("unknown");
  expect(press(unknown, { decision: reject })).toBe(unknown);
  expect(nextDeciding(unknown, { kind: "again", at: later, ended: false }).sending).toBe(approve);
  const open = refused("open");
  expect(nextDeciding(open, { kind: "again", at: later, ended: false })).toBe(open);
  expect(press(open, { decision: reject }).sending).toEqual(reject);
});
