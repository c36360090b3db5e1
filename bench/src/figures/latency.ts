/**
 * From a person's answer to the agent's run, while 1,000 agents wait: relay, agents and people's devices are
 * processes of their own, over loopback. Beside it, in the same run, how long agents would have waited that ask
 * the same relay for the same requests by the published poll schedules.
 *
 * The time begins when the device begins to sign, so it holds the device's and the relay's work as well.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import {
  type Connection,
  createRelayClient,
  formatConnection,
  type Owner,
  requestViewSchema,
} from "@guard/core";
import { type Device, enrolOwn, memoryDeviceStore, openDevice } from "@guard/device";
import { clock, percentile, print } from "../figure.ts";
import { startInstallation } from "../installation.ts";
import type { Said } from "../processes/agents.ts";

const apps = 20;
const agentsOfApp = 50;
const answers = 200;
/** Answers come at random moments of this span, in milliseconds. */
const span = 70_000;
const schedules: Record<string, (polls: number) => number> = {
  "polling, 400 ms × 1.6 to 30 s": (polls) => Math.min(30_000, 400 * 1.6 ** polls),
  "polling, every 2 s": () => 2000,
  "polling, every 5 s": () => 5000,
};

interface Waiting {
  readonly connection: Connection;
  readonly device: Device;
  request: string;
  decidedAt: number;
}

async function staffed(owner: Owner): Promise<Waiting[]> {
  const store = memoryDeviceStore();
  const profile = await enrolOwn(owner, { identity: "alice@example.com", name: "phone", store });
  const made: Waiting[] = [];
  for (let n = 0; n < agentsOfApp; n++) {
    const connection = await owner.addAgent(`agent-${n}`);
    made.push({ connection, device: undefined as unknown as Device, request: "", decidedAt: 0 });
  }
  const device = await openDevice({ profile, store });
  return made.map((each) => ({ ...each, device }));
}

/** Asks by a schedule from now on; returns how long after the decision the answer was seen. */
async function poll(waiting: Waiting, schedule: (polls: number) => number): Promise<number> {
  const { relay, token } = waiting.connection;
  const client = createRelayClient({ url: relay, token });
  const path = `/v1/requests/${waiting.request}`;
  for (let polls = 0; ; polls++) {
    await pause(schedule(polls));
    const { value } = await client.call("GET", path, { schema: requestViewSchema });
    if (value.state !== "pending") return clock() - waiting.decidedAt;
  }
}

const installation = await startInstallation();
const all: Waiting[] = [];
for (let n = 0; n < apps; n++)
  all.push(...(await staffed(n === 0 ? installation.owner : await installation.found())));
const agents = fork(join(import.meta.dirname, "..", "processes", "agents.ts"));
const ran = all.map(() => Promise.withResolvers<number>());
const asked = Promise.withResolvers<void>();
let count = 0;
agents.on("message", (said: Said) => {
  const waiting = all[said.agent] as Waiting;
  if (said.kind === "ran") return ran[said.agent]?.resolve(said.at);
  waiting.request = said.request;
  if (++count === all.length) asked.resolve();
});
agents.send(all.map((each) => formatConnection(each.connection)));
await Promise.race([
  asked.promise,
  once(agents, "exit").then(() => Promise.reject(new Error("The agents ended."))),
]);

// One answer of every fifth agent, at random moments.
const pushed: number[] = [];
const polled: Record<string, number[]> = {};
await Promise.all(
  all
    .filter((_, n) => n % (all.length / answers) === 0)
    .map(async (waiting) => {
      const polls = Object.entries(schedules).map(async ([name, schedule]) => {
        polled[name] ??= [];
        polled[name].push(await poll(waiting, schedule));
      });
      await pause(Math.random() * span);
      const opened = await waiting.device.open(await waiting.device.get(waiting.request));
      waiting.decidedAt = clock();
      await waiting.device.decide(opened, { decision: "approve" });
      pushed.push(((await ran[all.indexOf(waiting)]?.promise) as number) - waiting.decidedAt);
      await Promise.all(polls);
    }),
);
agents.disconnect();
await installation.close();
print({
  name: "from a person's answer to the agent's run, 1,000 agents waiting, p95",
  value: percentile(pushed, 0.95),
  unit: "ms",
  goal: 50,
  better: "lower",
  detail: { "p50, ms": Math.round(percentile(pushed, 0.5)), answers: pushed.length },
});
for (const [name, samples] of Object.entries(polled)) {
  print({
    name: `the same answers, ${name}, p95`,
    value: percentile(samples, 0.95),
    unit: "ms",
    goal: null,
    better: "lower",
    detail: { "p50, ms": Math.round(percentile(samples, 0.5)) },
  });
}
