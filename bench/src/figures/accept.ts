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
// One agent a connection, as they would come.
const agents = 64;
const each = 100;
const runs = 3;
const approvers = ["alice@example.com", "bob@example.com", "carol@example.com"];

interface Call {
  readonly token: string;
  readonly body: Buffer;
}

/** `count` requests of a new agent, ready to be posted. */
async function requestsOf(owner: Owner, name: string, count: number): Promise<Call[]> {
  const { app, agent, seed, token } = await owner.addAgent(name);
  const keys = await agentKeys(fromBase64url(seed));
  const roster = owner.roster();
  const devices = approvers.flatMap((identity) => roster.devicesOf(identity));
  const made: Call[] = [];
  for (let n = 0; n < count; n++) {
    const asked = {
      keys,
      app,
      agent,
      key: `k${n}`,
      args: oneKiB(n),
      devices,
      approvers,
      roster: roster.head,
    };
    const { header, envelope } = await sealed(asked);
    made.push({ token, body: Buffer.from(JSON.stringify({ header, ...envelope })) });
  }
  return made;
}

/** The same of several agents, mixed as they would come. */
async function mixed(owner: Owner, run: number, count: number): Promise<Call[]> {
  const all: Call[][] = [];
  for (let n = 0; n < agents; n++) all.push(await requestsOf(owner, `agent-${run}-${n}`, count));
  return Array.from({ length: count }, (_, n) => all.map((calls) => calls[n] as Call)).flat();
}

/** Posts all calls, 64 at a time; returns how many a second were answered with 201. */
async function post(url: string, calls: readonly Call[]): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const left = calls.values();
  const one = ({ token, body }: Call) =>
    new Promise<void>((resolve, reject) => {
      const headers = {
        "content-type": "application/json",
        "content-length": body.length,
        authorization: `Bearer ${token}`,
      };
      const call = send(url, { agent, method: "POST", headers });
      call.on("error", reject);
      call.on("response", (response) => {
        response.resume();
        response.on("end", () =>
          response.statusCode === 201 ? resolve() : reject(new Error(`status ${response.statusCode}`)),
        );
      });
      call.end(body);
    });
  const start = performance.now();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (const call of left) await one(call);
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  agent.destroy();
  return calls.length / seconds;
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
  const calls = await mixed(installation.owner, run + 1, run < 0 ? 10 : each);
  const before = await installation.usage();
  const relay = await post(`${installation.url}/v1/requests`, calls);
  const after = await installation.usage();
  const beside = await post(emptyUrl, calls);
  if (run < 0) continue;
  rates.relay.push(relay);
  rates.empty.push(beside);
  cpu.push((after.cpu - before.cpu) / calls.length);
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
