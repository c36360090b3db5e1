// A relay that gives one approval out twice: it lies, or it was restored from a copy that is older than the use.
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  type ChainReport,
  createGuard,
  findEquivocation,
  formatConnection,
  type Guard,
  isGuardError,
  readEvidence,
  type Signed,
  verifyChain,
} from "@guard/core";
import { createRelay, type Relay } from "@guard/relay";
import { createBench } from "@guard/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "guard-equivocation-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);
const action = { tool: "refund", args: { amount: 900 } };
const options = { key: "order 7" };

/** Approved and not used: the moment at which the copy was made. */
async function approvedInstallation() {
  const database = at("relay.db");
  const bench = await createBench({ people: ["alice@example.com"], database });
  let relay: Relay = bench.relay;
  const guard = (directory: string): Guard =>
    createGuard({
      connection: formatConnection(bench.connection),
      approvers: ["alice@example.com"],
      directory: at(directory),
      fetch: async (input, init) => relay.fetch(new Request(input, init)),
    });
  const first = guard("first");
  const pending = await first.check(action, options);
  if (pending.status !== "pending") throw new Error(`It is ${pending.status}.`);
  const device = bench.devices.get("alice@example.com");
  if (!device) throw new Error("Alice has no device.");
  const view = await device.get(pending.requestId);
  await device.decide(await device.open(view), { decision: "approve" });
  const roster = bench.owner.roster();
  await first.close();
  await relay.close();
  copyFileSync(database, at("backup.db"));
  return {
    guard,
    roster,
    request: pending.requestId,
    /** Starts the relay over the original (`relay`), or over a fresh copy of the backup. */
    async start(which: "original" | "backup") {
      await relay.close();
      const path = which === "original" ? database : at(`restored-${Math.random()}.db`);
      if (which === "backup") copyFileSync(at("backup.db"), path);
      relay = await createRelay({ database: path, logger: false });
    },
    stop: () => relay.close(),
  };
}

async function runs(guard: Guard): Promise<string> {
  const check = await guard.check(action, options);
  if (check.status !== "ready") return check.status === "denied" ? check.error.code : check.status;
  try {
    return await check.run(() => "ran");
  } catch (error) {
    if (isGuardError(error)) return error.code;
    throw error;
  }
}

describe("consume-equivocation", () => {
  let place: Awaited<ReturnType<typeof approvedInstallation>>;
  let reports: ChainReport[];
  const files = [at("first/evidence/agent.jsonl"), at("second/evidence/agent.jsonl")];

  beforeAll(async () => {
    place = await approvedInstallation();
    await place.start("original");
    const first = place.guard("first");
    expect(await runs(first)).toBe("ran");
    await first.close();
    await place.start("backup");
    const second = place.guard("second");
    // What nobody can prevent without a shared ledger: another process, another chain, a relay that forgot.
    expect(await runs(second)).toBe("ran");
    await second.close();
    reports = await Promise.all(
      files.map((file) => verifyChain(readEvidence(file), { roster: place.roster })),
    );
  });
  afterAll(() => place.stop());

  test("consume-equivocation: the guard that used an approval refuses it after its own restart, and its relay's", async () => {
    await place.start("backup");
    const restarted = place.guard("first");
    expect(await runs(restarted)).toBe("already_executed");
    await restarted.close();
    const report = await verifyChain(readEvidence(files[0] as string), { roster: place.roster });
    expect(report).toMatchObject({ valid: true, calls: { executed: 1 } });
  });

  test("consume-equivocation: each chain is valid by itself, and together their receipts prove it", () => {
    expect(reports.map(({ valid, problems }) => [valid, problems])).toEqual([
      [true, []],
      [true, []],
    ]);
    const found = findEquivocation(reports);
    expect(found).toMatchObject([{ request: place.request }]);
    const uses = found[0]?.uses ?? [];
    expect(uses.map(({ chain }) => chain)).toEqual(reports.map(({ chain }) => chain));
    expect(new Set(uses.map(({ attempt }) => attempt)).size).toBe(2);
    expect(new Set(uses.map(({ relay }) => relay)).size).toBe(1);
  });

  test("one chain, the same chain twice, and chains that were not verified by a roster prove nothing", async () => {
    const [one] = reports as [ChainReport];
    expect(findEquivocation([one])).toEqual([]);
    expect(findEquivocation([one, one])).toEqual([]);
    const unverified = await Promise.all(
      files.map((file) => verifyChain(readEvidence(file), { roster: null })),
    );
    expect(findEquivocation(unverified)).toEqual([]);
  });

  test("consume-equivocation: guard verify with both files says which request was used twice, and fails", async () => {
    writeFileSync(at("roster.json"), JSON.stringify(place.roster.entries satisfies readonly Signed[]));
    const verify = async (...more: string[]) => {
      const main = new URL("../../packages/cli/src/main.ts", import.meta.url).pathname;
      const args = ["--conditions=@guard/source", main, "verify", ...more];
      const pinned = ["--root", place.roster.app, "--roster", at("roster.json")];
      try {
        const { stdout } = await promisify(execFile)(process.execPath, [...args, ...pinned]);
        return { code: 0, out: stdout };
      } catch (error) {
        const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
        return { code, out: stdout + stderr };
      }
    };
    expect(await verify(files[0] as string)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^VALID/),
    });
    const both = await verify(...files);
    expect(both.code).toBe(1);
    expect(both.out).toContain(`USED TWICE   request ${place.request}`);
    expect(both.out.match(/^VALID/gm)).toHaveLength(2);
    const json = JSON.parse((await verify(...files, "--json")).out);
    expect(json.equivocations).toEqual(JSON.parse(JSON.stringify(findEquivocation(reports))));
    expect(json.files.map(({ file }: { file: string }) => file)).toEqual(files);
    expect(await verify(...files, "--checkpoint", `${files[0]}.checkpoint`)).toMatchObject({
      code: 1,
      out: expect.stringContaining("one file"),
    });
  }, 60_000);
});
