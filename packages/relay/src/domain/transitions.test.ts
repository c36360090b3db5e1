import { type RequestState, requestStates as states } from "@guard/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { after, consumeRule, dueAt, dueEvent, type RequestEvent, roundRule } from "./transitions.ts";

const events: RequestEvent[] = [
  "approve",
  "reject",
  "supersede",
  "expire",
  "cancel",
  "consume",
  "lose",
  "report",
];

// Written out in full on purpose: rows are states, columns are `events`.
const expected: Record<RequestState, (RequestState | null)[]> = {
  pending: ["approved", "rejected", "superseded", "expired", "cancelled", null, null, null],
  approved: [null, null, "superseded", "expired", "cancelled", "executing", null, null],
  executing: [null, null, null, null, null, null, "unknown", "completed"],
  unknown: [null, null, null, null, null, null, null, "completed"],
  rejected: [null, null, null, null, null, null, null, null],
  expired: [null, null, null, null, null, null, null, null],
  cancelled: [null, null, null, null, null, null, null, null],
  superseded: [null, null, null, null, null, null, null, null],
  completed: [null, null, null, null, null, null, null, null],
};

describe.each(states)("from %s", (state) => {
  test.each(events.map((event, i) => [event, expected[state][i] ?? null] as const))(
    "%s → %s",
    (event, to) => {
      expect(after(state, event)).toBe(to);
    },
  );
});

test("double-execution: no sequence of events starts a run twice", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...events)), (sequence) => {
      let state: RequestState = "pending";
      let runs = 0;
      for (const event of sequence) {
        const next = after(state, event);
        if (next === "executing") runs++;
        state = next ?? state;
      }
      expect(runs).toBeLessThanOrEqual(1);
      expect(states).toContain(state);
    }),
  );
});

test("what the clock does to a state is always possible", () => {
  const times = { expiresAt: 1, useBy: 2, deadline: 3 };
  for (const state of states) {
    if (dueAt(state, times) !== null) expect(after(state, dueEvent(state))).not.toBeNull();
  }
  expect(states.map((state) => dueAt(state, times)).filter((due) => due !== null)).toEqual([1, 2, 3]);
});

test("rounds: the next one supersedes what is open and never what was consumed", () => {
  expect(roundRule(null, 0)).toBe("insert");
  expect(roundRule(null, 1)).toBe("conflict");
  for (const state of states) {
    const last = { round: 3, state };
    expect(roundRule(last, 0)).toBe("join");
    for (const round of [1, 2, 3, 5]) expect(roundRule(last, round)).toBe("conflict");
    const next = ["executing", "completed", "unknown"].includes(state)
      ? "conflict"
      : ["pending", "approved"].includes(state)
        ? "supersede"
        : "insert";
    expect(roundRule(last, 4)).toBe(next);
  }
});

test("consume-retry: the same attempt repeats, another one is told what is there", () => {
  const rules = states.map((state) => consumeRule({ state, attempt: null }, "a"));
  expect(Object.fromEntries(states.map((state, i) => [state, rules[i]]))).toEqual({
    pending: "not_approved",
    approved: "take",
    rejected: "not_approved",
    expired: "expired",
    cancelled: "not_approved",
    superseded: "not_approved",
    executing: "in_progress",
    completed: "completed",
    unknown: "unknown",
  });
  for (const state of ["executing", "completed", "unknown"] as const)
    expect(consumeRule({ state, attempt: "a" }, "a")).toBe("repeat");
});
