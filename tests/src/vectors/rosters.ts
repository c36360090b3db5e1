/** Reads the vectors of rosters and enrolments. */
import {
  deviceIdOf,
  fingerprint,
  type Invitation,
  readRoster,
  type Signed,
  verifyEnrolment,
} from "@guard/core";
import { expect, test } from "vitest";
import { type Case, load, taken } from "./shared.ts";

export function readRosters(file: string) {
  const { app, chain, head, state, cases } = load<{
    app: string;
    chain: Signed[];
    head: object;
    state: { agents: object[]; devices: object[]; identities: object[]; relays: object[]; rootKey: object };
    cases: (Case & { after: number; entries: Signed[]; valid: boolean; firstBad?: number })[];
  }>(file);
  test.each(cases)("$name", async ({ after, entries, valid, firstBad }) => {
    const all = [...chain.slice(0, after), ...entries];
    expect(await taken(() => readRoster(all, { app }))).toBe(valid);
    if (firstBad !== undefined && firstBad > 0) await readRoster(all.slice(0, firstBad), { app });
  });
  test("what the whole chain says", async () => {
    const roster = await readRoster(chain, { app });
    expect(roster.head).toEqual(head);
    expect(roster.rootKey).toEqual(state.rootKey);
    const pairs = [
      [roster.agents(), state.agents],
      [roster.devices(), state.devices],
      [roster.identities(), state.identities],
      [roster.relays(), state.relays],
    ] as const;
    for (const [records, said] of pairs) expect(records).toMatchObject(said);
  });
}

export function readEnrolments(file: string) {
  const all = load<{
    invitation: Invitation;
    fingerprint: string;
    cases: (Case & { now: number; enrolment: Signed; valid: boolean })[];
  }>(file);
  test.each(all.cases)("$name", async ({ now, enrolment, valid }) => {
    expect(await taken(() => verifyEnrolment(all.invitation, enrolment, now))).toBe(valid);
  });
  test("the fingerprint of the first", async () => {
    const { now, enrolment } = all.cases[0] as (typeof all.cases)[number];
    const device = deviceIdOf(await verifyEnrolment(all.invitation, enrolment, now));
    expect(fingerprint(device)).toBe(all.fingerprint);
  });
}
