/** Rules of policies: what is not understood is refused, and what is understood decides as a second reading does. */
import { createPolicy, normaliseIdentity } from "@guard/core";
import { globMatcher } from "../../../../packages/core/src/policy/glob.ts";
import { parsePath, pathText } from "../../../../packages/core/src/policy/path.ts";
import { textMatcher } from "../../../../packages/core/src/policy/pattern.ts";
import { expect, guarded, type Target } from "../target.ts";

const keys = [
  "tool",
  "when",
  "then",
  "reason",
  "relay",
  "approvers",
  "quorum",
  "rejections",
  "editable",
  "expiresIn",
];
const actions = [
  { tool: "refund", args: { amount: 50, to: "bob", list: [1, { a: "b" }], customer: { country: "DE" } } },
  { tool: "lookupOrder", args: {} },
  { tool: "delete", args: [null, "x".repeat(2000)] },
] as const;
const rules = [
  { tool: "lookup*", then: "allow" },
  {
    tool: "refund",
    when: { amount: { lte: 50 }, "customer.country": { in: ["DE", "FR"] } },
    then: "allow",
    relay: "required",
  },
  {
    tool: "refund",
    when: { any: [{ to: { matches: "b(o|a){1,3}b?" } }, { not: { "facts.risk": "low" } }] },
    then: "ask",
  },
  {
    tool: "*",
    when: { "list.1.a": { exists: true } },
    then: "ask",
    approvers: ["alice", "bob"],
    quorum: 2,
    expiresIn: "4h",
  },
  { tool: "d*e*", then: "deny", reason: "Deletions go through the data team" },
];

export function policyTargets(): Target[] {
  return [
    {
      name: "rules",
      covers: ["createPolicy"],
      seeds: [JSON.stringify(rules), ...rules.map((rule) => JSON.stringify([rule]))],
      runs: 1250,
      async judge(input) {
        let given: never;
        try {
          given = JSON.parse(input) as never;
        } catch {
          return false;
        }
        const make = () => createPolicy({ rules: given, approvers: ["carol"], normalise: normaliseIdentity });
        const policy = await guarded(make);
        if (policy === undefined) return false;
        for (const rule of given as Record<string, unknown>[])
          expect(
            Object.keys(rule).every((key) => keys.includes(key)),
            "a key of a rule was passed over",
          );
        expect(make().version === policy.version, "one policy has two versions");
        for (const action of actions) {
          const decision = policy.decide(action, { risk: "high" });
          expect(
            ["allow", "ask", "deny"].includes(decision.outcome) && decision.reasons.length > 0,
            "no decision",
          );
          expect(
            decision.outcome !== "ask" ||
              (decision.quorum >= 1 && decision.quorum <= decision.approvers.length),
            "a quorum that nobody reaches",
          );
          // What decides has to be a rule that names the tool, or none of them.
          const place = Number(/^#(\d+) /.exec(decision.rule)?.[1] ?? 0);
          const rule = (given as { tool: string; then: string }[])[place - 1];
          if (place > 0)
            expect(
              rule?.then === decision.outcome && globbed(rule.tool, action.tool),
              "another rule decided than it says",
            );
          else expect(decision.outcome !== "allow", "allowed by no rule");
        }
        return true;
      },
    },
    {
      name: "patterns",
      covers: [],
      seeds: [
        "b(o|a){1,3}b?",
        "[a-c]+\\d*",
        "(?:x|y)*z",
        "\\p{L}+\\.com",
        "a|b|",
        "^ab$",
        "\\bword\\b",
        "(?<n>a)?.{2,4}",
      ],
      runs: 1250,
      async judge(input) {
        const matches = await guarded(() => textMatcher(input, "when"));
        if (matches === undefined) return false;
        const second = new RegExp(`^(?:${input})$`, "u");
        for (const text of ["", "a", "bob", "abc", "word", "x.com", "a\nb", "ab", "xyz", "💣", "1"]) {
          const truth = matches(text);
          const expected = second.test(text);
          expect(
            truth === expected || (truth === null && /[\n\r\u2028\u2029]/.test(text)),
            `${JSON.stringify(text)}: ${truth}, RegExp says ${expected}`,
          );
        }
        const started = performance.now();
        matches("ab".repeat(500));
        expect(performance.now() - started < 5000, "a pattern runs away");
        return true;
      },
    },
    {
      name: "globs-and-paths",
      covers: [],
      seeds: ["lookup*", "a.b\\.c.0", "*a*b*", "list.1.a", "x\\\\y"],
      runs: 1000,
      async judge(input) {
        for (const name of [
          ...actions.map(({ tool }) => tool),
          "aXbY",
          "",
          input,
          input.replaceAll("*", "x"),
        ])
          expect(
            globMatcher(input)(name) === globbed(input, name),
            `the glob reads ${JSON.stringify(name)} otherwise`,
          );
        const path = await guarded(() => parsePath(input, "when"));
        if (path === undefined) return false;
        expect(
          path.every((member) => member !== "") && pathText(path) === input,
          "a path is not written as it was read",
        );
        return true;
      },
    },
  ];
}

/** A second reading of globs: by all positions that can be reached. */
function globbed(glob: string, name: string): boolean {
  if (glob.length * name.length > 1e6) return globMatcher(glob)(name);
  let reached = new Set([0]);
  for (const character of glob.split("")) {
    const next = new Set<number>();
    if (character === "*") for (let at = Math.min(...reached); at <= name.length; at++) next.add(at);
    else for (const at of reached) if (name[at] === character) next.add(at + 1);
    if (next.size === 0) return false;
    reached = next;
  }
  return reached.has(name.length);
}
