import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { readEvidence, verifyChain } from "@guard/core";
import { testGuard } from "@guard/testing";

const { guard, evidence, bench, close } = await testGuard({ policy: [{ tool: "lookup*", then: "allow" }] });
const lookup = guard.protect("lookup", (args: { order: string }) => ({ found: args.order }));
const g0 = performance.now();
const gc0 = process.cpuUsage();
for (let n = 0; evidence.lines.length < 100000; n++)
  await lookup({ order: `A-${n}` }), await new Promise((r) => setImmediate(r));
const gc = process.cpuUsage(gc0);
console.log("gate calls", (performance.now() - g0).toFixed(0), "ms", "cpu", (gc.user + gc.system) / 1000);
await close();
const lines = evidence.lines.slice(0, 100000);
writeFileSync("/tmp/guard/c.jsonl", lines.join("\n") + "\n");
console.log(
  lines.length,
  lines.filter((l) => l.includes("CHECKPOINT")).length,
  "bytes",
  lines.join("").length / lines.length,
);
const s = new Session();
s.connect();
await s.post("Profiler.enable");
rmSync("/tmp/guard/prof", { recursive: true, force: true });
mkdirSync("/tmp/guard/prof");
for (const r of [null, bench.owner.roster()])
  for (let k = 0; k < 3; k++) {
    if (k == 2) await s.post("Profiler.start");
    const c0 = process.cpuUsage(),
      t0 = performance.now();
    const rep = await verifyChain(readEvidence("/tmp/guard/c.jsonl"), { roster: r });
    const c = process.cpuUsage(c0);
    console.log(
      r ? "all" : "links",
      rep.valid,
      (performance.now() - t0).toFixed(0),
      "cpu ms",
      (c.user + c.system) / 1000,
    );
    if (k == 2) {
      const { profile } = await s.post("Profiler.stop");
      writeFileSync(`/tmp/guard/prof/${r ? "all" : "links"}.cpuprofile`, JSON.stringify(profile));
    }
  }
process.exit(0);
