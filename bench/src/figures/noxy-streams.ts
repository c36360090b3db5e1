/**
 * 5,000 devices of the Noxy wire that wait for decisions, each with one stream on a connection of its own: what
 * the relay's process holds, and what it does while nothing happens but keep-alives. The devices are bare
 * HTTP/2 in five processes.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { print } from "../figure.ts";
import { startInstallation } from "../installation.ts";
import { enable } from "../noxy.ts";
import type { Connected, Wanted } from "../processes/noxy-devices.ts";

const processes = 5;
const devicesOfProcess = 1000;
const devices = processes * devicesOfProcess;
/** Two rounds of keep-alives, in milliseconds. */
const quiet = 61_000;

const installation = await startInstallation();
await enable(installation.owner);
const { app } = await installation.owner.addAgent("agent");
const before = await installation.usage({ collect: true });
const children: ChildProcess[] = [];

async function said(child: ChildProcess): Promise<Connected> {
  const [connected] = (await once(child, "message")) as [Connected];
  return connected;
}

/** What all of them have said; asked anew. */
async function count(): Promise<Connected> {
  const all = await Promise.all(
    children.map((child) => {
      child.send("count");
      return said(child);
    }),
  );
  const sum = (of: (one: Connected) => number) => all.reduce((total, one) => total + of(one), 0);
  return { connected: sum((one) => one.connected), keepAlives: sum((one) => one.keepAlives) };
}

for (let n = 0; n < processes; n++) {
  const child = fork(join(import.meta.dirname, "..", "processes", "noxy-devices.ts"));
  child.once("exit", (code) => {
    if (code !== 0) throw new Error(`The devices of a process ended with ${code}.`);
  });
  children.push(child);
  const first = n * devicesOfProcess;
  child.send({ url: installation.url, app, devices: devicesOfProcess, first } satisfies Wanted);
  await said(child);
}
await pause(2000);
await count();
const start = await installation.usage({ collect: true });
const at = performance.now();
await pause(quiet);
const end = await installation.usage();
const seconds = (performance.now() - at) / 1000;
const { connected, keepAlives } = await count();
for (const child of children) child.disconnect();
await installation.close();
if (connected < devices) throw new Error(`Only ${connected} devices are still connected.`);
if (keepAlives < devices) throw new Error(`Only ${keepAlives} keep-alives arrived.`);
const megabytes = (bytes: number) => bytes / 1e6;
print({
  name: "relay with 5,000 devices of Noxy's wire, one connection each: memory",
  value: megabytes(end.rss),
  unit: "MB",
  goal: 600,
  better: "lower",
  detail: {
    "before the devices, MB": Math.round(megabytes(before.rss)),
    "at the start of the quiet time, MB": Math.round(megabytes(start.rss)),
    connections: connected,
  },
});
print({
  name: "relay with 5,000 devices of Noxy's wire, one connection each: processor",
  value: (100 * (end.cpu - start.cpu)) / 1e6 / seconds,
  unit: "% of a core",
  goal: null,
  better: "lower",
  detail: { "keep-alives": keepAlives },
});
