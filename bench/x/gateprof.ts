import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { testGuard } from "@guard/testing";
import { oneKiB } from "../src/asking.ts";
const args = oneKiB();
const policy: any[] = [
  ...Array.from({ length: 99 }, (_, n) => ({
    tool: "refund",
    when: { currency: { in: ["EUR", "CHF"] }, amount: { gt: 1000 + n } },
    then: "deny",
    reason: "x",
  })),
  { tool: "refund", when: { amount: { lte: 1000 } }, then: "allow" },
];
const { guard, close } = await testGuard({ policy });
const f = guard.protect("refund", async (a: any) => a);
const turn = () => new Promise((r) => setImmediate(r));
for (let i = 0; i < 2000; i++) {
  await f(args);
  if (i % 1 == 0) await turn();
}
const s = new Session();
s.connect();
await s.post("Profiler.enable");
rmSync("/tmp/guard/prof", { recursive: true, force: true });
mkdirSync("/tmp/guard/prof");
await s.post("Profiler.setSamplingInterval", { interval: 200 });
await s.post("Profiler.start");
const c0 = process.cpuUsage();
const t = [];
for (let i = 0; i < 6000; i++) {
  const a = performance.now();
  await f(args);
  t.push(performance.now() - a);
  await turn();
}
const c = process.cpuUsage(c0);
t.sort((a, b) => a - b);
console.log(
  "p50 µs",
  (1000 * t[3000]).toFixed(0),
  "min",
  (1000 * t[60]).toFixed(0),
  "cpu/call",
  ((c.user + c.system) / 6000).toFixed(0),
);
const { profile } = await s.post("Profiler.stop");
writeFileSync("/tmp/guard/prof/g.cpuprofile", JSON.stringify(profile));
await close();
process.exit(0);
