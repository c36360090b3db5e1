/** Reads the vectors of statements and outcomes. */
import { type Header, outcomeOf, type Signed, type Statement, verifyAnswer } from "@guard/core";
import { expect, test } from "vitest";
import { type Case, load, rosterAt } from "./shared.ts";

type Question = Pick<Header, "app" | "request" | "requestDigest" | "actionDigest" | "terms" | "expiresAt">;

export function readStatements(file: string) {
  const { question, cases } = load<{
    question: Question;
    cases: (Case & { roster: number; statement: Signed; counts: boolean })[];
  }>(file);
  test.each(cases)("$name", async ({ roster, statement, counts }) => {
    expect((await verifyAnswer(question, await rosterAt(roster), statement)) !== null).toBe(counts);
  });
}

export function readOutcomes(file: string) {
  const { question, cases } = load<{
    question: Omit<Question, "terms">;
    cases: (Case & {
      terms: Question["terms"];
      roster: number;
      now: number;
      statements: Statement[];
      outcome: object;
    })[];
  }>(file);
  test.each(cases)("$name", async ({ terms, roster, now, statements, outcome }) => {
    const by = await rosterAt(roster);
    const asked = { ...question, terms };
    expect(outcomeOf(asked, by, statements, now)).toEqual(outcome);
    expect(outcomeOf(asked, by, [...statements].reverse(), now)).toEqual(outcome);
  });
}
