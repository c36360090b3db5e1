/**
 * Verifying a chain of 100,000 events that a guard wrote, read from a file: links and order alone, and with
 * every signature by the roster. Beside it, what SHA-256 over the same lines takes.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChainReport, type Roster, readEvidence, verifyChain } from "@guard/core";
import { testGuard } from "@guard/testing";
import { median, print } from "../figure.ts";

const events = 100_000;
const runs = 5;
const { guard, evidence, bench, close } = await testGuard({ policy: [{ tool: "lookup*", then: "allow" }] });
const lookup = guard.protect("lookup", (args: { order: string }) => ({ found: args.order }));
for (let n = 0; evidence.lines.length < events; n++) {
  await lookup({ order: `A-${n}` });
  // The signature over the chain's head is made behind the call's back.
  await new Promise((resolve) => setImmediate(resolve));
}
await close();
const lines = evidence.lines.slice(0, events);
const directory = mkdtempSync(join(tmpdir(), "guard-bench-"));
const file = join(directory, "support.jsonl");
writeFileSync(file, `${lines.join("\n")}\n`);

/** Seconds for one verification. */
async function verify(roster: Roster | null): Promise<{ seconds: number; report: ChainReport }> {
  const start = performance.now();
  const report = await verifyChain(readEvidence(file), { roster });
  const seconds = (performance.now() - start) / 1000;
  if (!report.valid || report.events !== events) throw new Error(report.problems.join("\n"));
  return { seconds, report };
}
function hashing(): number {
  const start = performance.now();
  for (const line of lines) createHash("sha256").update(line).digest("hex");
  return (performance.now() - start) / 1000;
}

const times: Record<"links" | "all" | "sha", number[]> = { links: [], all: [], sha: [] };
let checkpoints = 0;
for (let run = -1; run < runs; run++) {
  const links = await verify(null);
  const all = await verify(bench.owner.roster());
  const sha = hashing();
  checkpoints = all.report.checkpoints;
  if (run < 0) continue;
  times.links.push(links.seconds);
  times.all.push(all.seconds);
  times.sha.push(sha);
}
rmSync(directory, { recursive: true });
const share = (seconds: readonly number[]) => Math.round((100 * median(times.sha)) / median(seconds));
const goal = 100_000;
print({
  name: "verify a chain of 100,000 events, links and order",
  value: events / median(times.links),
  unit: "events/s",
  goal,
  better: "higher",
  against: { name: "SHA-256 of the same lines", value: events / median(times.sha), unit: "events/s" },
  detail: { "share in SHA-256, %": share(times.links) },
});
print({
  name: "verify a chain of 100,000 events, with every signature",
  value: events / median(times.all),
  unit: "events/s",
  goal,
  better: "higher",
  detail: { "share in SHA-256, %": share(times.all), checkpoints },
});
