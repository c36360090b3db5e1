import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson, type Json } from "../action/canonical.ts";
import { ConfigurationError } from "../errors.ts";
import { conditions, mistakes } from "./policy.cases.ts";
import { createPolicy, type Policy } from "./policy.ts";
import type { Rule } from "./rules.ts";

const normalise = (identity: string) => {
  if (identity === "!") throw new Error("a look-alike of another identity.");
  return identity.trim().toLowerCase();
};
const build = (rules: readonly Rule[], options: { approvers?: string[]; expiresIn?: string | number } = {}) =>
  createPolicy({ rules, approvers: ["bob@example.com", "Alice@example.com"], normalise, ...options });
const decide = (policy: Policy, tool: string, args: Json = {}) => policy.decide({ tool, args }, {});

describe("conditions", () => {
  it.each(conditions.map(([when, args, truth, facts]) => ({ when, args, truth, facts: facts ?? {} })))(
    "$when on $args: $truth",
    ({ when, args, truth, facts }) => {
      for (const then of ["allow", "ask", "deny"] as const) {
        const decision = build([{ tool: "t", when, then }]).decide({ tool: "t", args }, facts);
        const matched = truth === true || (truth === null && then !== "allow");
        expect(decision.rule).toBe(matched ? "#1 t" : "default");
        if (matched) expect(decision.reasons).toHaveLength(truth === null ? 2 : 1);
      }
    },
  );
});

describe("mistakes throw at construction", () => {
  it.each(mistakes)("%s", (_name, rules, message) => {
    expect(() => build(rules as Rule[])).toThrow(ConfigurationError);
    expect(() => build(rules as Rule[])).toThrow(message);
  });

  it("config-fail-open: options too", () => {
    expect(() => build([], { aprovers: [] } as object)).toThrow(/aprovers is no option/);
    expect(() => build([], { approvers: [] })).toThrow(/approvers/);
    expect(() => build([], { approvers: ["a", "A"] })).toThrow(/named before/);
    expect(() => build([], { expiresIn: "soon" })).toThrow(/expiresIn/);
    expect(() => createPolicy({ rules: [{ tool: "a", then: "ask" }], normalise })).toThrow(/nobody is named/);
  });
});

describe("a policy", () => {
  const policy = build([
    { tool: "lookup*", then: "allow" },
    { tool: "refund", when: { amount: { lte: 50 } }, then: "allow", relay: "required" },
    { tool: "refund", when: { amount: { gt: 5000 } }, then: "ask", quorum: 2, expiresIn: "4h" },
    { tool: "refund", then: "ask", approvers: ["carol@example.com"], editable: false, reason: "Carol knows" },
    { tool: "delete*", then: "deny", reason: "Deletions go through the data team" },
    { tool: "drop*", then: "deny" },
  ]);
  const ask = {
    outcome: "ask",
    approvers: ["alice@example.com", "bob@example.com"],
    quorum: 1,
    rejections: 1,
    editable: true,
    expiresIn: 3_600_000,
  };

  it("is decided by the first matching rule", () => {
    expect(decide(policy, "lookupOrder")).toEqual({
      outcome: "allow",
      rule: "#1 lookup*",
      reasons: ["lookup* is allowed"],
      relay: false,
    });
    expect(decide(policy, "refund", { amount: 50 })).toMatchObject({ outcome: "allow", relay: true });
    expect(decide(policy, "refund", { amount: 6000 })).toEqual({
      ...ask,
      rule: "#3 refund",
      reasons: ["refund with amount > 5000 needs 2 approvals"],
      quorum: 2,
      expiresIn: 14_400_000,
    });
    expect(decide(policy, "refund", { amount: 900 })).toEqual({
      ...ask,
      rule: "#4 refund",
      reasons: ["Carol knows"],
      approvers: ["carol@example.com"],
      editable: false,
    });
    expect(decide(policy, "deleteUser")).toEqual({
      outcome: "deny",
      rule: "#5 delete*",
      reasons: ["Deletions go through the data team"],
    });
    expect(decide(policy, "dropTable").reasons).toEqual(["drop* is denied"]);
  });

  it("asks about what no rule matches, and denies where nobody can be asked", () => {
    expect(decide(policy, "mail")).toMatchObject({ ...ask, rule: "default" });
    expect(decide(build([], { expiresIn: "30m" }), "mail")).toMatchObject({ expiresIn: 1_800_000 });
    const alone = createPolicy({ rules: [], normalise });
    expect(decide(alone, "mail")).toMatchObject({ outcome: "deny", rule: "default" });
    expect(decide(alone, "mail").reasons[0]).toMatch(/no approvers/);
  });

  it("indeterminate-condition: deny above a limit holds for text and for nothing", () => {
    const limit = build([
      { tool: "pay", when: { amount: { gt: 1000 } }, then: "deny" },
      { tool: "pay", when: { not: { amount: { gt: 1000 } } }, then: "allow" },
    ]);
    for (const args of [{ amount: "5000" }, {}, { amount: null }, { amount: [5000] }, null]) {
      expect(decide(limit, "pay", args).outcome).toBe("deny");
    }
    expect(decide(limit, "pay", { amount: 1000 }).outcome).toBe("allow");
  });

  it("prototype-ids: tools named like members of Object are ordinary", () => {
    const odd = build([{ tool: "constructor", then: "deny" }]);
    expect(decide(odd, "constructor").outcome).toBe("deny");
    for (const tool of ["__proto__", "toString", "hasOwnProperty"]) {
      expect(decide(odd, tool)).toMatchObject({ outcome: "ask", rule: "default" });
    }
  });

  it("runtime-override: neither later changes to the rules nor to a decision have an effect", () => {
    const rule = { tool: "pay", then: "deny" as "deny" | "allow", when: { amount: { gt: 5 } } };
    const rules: Rule[] = [rule];
    const fixed = build(rules);
    rule.then = "allow";
    rule.when.amount.gt = 500;
    rules.length = 0;
    expect(decide(fixed, "pay", { amount: 6 }).outcome).toBe("deny");
    const decision = decide(fixed, "mail");
    expect(Object.isFrozen(decision)).toBe(true);
    expect(decision.outcome === "ask" && Object.isFrozen(decision.approvers)).toBe(true);
    expect(Object.isFrozen(decision.reasons)).toBe(true);
  });

  it("has a version that follows rules and defaults, not the order of keys", () => {
    const version = (rules: Rule[], options = {}) => build(rules, options).version;
    const one = version([{ tool: "a", then: "deny" }]);
    expect(one).toMatch(/^[\w-]{43}$/);
    expect(version([{ then: "deny", tool: "a" }])).toBe(one);
    expect(version([{ tool: "b", then: "deny" }])).not.toBe(one);
    expect(version([{ tool: "a", then: "deny" }], { expiresIn: "2h" })).not.toBe(one);
    expect(version([{ tool: "a", then: "deny" }], { approvers: ["x"] })).not.toBe(one);
  });
});

describe("generated policies", () => {
  const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>;
  const keys = [
    "all",
    "any",
    "not",
    "eq",
    "in",
    "gt",
    "lte",
    "matches",
    "exists",
    "a",
    "a.b",
    "facts.risk",
    "args",
  ];
  const { garbage } = fc.letrec<{ garbage: unknown }>((tie) => ({
    garbage: fc.oneof(
      { depthSize: "medium" },
      fc.constantFrom<unknown>(
        null,
        undefined,
        1,
        0,
        -1,
        Number.NaN,
        "",
        "a",
        "high",
        "(a+)+",
        "a*",
        true,
        1n,
        /a/,
      ),
      fc.array(tie("garbage"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie("garbage"), { maxKeys: 3, noNullPrototype: false }),
    ),
  }));
  const rule = fc.oneof(
    garbage,
    fc.record(
      {
        tool: fc.constantFrom<unknown>("a", "*", "a*b", "constructor", "", 1),
        then: fc.constantFrom<unknown>("allow", "ask", "deny", "maybe"),
        when: garbage,
        quorum: garbage,
        approvers: garbage,
        expiresIn: garbage,
      },
      { requiredKeys: ["tool", "then"] },
    ),
    fc.record({ tool: fc.constant("a"), then: fc.constantFrom("allow", "ask", "deny"), when: garbage }),
  );

  it("build or throw a ConfigurationError, and what is built always decides", { timeout: 30_000 }, () => {
    let built = 0;
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 3 }), json, (rules, args) => {
        let policy: Policy;
        try {
          policy = build(rules as Rule[]);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigurationError);
          return;
        }
        built++;
        for (const tool of ["a", "ab", "constructor"]) {
          const decision = decide(policy, tool, args);
          expect(["allow", "ask", "deny"]).toContain(decision.outcome);
          expect(decision.reasons.length).toBeGreaterThan(0);
          expect(decision.reasons.every((reason) => reason !== "" && reason.length <= 1000)).toBe(true);
        }
      }),
      { numRuns: 3000 },
    );
    expect(built).toBeGreaterThan(100);
  });

  it("compare equal exactly what has one canonical form", () => {
    fc.assert(
      fc.property(json, json, (expected, actual) => {
        const policy = build([{ tool: "t", when: { value: { eq: expected } }, then: "allow" }]);
        const equal = canonicalJson(expected) === canonicalJson(actual);
        expect(decide(policy, "t", { value: actual }).outcome).toBe(equal ? "allow" : "ask");
        expect(decide(policy, "t", { value: expected }).outcome).toBe("allow");
      }),
    );
  });

  it("mean the same nested and dotted, and by in and by any", () => {
    const name = fc.constantFrom("a", "b", "__proto__", "constructor", "x.y", "0");
    const written = (member: string) => member.replaceAll(".", "\\.");
    fc.assert(
      fc.property(
        name,
        name,
        fc.array(json, { minLength: 1, maxLength: 3 }),
        json,
        (outer, inner, values, value) => {
          const object = (key: string, member: unknown) => Object.fromEntries([[key, member]]);
          const nested = object(`args.${written(outer)}`, object(written(inner), { in: values }));
          const dotted = {
            any: values.map((eq) => object(`args.${written(outer)}.${written(inner)}`, { eq })),
          };
          const args = object(outer, object(inner, value)) as Json;
          for (const then of ["allow", "deny"] as const) {
            const [one, other] = [nested, dotted].map((when) => build([{ tool: "t", when, then } as Rule]));
            expect(decide(one as Policy, "t", args).outcome).toBe(decide(other as Policy, "t", args).outcome);
          }
        },
      ),
    );
  });
});
