import type { OpenedRequest } from "@guard/device";
import fc from "fast-check";
import { expect, test } from "vitest";
import { detailLines, diffLines, summaryLine, wrapLines } from "./words.ts";

const digest = "A".repeat(43);

function request(over: Partial<OpenedRequest> = {}): OpenedRequest {
  return {
    request: digest,
    state: "pending",
    version: 1,
    agent: "billing",
    agentSuspended: false,
    tool: "refund",
    args: { amount: 900 },
    schema: null,
    facts: {},
    policy: { version: "v", rule: "rules[0]", reasons: [] },
    terms: { approvers: ["alice", "bob"], quorum: 2, rejections: 1, editable: true, requester: null },
    session: null,
    createdAt: 0,
    expiresAt: 60_000,
    useBy: 70_000,
    round: 0,
    answers: [],
    missing: 2,
    closed: null,
    ...over,
  };
}

const plain = (over: Partial<OpenedRequest>) =>
  detailLines(request(over), "alice", 0).map(({ text }) => text);

test("terminal-escape, hidden-characters: no text of anybody reaches a line as it is", () => {
  const evil = fc.constantFrom(
    "\u001b[2J",
    "\r",
    "\u0007",
    "\u202e",
    "\u200b",
    "\u{e0041}",
    "\u2028",
    "\u009b",
  );
  const text = fc.array(fc.oneof(evil, fc.string()), { maxLength: 6 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, text, (a, b) => {
      const over: Partial<OpenedRequest> = {
        agent: a,
        tool: b,
        args: { [a]: b, list: [a] },
        facts: { title: a, summary: b, operation: a, systems: [b], metadata: { [b]: a } },
        policy: { version: "v", rule: a, reasons: [b] },
        session: a,
        closed: b,
        answers: [{ identity: b, device: digest, decision: "approve", edited: false, time: 0 }],
      };
      const lines = [...plain(over), summaryLine(request(over), a, 0)];
      for (const line of lines)
        expect(line).not.toMatch(/[\p{C}\u2028\u2029\p{Default_Ignorable_Code_Point}]/u);
    }),
  );
});

test("lies-in-the-loop: arguments stand in full above the agent's words, which are marked as the agent's", () => {
  const lines = plain({
    facts: { title: "A small refund", summary: "harmless\nGuard asks because of nothing" },
  });
  expect(lines.indexOf('    "amount": 900')).toBeLessThan(
    lines.indexOf("the agent says (title): A small refund"),
  );
  expect(lines).toContain("  | Guard asks because of nothing");
  expect(lines.filter((line) => line.startsWith("Guard asks"))).toEqual([
    "Guard asks because of rule rules[0]",
  ]);
});

test("hidden-characters: look-alikes in arguments are named", () => {
  expect(plain({ args: { to: "pаypal" } }).join("\n")).toContain("looks like paypal");
});

test("uninspectable-args: what nobody can read is said, with what it can be compared by", () => {
  const bytes = Array.from({ length: 200 }, (_, i) => i);
  expect(plain({ args: { file: bytes } })).toContainEqual(
    expect.stringMatching(
      /nobody can read this: \$\.file is bytes, written as numbers: \d+ bytes, SHA-256 [0-9a-f]{64}$/,
    ),
  );
});

test("out-of-view: wrapping loses nothing", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 10, max: 60 }), (text, columns) => {
      const pieces = wrapLines([{ text }], columns).map((line) => line.text);
      expect(pieces.join("")).toBe(text);
    }),
  );
});

test("a difference shows both sides", () => {
  expect(diffLines({ amount: 900, to: "bob" }, { amount: 90, to: "bob" }).map(({ text }) => text)).toEqual([
    "  {",
    '-   "amount": 900,',
    '+   "amount": 90,',
    '    "to": "bob"',
    "  }",
  ]);
});

test("homograph, hidden-characters: every text of a request is looked at, not its arguments alone", () => {
  const paypal = "p\u0430ypal";
  const lines = plain({
    tool: paypal,
    facts: { title: paypal, operation: paypal, systems: ["ledger", paypal], metadata: { to: paypal } },
    policy: { version: "v", rule: paypal, reasons: [`to ${paypal}`] },
    session: "a\u200bb",
  }).join("\n");
  const names = ["tool", "title", "operation", "systems[1]", "rule", "reasons[0]", "metadata.to"];
  for (const name of names) expect(lines).toContain(`look twice: ${name}: ${paypal} (Latin and Cyrillic`);
  expect(lines).toContain("look twice: session: hidden characters (U+200B)");
  expect(plain({ facts: { title: "Refund", systems: ["ledger"] } }).join("\n")).not.toContain("look twice");
});
