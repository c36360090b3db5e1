import { expect, test } from "vitest";
import type { OpenedRequest } from "./open.ts";
import { changedLines, textsOf, timeLeft } from "./words.ts";

test("a difference shows both sides, and what stayed", () => {
  expect(changedLines({ amount: 900, to: "bob" }, { amount: 90, to: "bob" })).toEqual([
    { kind: "same", text: "{" },
    { kind: "old", text: '  "amount": 900,' },
    { kind: "new", text: '  "amount": 90,' },
    { kind: "same", text: '  "to": "bob"' },
    { kind: "same", text: "}" },
  ]);
});

test("quota-exhaustion: a difference of a hundred thousand lines does not exhaust the machine", () => {
  const many = Array.from({ length: 100_000 }, (_, i) => i);
  const lines = changedLines(many, [...many, 1]);
  expect(lines).toHaveLength(2 * 100_002 + 1);
  expect(lines[0]).toEqual({ kind: "old", text: "[" });
  expect(lines.at(-1)).toEqual({ kind: "new", text: "]" });
});

test.each([
  [59_000, "59 s"],
  [245_000, "4 min 05 s"],
  [3 * 3_600_000, "3 h 0 min"],
  [3 * 86_400_000, "3 days"],
  [-1, "over"],
])("%d ms left reads %s", (ms, text) => expect(timeLeft(ms, 0)).toBe(text));

test("every text of a paper beside arguments and metadata has a name", () => {
  const opened = {
    tool: "refund",
    args: { not: "this" },
    facts: { risk: "low", title: "t", summary: "s", operation: "o", sensitivity: "se", systems: ["a", "b"] },
    policy: { version: "v", rule: "r", reasons: ["because"] },
    terms: { approvers: ["alice", "carol"], quorum: 1, rejections: 1, editable: true, requester: "carol" },
    session: "ticket-7",
  } as unknown as OpenedRequest;
  expect(textsOf(opened)).toEqual({
    tool: "refund",
    ...{ title: "t", summary: "s", operation: "o", sensitivity: "se", systems: ["a", "b"] },
    ...{ rule: "r", reasons: ["because"], approvers: ["alice"], requester: "carol", session: "ticket-7" },
  });
  const bare = textsOf({ ...opened, facts: {}, session: null });
  expect(bare).toMatchObject({ title: null, operation: null, systems: [], session: null });
});
