/**
 * 10,000 agents that wait, each with one open request and one stream: what the relay's process holds, and what
 * it does while nothing happens but keep-alives.
 */

import { type ClientRequest, type IncomingMessage, request as send } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import {
  agentKeys,
  type Connection,
  createRelayClient,
  fromBase64url,
  type Owner,
  requestViewSchema,
} from "@guard/core";
import { enrolOwn, memoryDeviceStore } from "@guard/device";
import { oneKiB, sealed } from "../asking.ts";
import { print } from "../figure.ts";
import { startInstallation } from "../installation.ts";

const apps = 100;
const agentsOfApp = 100;
/** Two rounds of keep-alives, in milliseconds. */
const quiet = 61_000;
const approvers = ["alice@example.com"];

/** Adds an agent with an open request. */
async function waitingAgent(owner: Owner, n: number): Promise<Connection> {
  const connection = await owner.addAgent(`agent-${n}`);
  const { app, agent, seed, token, relay } = connection;
  const roster = owner.roster();
  const { header, envelope } = await sealed({
    keys: await agentKeys(fromBase64url(seed)),
    app,
    agent,
    key: "k",
    args: oneKiB(n),
    devices: roster.devicesOf("alice@example.com"),
    approvers,
    roster: roster.head,
  });
  const body = { header, ...envelope };
  await createRelayClient({ url: relay, token }).call("POST", "/v1/requests", {
    schema: requestViewSchema,
    body,
  });
  return connection;
}

/** Opens a stream and resolves with its first event. */
function openStream({ relay, token }: Connection): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, accept: "text/event-stream" };
    const call: ClientRequest = send(`${relay}/v1/stream`, { agent: false, headers });
    call.on("error", reject);
    call.on("response", (response) => {
      if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`));
      response.once("data", () => resolve(response));
      response.on("data", (chunk: Buffer) => {
        if (String(chunk).startsWith(": keep-alive")) keepAlives++;
      });
    });
    call.end();
  });
}

let keepAlives = 0;
const installation = await startInstallation();
const connections: Connection[] = [];
for (let a = 0; a < apps; a++) {
  const owner = a === 0 ? installation.owner : await installation.found();
  await enrolOwn(owner, { identity: "alice@example.com", name: "phone", store: memoryDeviceStore() });
  for (let n = 0; n < agentsOfApp; n++) connections.push(await waitingAgent(owner, n));
}
const before = await installation.usage({ collect: true });
const streams: IncomingMessage[] = [];
for (let n = 0; n < connections.length; n += 50) {
  streams.push(...(await Promise.all(connections.slice(n, n + 50).map(openStream))));
}
await pause(2000);
const start = await installation.usage({ collect: true });
const at = performance.now();
keepAlives = 0;
await pause(quiet);
const end = await installation.usage();
const seconds = (performance.now() - at) / 1000;
for (const stream of streams) stream.destroy();
await installation.close();
if (keepAlives < connections.length) throw new Error(`Only ${keepAlives} keep-alives arrived.`);
const megabytes = (bytes: number) => bytes / 1e6;
print({
  name: "relay with 10,000 waiting agents, one stream each: memory",
  value: megabytes(end.rss),
  unit: "MB",
  goal: 600,
  better: "lower",
  detail: { "before the streams, MB": Math.round(megabytes(before.rss)), streams: streams.length },
});
print({
  name: "relay with 10,000 waiting agents, one stream each: processor",
  value: (100 * (end.cpu - start.cpu)) / 1e6 / seconds,
  unit: "% of a core",
  goal: 5,
  better: "lower",
  detail: { "keep-alives": keepAlives },
});
