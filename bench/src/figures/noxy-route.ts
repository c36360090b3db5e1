/**
 * RouteDecision over the Noxy wire, 64 calls under way at a time on 8 connections: the relay with its database
 * in memory, and durable (SQLite, synchronous FULL). Beside both, in the same run, an empty grpc-js handler
 * with the same messages. The client is bare HTTP/2 in a process of its own, since grpc-js as a client takes
 * more time than the empty handler does.
 */
import { fork } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { agentService } from "@guard/wires/noxy";
import { median, print } from "../figure.ts";
import { type Installation, startInstallation } from "../installation.ts";
import { callOnce, enable, framed, openSession, subscribedDevice } from "../noxy.ts";
import type { Usage } from "../processes/relay.ts";

const concurrency = 64;
const connections = 8;
// An agent and a person's device for each call that is under way, as they would come.
const agents = 64;
const each = 100;
const runs = 5;
const { path, requestSerialize } = agentService.routeDecision;

interface Target {
  readonly url: string;
  readonly usage: () => Promise<Usage>;
}

interface Routes extends Target {
  readonly callers: readonly { readonly token: string; readonly device: string }[];
}

interface Taken {
  readonly rate: number;
  /** Microseconds of the server's processor time for one call. */
  readonly cpu: number;
}

/** A decision whose plaintext has 1 KiB, as it is sealed: KEM ciphertext, nonce, and ciphertext with its tag. */
function frameFor(device: string): Buffer {
  const bytes = (length: number) => Uint8Array.from(randomBytes(length));
  return framed(
    requestSerialize({
      $typeName: "noxy.agent.RouteDecisionRequest",
      requestId: randomUUID(),
      decisionId: randomUUID(),
      targetDeviceId: device,
      ttlSeconds: 3600,
      kyberCt: bytes(1088),
      nonce: bytes(12),
      ciphertext: bytes(1024 + 16),
    }),
  );
}

/** Agents of one app, and for each a registered device that is not connected: what it is sent waits for it. */
async function staffed(installation: Installation): Promise<Routes> {
  const { owner, url, usage } = installation;
  await enable(owner);
  const callers: { token: string; device: string }[] = [];
  for (let n = 0; n < agents; n++) {
    const { token, app } = await owner.addAgent(`agent-${n}`);
    const session = await openSession(url);
    const { device } = await subscribedDevice(session, { app, identity: `person-${n}@example.com` });
    session.destroy();
    callers.push({ token, device });
  }
  return { url, usage: () => usage(), callers };
}

/** Makes all calls, 64 at a time. */
async function route(target: Target, callers: Routes["callers"], count: number): Promise<Taken> {
  const calls = Array.from({ length: count }, () =>
    callers.map(({ token, device }) => ({ path, token, frame: frameFor(device) })),
  ).flat();
  const sessions = await Promise.all(Array.from({ length: connections }, () => openSession(target.url)));
  const left = calls.values();
  const before = await target.usage();
  const start = performance.now();
  await Promise.all(
    Array.from({ length: concurrency }, async (_, n) => {
      const session = sessions[n % connections];
      for (const call of left) if (session) await callOnce(session, call);
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const after = await target.usage();
  for (const session of sessions) session.destroy();
  return { rate: calls.length / seconds, cpu: (after.cpu - before.cpu) / calls.length };
}

const child = fork(join(import.meta.dirname, "..", "processes", "empty-grpc.ts"));
const [emptyUrl] = (await once(child, "message")) as [string];
const empty: Target = {
  url: emptyUrl,
  async usage() {
    child.send("usage");
    const [usage] = (await once(child, "message")) as [Usage];
    return usage;
  },
};
const installations = {
  "database in memory": await startInstallation({ durable: false }),
  durable: await startInstallation(),
};
const goals = { "database in memory": 60, durable: 40 };
type Kind = keyof typeof installations;
const kinds = Object.keys(installations) as Kind[];
const relays = {} as Record<Kind, Routes>;
for (const kind of kinds) relays[kind] = await staffed(installations[kind]);
const taken: Record<Kind | "empty", Taken[]> = { "database in memory": [], durable: [], empty: [] };
for (let run = -1; run < runs; run++) {
  // The ones beside each other take turns, so that what else the machine does falls on all of them.
  for (const kind of [...kinds, "empty"] as const) {
    const callers = relays[kind === "empty" ? "durable" : kind].callers;
    const one = await route(kind === "empty" ? empty : relays[kind], callers, run < 0 ? 20 : each);
    if (run >= 0) taken[kind].push(one);
  }
}
child.disconnect();
for (const kind of kinds) await installations[kind].close();
const of = (kind: Kind | "empty") => ({
  rate: median(taken[kind].map(({ rate }) => rate)),
  cpu: median(taken[kind].map(({ cpu }) => cpu)),
});
const beside = of("empty");
for (const kind of kinds) {
  const relay = of(kind);
  print({
    name: `Noxy's RouteDecision, 64 at a time, ${kind}, over an empty gRPC handler`,
    // Of the same run, since what disturbs one half of a run disturbs the other.
    value: 100 * median(taken[kind].map(({ rate }, run) => rate / (taken.empty[run] as Taken).rate)),
    unit: "%",
    goal: goals[kind],
    better: "higher",
    against: { name: "empty grpc-js handler, same messages", value: beside.rate, unit: "calls/s" },
    detail: {
      "calls/s": Math.round(relay.rate),
      "relay's processor time for one, µs": Math.round(relay.cpu),
      "empty handler's processor time for one, µs": Math.round(beside.cpu),
    },
  });
}
