/** Reads the vectors of evidence. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBase64url, type Roster, readEvidence, readRoster, type Signed, verifyChain } from "@guard/core";
import { expect, test } from "vitest";
import { type Case, load, rosterAt, taken } from "./shared.ts";

export function readChains(file: string) {
  const { app, rosters, cases } = load<{
    app: string;
    rosters: Record<string, Signed[]>;
    cases: (Case & {
      roster: string | null;
      checkpoint: Signed | null;
      lines: string[];
      expected: { error?: true; firstBad: number | null };
    })[];
  }>(file);
  const read = new Map<string, Promise<Roster>>();
  test.each(cases)("$name", async ({ roster, checkpoint, lines, expected }) => {
    const entries = roster === null ? null : (rosters[roster] as Signed[]);
    let by: Roster | null = null;
    if (roster !== null && entries !== null) {
      if (!read.has(roster))
        read.set(roster, readRoster(entries, { app: roster === "stranger" ? appOfFirst(entries) : app }));
      by = (await read.get(roster)) as Roster;
    }
    const verify = () => verifyChain(lines, { roster: by, checkpoint });
    if (expected.error) return expect(await taken(verify)).toBe(false);
    const report = await verify();
    expect({ ...report, firstBad: report.firstBad?.seq ?? null }).toMatchObject(expected);
  });
}

export function readFiles(file: string) {
  const { cases } = load<{ cases: (Case & { bytes: string; expected: object })[] }>(file);
  test.each(cases)("$name", async ({ bytes, expected }) => {
    const folder = await mkdtemp(join(tmpdir(), "guard-vectors-"));
    try {
      const path = join(folder, "chain.jsonl");
      await writeFile(path, fromBase64url(bytes));
      const report = await verifyChain(readEvidence(path), { roster: await rosterAt(23) });
      expect({ ...report, firstBad: report.firstBad?.seq ?? null }).toMatchObject(expected);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

const appOfFirst = (entries: readonly Signed[]) =>
  (JSON.parse((entries[0] as Signed).body) as { app: string }).app;
