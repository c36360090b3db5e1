/**
 * The relay's port, and callers that nearly speak gRPC: frames of a real client with changed bytes, cut off, sent
 * twice, reset in between. Whatever comes, no exception escapes, and the next caller is answered.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Client, credentials, status } from "@grpc/grpc-js";
import { createRelay, type Listening, type Relay, serveRelay } from "@guard/relay";
import { agentService, deviceService } from "@guard/wires/noxy";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Random, randomOf } from "./random.ts";
import { factor, seed } from "./target.ts";

let relay: Relay;
let listening: Listening;
const failures: unknown[] = [];
const fail = (error: unknown) => failures.push(error);
const asIs = (bytes: Buffer) => bytes;
/** A message of either service with its first field, the request's id. */
const message = Buffer.from("\n\u0001r");
const portOf = (url: string) => Number(new URL(url).port);

beforeAll(async () => {
  process.on("unhandledRejection", fail);
  process.on("uncaughtException", fail);
  relay = await createRelay({ database: ":memory:", logger: false });
  listening = await serveRelay(relay, { arrivesWithin: 300, saysWithin: 100 });
});

afterAll(async () => {
  await listening.close();
  await relay.close();
  process.off("unhandledRejection", fail);
  process.off("uncaughtException", fail);
  expect(failures).toEqual([]);
});

/** The status of a call without a token, made by a real client. */
async function ask(port: number): Promise<number | undefined> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const code = await new Promise<number | undefined>((resolve) => {
    client.makeUnaryRequest(agentService.getQuota.path, asIs, asIs, message, (error) => resolve(error?.code));
  });
  client.close();
  return code;
}

/** A device's session, until it was answered. */
async function greet(port: number): Promise<void> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const call = client.makeBidiStreamRequest(deviceService.handleMessage.path, asIs, asIs);
  // What the session ends with is not what is looked at.
  call.on("error", () => {});
  call.write(message);
  const ended = once(call, "status");
  call.on("data", () => call.end());
  await ended;
  client.close();
}

/** All that a client sends on its connection while `speak` runs. */
async function recorded(speak: (port: number) => Promise<unknown>): Promise<Buffer> {
  const sent: Buffer[] = [];
  const tap = createServer((near) => {
    const far = connect(portOf(listening.url), "127.0.0.1");
    const hangUp = () => [near, far].map((socket: Socket) => socket.destroy());
    for (const socket of [near, far]) socket.on("error", hangUp).on("close", hangUp);
    near.on("data", (bytes) => sent.push(bytes));
    near.pipe(far).pipe(near);
  }).listen(0, "127.0.0.1");
  await once(tap, "listening");
  await speak((tap.address() as AddressInfo).port);
  tap.close();
  return Buffer.concat(sent);
}

function changed(random: Random, frames: readonly Buffer[]): Buffer {
  const bytes = Buffer.from(random.pick(frames));
  // Behind what HTTP/2 begins with, mostly: what breaks that is no HTTP/2.
  const from = random.chance(0.1) ? 0 : 24;
  for (let i = random.int(6); i >= 0; i--) bytes[from + random.int(bytes.length - from)] = random.int(256);
  const cut = random.chance(0.3) ? bytes.subarray(0, 24 + random.int(bytes.length - 24)) : bytes;
  return random.chance(0.3) ? Buffer.concat([cut, random.pick(frames).subarray(24)]) : cut;
}

function say(random: Random, bytes: Buffer): Promise<void> {
  const socket = connect(portOf(listening.url), "127.0.0.1");
  return new Promise((resolve) => {
    socket.on("data", () => {});
    // Hanging up is an answer.
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.write(bytes);
    if (random.chance(0.3)) socket.end();
    else setTimeout(() => (random.chance(0.5) ? socket.resetAndDestroy() : socket.destroy()), random.int(60));
  });
}

test("callers that nearly speak gRPC", async () => {
  const frames = [await recorded(ask), await recorded(greet)];
  const runs = Math.ceil(500 * Math.min(factor, 20));
  for (let first = 0; first < runs; first += 50) {
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => {
        const random = randomOf(`${seed}/grpc/${first + i}`);
        return say(random, changed(random, frames));
      }),
    );
    expect(failures, `GUARD_SEED=${seed} runs ${first} to ${first + 49}`).toEqual([]);
  }
  expect(await ask(portOf(listening.url))).toBe(status.UNAUTHENTICATED);
}, 300_000);
