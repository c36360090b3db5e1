/**
 * Requests that the relay takes durably (SQLite, synchronous FULL), sealed to three devices each, the agent's
 * signature checked, 64 under way at a time. Beside it, in the same run, an empty route that reads the same
 * bodies behind the same kind of server.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { Agent, request as send } from "node:http";
import { join } from "node:path";
import { agentKeys, fromBase64url, type Owner } from "@guard/core";
import { enrolOwn, memoryDeviceStore } from "@guard/device";
import { oneKiB, sealed } from "../asking.ts";
import { median, print } from "../figure.ts";
import { startInstallation } from "../installation.ts";

const concurrency = 64;
const each = 6000;
const runs = 3;
const approvers = ["alice@example.com", "bob@example.com", "carol@example.com"];

async function bodies(owner: Owner, count: number): Promise<{ token: string; bodies: Buffer[] }> {
  const { app, agent, seed, token } = await owner.addAgent(`agent-${Math.random().toString(36).slice(2, 8)}`);
  const keys = await agentKeys(fromBase64url(seed));
  const roster = owner.roster();
  const devices = approvers.flatMap((identity) => roster.devicesOf(identity));
  const made: Buffer[] = [];
  for (let n = 0; n < count; n++) {
    const { header, envelope } = await sealed({
      keys,
      app,
      agent,
      key: `k${n}`,
      args: oneKiB(n),
      devices,
      approvers,
      roster: roster.head,
    });
    made.push(Buffer.from(JSON.stringify({ header, ...envelope })));
  }
  return { token, bodies: made };
}

/** Posts all bodies, 64 at a time; returns how many a second were answered with `status`. */
async function post(url: string, token: string, bodies: readonly Buffer[], status: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const left = bodies.values();
  const one = (body: Buffer) =>
    new Promise<void>((resolve, reject) => {
      const call = send(url, {
        agent,
        method: "POST",
        headers: {
          "content-type": "application/json",
          "content-length": body.length,
          authorization: `Bearer ${token}`,
        },
      });
      call.on("error", reject);
      call.on("response", (response) => {
        response.resume();
        response.on("end", () =>
          response.statusCode === status ? resolve() : reject(new Error(`status ${response.statusCode}`)),
        );
      });
      call.end(body);
    });
  const start = performance.now();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (const body of left) await one(body);
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  agent.destroy();
  return bodies.length / seconds;
}

const installation = await startInstallation();
const empty = fork(join(import.meta.dirname, "..", "processes", "empty.ts"));
const [emptyUrl] = (await once(empty, "message")) as [string];
for (const identity of approvers) {
  await enrolOwn(installation.owner, { identity, name: "phone", store: memoryDeviceStore() });
}
const rates: Record<"relay" | "empty", number[]> = { relay: [], empty: [] };
const cpu: number[] = [];
for (let run = -1; run < runs; run++) {
  const { token, bodies: all } = await bodies(installation.owner, run < 0 ? 1000 : each);
  const before = await installation.usage();
  const relay = await post(`${installation.url}/v1/requests`, token, all, 201);
  const after = await installation.usage();
  const beside = await post(emptyUrl, token, all, 201);
  if (run < 0) continue;
  rates.relay.push(relay);
  rates.empty.push(beside);
  cpu.push((after.cpu - before.cpu) / all.length);
}
empty.disconnect();
await installation.close();
const relay = median(rates.relay);
const beside = median(rates.empty);
print({
  name: "durable requests accepted, 3 devices each, 64 at a time",
  value: relay,
  unit: "requests/s",
  goal: 2000,
  better: "higher",
  detail: { "relay's processor time for one, µs": Math.round(median(cpu)) },
});
print({
  name: "durable requests accepted, over an empty POST route",
  value: (100 * relay) / beside,
  unit: "%",
  goal: 20,
  better: "higher",
  against: { name: "empty POST route, same body", value: beside, unit: "requests/s" },
});
