import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { digestOf } from "../crypto/hash.ts";
import { type Signed, signObject } from "../crypto/signed.ts";
import {
  type EnrolledDevice,
  growingRoster,
  newSigner,
  start,
  type World,
} from "../roster/roster.fixture.ts";
import { appendEntry, signEntry } from "../roster/roster.ts";
import { cases, type Device, type Vote } from "./outcome.cases.ts";
import { expiryGrace, outcomeOf, verifyAnswer, verifyAnswers, whyNotCounted } from "./outcome.ts";
import type { Statement } from "./statement.ts";
import { eligible, type Terms, termsSchema } from "./terms.ts";

const digest = digestOf;
const person = (letter: string) => `${letter}@example.com`;
const expiresAt = start + 3_600_000;
const asked = digest("asked");

let world: World;
const devices = new Map<Device, EnrolledDevice>();

beforeAll(async () => {
  world = await growingRoster();
  for (const letter of ["a", "b", "c", "r", "o", "g"] as const) {
    devices.set(letter, await world.enrol(person(letter), letter === "b" ? "webauthn" : "ed25519"));
  }
  devices.set("a2", await world.enrol(person("a"), "webauthn"));
  const lost = await world.enrol(person("a"));
  devices.set("x", lost);
  const gone = { kind: "identity", id: person("g") } as const;
  await world.append({ kind: "revoke", target: { kind: "device", id: lost.device }, reason: "lost" });
  await world.append({ kind: "revoke", target: gone, reason: "left" });
  devices.set("unknown", { ...lost, device: digest("nobody"), signer: await newSigner() });
});

const termsOf = (more: Partial<Terms> = {}): Terms => ({
  approvers: ["a", "b", "c", "g", "r"].map(person),
  quorum: 1,
  rejections: 1,
  editable: false,
  requester: null,
  ...more,
});

const questionOf = (terms: Partial<Terms> = {}) => ({
  app: world.app,
  request: digest("request"),
  requestDigest: digest("paper"),
  actionDigest: asked,
  terms: termsOf(terms),
  expiresAt,
});

function statementOf(vote: Vote): Statement {
  const from = devices.get(vote.from) as EnrolledDevice;
  const lies = Object.entries(vote.lies ?? {}).map(([name, word]) => [name, digest(word)] as const);
  const statement: Statement = {
    type: "guard/v1/statement",
    app: world.app,
    request: digest("request"),
    requestDigest: digest("paper"),
    actionDigest: asked,
    effective: vote.edit === undefined ? asked : digest(vote.edit),
    decision: vote.decision ?? "approve",
    response: vote.edit === undefined ? null : digest("reply"),
    identity: from.identity,
    device: from.device,
    roster: world.roster.head,
    time: vote.late === undefined ? start : expiresAt + vote.late,
    ...Object.fromEntries(lies),
    ...(vote.identity === undefined ? {} : { identity: vote.identity }),
    ...(vote.response === undefined ? {} : { response: vote.response }),
  };
  // An answer to another action approves that one.
  return vote.lies?.actionDigest ? { ...statement, effective: statement.actionDigest } : statement;
}

const signed = (vote: Vote, by = vote.from): Promise<Signed> =>
  signObject((devices.get(by) as EnrolledDevice).signer, statementOf(vote));

describe("what statements add up to", () => {
  it.each(cases)("$title: $status", async ({ terms, votes, status, by = "", edit }) => {
    const question = questionOf(terms);
    const statements = votes.map(statementOf);
    const effective =
      status === "approved" || status === "superseded" ? (edit === undefined ? asked : digest(edit)) : null;
    const expected = { status, effective, by: [...by].map(person) };
    expect(outcomeOf(question, world.roster, statements, start)).toEqual(expected);
    expect(outcomeOf(question, world.roster, statements.toReversed(), start)).toEqual(expected);
    // Verified from the wire, it comes to the same.
    const verified = await verifyAnswers(
      question,
      world.roster,
      await Promise.all(votes.map((v) => signed(v))),
    );
    expect(outcomeOf(question, world.roster, verified, start)).toEqual(expected);
    // Time decides between pending and expired alone.
    const after = status === "pending" ? { ...expected, status: "expired" } : expected;
    expect(outcomeOf(question, world.roster, statements, expiresAt)).toEqual(after);
    expect(outcomeOf(question, world.roster, statements, expiresAt - 1)).toEqual(expected);
  });

  it("the grace for late statements is a minute", () => {
    expect(expiryGrace).toBe(60_000);
  });

  it("prototype-ids: an approver called constructor is no more and no less than any", () => {
    const statement = { ...statementOf({ from: "a" }), identity: "constructor", device: "__proto__" };
    const question = questionOf({ approvers: ["__proto__", "constructor"] });
    expect(whyNotCounted(question, world.roster, statement)).toMatch(/not on the roster/);
  });
});

describe("forged-outcome: a statement is believed by its signature", () => {
  it("signed by its device, and by no other", async () => {
    const question = questionOf();
    for (const from of ["a", "a2", "b"] as const) {
      expect(await verifyAnswer(question, world.roster, await signed({ from }))).toMatchObject({
        decision: "approve",
      });
      expect(await verifyAnswer(question, world.roster, await signed({ from }, "o"))).toBe(null);
      expect(await verifyAnswer(question, world.roster, await signed({ from }, "c"))).toBe(null);
    }
  });

  it("flipped, or moved to another signature, it is left out", async () => {
    const question = questionOf();
    const [yes, no] = [await signed({ from: "a" }), await signed({ from: "a", decision: "reject" })];
    const flipped = { ...no, body: no.body.replace('"reject"', '"approve"') };
    expect(flipped.body).toBe(yes.body);
    const wrong: Signed[] = [
      flipped,
      { ...yes, signature: no.signature },
      { ...yes, signature: (await signed({ from: "b" })).signature },
      { ...yes, signature: "" },
      { ...yes, body: `${yes.body} ` },
      { ...yes, body: "{}" },
      { ...yes, body: "" },
      { ...yes, body: yes.body.replace("guard/v1/statement", "guard/v2/statement") },
    ];
    expect(await verifyAnswers(question, world.roster, wrong)).toEqual([]);
    expect(await verifyAnswers(question, world.roster, [...wrong, yes])).toHaveLength(1);
  });

  it("revoked-device: the same statement counts before the revocation and not after it", async () => {
    const { device } = devices.get("c") as EnrolledDevice;
    const answer = await signed({ from: "c" });
    const revoke = { kind: "revoke", target: { kind: "device", id: device }, reason: null } as const;
    const entry = await signEntry(world.roster, revoke, { ...world.asRoot, now: start });
    const now = await appendEntry(world.roster, entry);
    expect(await verifyAnswer(questionOf(), world.roster, answer)).not.toBe(null);
    expect(await verifyAnswer(questionOf(), now, answer)).toBe(null);
  });
});

describe("properties of counting", () => {
  const vote: fc.Arbitrary<Vote> = fc.record(
    {
      from: fc.constantFrom<Device>("a", "a2", "b", "c", "r", "o", "g", "x", "unknown"),
      decision: fc.constantFrom("approve", "reject"),
      edit: fc.constantFrom("less", "none"),
      late: fc.constantFrom(0, 1, 60_000, 60_001),
      lies: fc.constantFrom<NonNullable<Vote["lies"]>>(
        { request: "o" },
        { requestDigest: "o" },
        { app: "o" },
      ),
    },
    { requiredKeys: ["from"] },
  );
  const terms = fc.record({
    quorum: fc.integer({ min: 1, max: 3 }),
    rejections: fc.integer({ min: 1, max: 3 }),
    editable: fc.boolean(),
    requester: fc.constantFrom(null, person("r"), person("a")),
  });
  const votes = fc.array(vote, { maxLength: 8 });
  const outcome = (t: Partial<Terms>, statements: readonly Statement[], now = start) =>
    outcomeOf(questionOf(t), world.roster, statements, now);

  it("order makes no difference, and neither does repetition", () => {
    fc.assert(
      fc.property(terms, votes, fc.infiniteStream(fc.nat()), (t, list, weights) => {
        const statements = list.map(statementOf);
        const shuffled = [...statements, ...statements]
          .map((s) => [weights.next().value as number, s] as const)
          .sort(([a], [b]) => a - b)
          .map(([, s]) => s);
        expect(outcome(t, shuffled)).toEqual(outcome(t, statements));
      }),
      { numRuns: 300 },
    );
  });

  it("a statement that does not count changes nothing", () => {
    fc.assert(
      fc.property(terms, votes, (t, list) => {
        const statements = list.map(statementOf);
        const counted = statements.filter((s) => whyNotCounted(questionOf(t), world.roster, s) === null);
        expect(outcome(t, statements)).toEqual(outcome(t, counted));
      }),
      { numRuns: 300 },
    );
  });

  it("approved means that enough distinct approvers said yes, none of them the requester", () => {
    fc.assert(
      fc.property(terms, votes, (t, list) => {
        const { status, by, effective } = outcome(t, list.map(statementOf));
        if (status !== "approved") return;
        expect(new Set(by).size).toBeGreaterThanOrEqual(t.quorum);
        for (const name of by) expect(eligible(termsOf(t))).toContain(name);
        if (!t.editable || t.quorum > 1) expect(effective).toBe(asked);
      }),
      { numRuns: 300 },
    );
  });

  it("a further no never turns anything into a yes", () => {
    fc.assert(
      fc.property(terms, votes, fc.constantFrom<Device>("a", "b", "c", "r"), (t, list, from) => {
        const before = outcome(t, list.map(statementOf));
        const after = outcome(t, [...list, { from, decision: "reject" as const }].map(statementOf));
        if (after.status === "approved" && after.effective === asked) expect(before.status).toBe("approved");
        if (before.status === "rejected") expect(after.status).toBe("rejected");
      }),
      { numRuns: 300 },
    );
  });
});

describe("threshold-zero: terms", () => {
  const ok = (terms: unknown) => z.safeParse(termsSchema, terms).success;

  it("are refused where nobody, everybody or the same person twice would decide", () => {
    expect(ok(termsOf())).toBe(true);
    expect(ok(termsOf({ quorum: 5 }))).toBe(true);
    for (const wrong of [0, -1, 1.5, 6, Number.NaN, Infinity, "1", null, undefined]) {
      expect(ok({ ...termsOf(), quorum: wrong })).toBe(false);
    }
    for (const wrong of [0, -1, 0.5, Number.NaN, "1", null]) {
      expect(ok({ ...termsOf(), rejections: wrong })).toBe(false);
    }
    for (const approvers of [
      [],
      [""],
      ["b", "a"],
      ["a", "a"],
      ["a".repeat(321)],
      Array.from({ length: 101 }, (_, i) => `p${String(i).padStart(3, "0")}`),
    ]) {
      expect(ok(termsOf({ approvers }))).toBe(false);
    }
    expect(ok({ ...termsOf(), force: true })).toBe(false);
    expect(ok({ ...termsOf(), editable: "yes" })).toBe(false);
  });

  it("self-approval: the requester is not counted among those who could make the quorum", () => {
    const requester = person("r");
    expect(ok(termsOf({ requester, quorum: 4 }))).toBe(true);
    expect(ok(termsOf({ requester, quorum: 5 }))).toBe(false);
    expect(ok(termsOf({ requester, approvers: [requester] }))).toBe(false);
  });
});
