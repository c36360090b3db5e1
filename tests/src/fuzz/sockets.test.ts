/**
 * The relay on a real socket, and callers that do not speak HTTP: garbage, half a request, bodies that never come,
 * chunks that lie, many requests in one write. Whatever comes, it answers well-formed HTTP that is no 500, or hangs
 * up, and answers the next caller.
 */
import { connect } from "node:net";
import { createRelay, type Listening, type Relay, serveRelay } from "@guard/relay";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mutate } from "./mutate.ts";
import { randomOf } from "./random.ts";
import { factor, seed } from "./target.ts";

let relay: Relay;
let listening: Listening;
const failures: unknown[] = [];
const fail = (error: unknown) => failures.push(error);

beforeAll(async () => {
  process.on("unhandledRejection", fail);
  process.on("uncaughtException", fail);
  const unlimited = { perSecond: 1e9, burst: 1e9 };
  const limits = { addressRate: unlimited, tokenRate: unlimited };
  relay = await createRelay({
    database: ":memory:",
    operatorToken: "operator-token-of-the-fuzz",
    logger: false,
    limits,
  });
  listening = await serveRelay(relay);
});

afterAll(async () => {
  await listening.close();
  await relay.close();
  process.off("unhandledRejection", fail);
  process.off("uncaughtException", fail);
  expect(failures).toEqual([]);
});

const json = "content-type: application/json\r\nauthorization: Bearer operator-token-of-the-fuzz\r\n";
const call = (line: string, headers = "", body = "") =>
  `${line} HTTP/1.1\r\nhost: relay\r\n${headers}\r\n${body}`;
const post = (length: string, body: string) => call("POST /v1/apps", `${json}${length}`, body);
const get = call("GET /v1/relay");

const cases: Readonly<Record<string, string>> = {
  "garbage before HTTP": `\u0000\u0001\u0016\u0003${get}`,
  "a TLS hello": "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003",
  "half a request line": "GET /v1/rel",
  "headers without an end": "GET /v1/relay HTTP/1.1\r\nhost: relay\r\nx: y",
  "no host": "GET /v1/relay HTTP/1.1\r\n\r\n",
  "HTTP/1.0": "GET /v1/relay HTTP/1.0\r\n\r\n",
  "HTTP/9.9": "GET /v1/relay HTTP/9.9\r\n\r\n",
  "a host that is none": "GET /v1/relay HTTP/1.1\r\nhost: [::\r\n\r\n",
  "a host with a path": "GET /v1/relay HTTP/1.1\r\nhost: a/b?c#d@e\r\n\r\n",
  "two hosts": "GET /v1/relay HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
  "an absolute target": "GET http://elsewhere.example/v1/relay HTTP/1.1\r\nhost: relay\r\n\r\n",
  "a target that is no path": call("GET *"),
  "a target of slashes": call("GET //evil.example//v1/relay"),
  "a target of dots": call("GET /../../v1/../v1/relay"),
  "broken escapes": call("GET /v1/requests/%E0%A4%A?wait=%ZZ"),
  "NUL in an escape": call("GET /v1/requests/%00%0d%0ax:%20y"),
  "a long target": call(`GET /v1/requests/${"a".repeat(20_000)}`),
  "many headers": call("GET /v1/relay", "x: y\r\n".repeat(3000)),
  "a folded header": call("GET /v1/relay", "x: y\r\n z\r\n"),
  "a header without a name": call("GET /v1/relay", ": y\r\n"),
  CONNECT: "CONNECT relay:1 HTTP/1.1\r\nhost: relay\r\n\r\n",
  "an upgrade": call("GET /v1/stream", "connection: upgrade\r\nupgrade: websocket\r\n"),
  TRACE: call("TRACE /v1/relay"),
  "a method of its own": call("FROB /v1/relay"),
  HEAD: call("HEAD /v1/relay"),
  "a body for GET": call("GET /v1/relay", "content-length: 5\r\n", "hello"),
  "no length": post("", '{"root":1}'),
  "a length that is too long": post("content-length: 100\r\n", "{}"),
  "a length that is too short": post("content-length: 1\r\n", '{"root":1}'),
  "a negative length": post("content-length: -1\r\n", "{}"),
  "two lengths": post("content-length: 2\r\ncontent-length: 3\r\n", "{}"),
  "a huge length": post("content-length: 99999999999\r\n", "{}"),
  chunks: post("transfer-encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
  "chunks of garbage": post("transfer-encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"),
  "a chunk that lies": post("transfer-encoding: chunked\r\n", "ffffff\r\n{}\r\n0\r\n\r\n"),
  "chunks and a length": post(
    "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
    "0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n",
  ),
  "a chunk extension": post("transfer-encoding: chunked\r\n", `2;${"x".repeat(20_000)}\r\n{}\r\n0\r\n\r\n`),
  "gzip that is none": post("content-encoding: gzip\r\ncontent-length: 2\r\n", "{}"),
  expect: post("expect: 100-continue\r\ncontent-length: 2\r\n", "{}"),
  "an expectation of its own": post("expect: wonders\r\ncontent-length: 2\r\n", "{}"),
  "a deep body": post("content-length: 200000\r\n", "[".repeat(200_000)),
  "a pipeline": get + get + post("content-length: 2\r\n", "{}") + get,
  "a pipeline with garbage": `${get}\u0000\u0000\u0000${get}`,
};

/** What comes back until the relay hangs up or is silent; `half` closes our side at once. */
function say(text: string, options: { half: boolean; pieces: number }): Promise<string> {
  const { port } = new URL(listening.url);
  const bytes = Buffer.from(text, "latin1");
  return new Promise((resolve) => {
    const socket = connect({ port: Number(port), host: "127.0.0.1" });
    const heard: Buffer[] = [];
    const end = () => {
      socket.destroy();
      resolve(Buffer.concat(heard).toString("latin1"));
    };
    socket.setTimeout(150, end);
    socket.on("data", (chunk) => heard.push(chunk));
    // Hanging up on nonsense is an answer.
    socket.on("error", end);
    socket.on("close", end);
    const size = Math.ceil(bytes.length / options.pieces);
    for (let at = 0; at < bytes.length; at += size) socket.write(bytes.subarray(at, at + size));
    if (options.half) socket.end();
  });
}

async function fine(name: string, answer: string): Promise<void> {
  if (answer !== "") expect(answer, name).toMatch(/^HTTP\/1\.[01] [1-5]\d\d /);
  expect(answer, name).not.toMatch(/(^|\r\n)HTTP\/1\.1 5(?!05)/);
}

test("garbage, slow and half-closed callers, pipelines: no 500, and the next caller is served", async () => {
  for (const half of [true, false]) {
    await Promise.all(
      Object.entries(cases).map(async ([name, text]) => {
        for (const pieces of [1, 7]) await fine(name, await say(text, { half, pieces }));
      }),
    );
    expect((await fetch(`${listening.url}/health`)).status).toBe(200);
  }
});

test("callers that nearly speak HTTP", async () => {
  const texts = Object.values(cases).filter((text) => text.length < 2000);
  const runs = Math.ceil(200 * Math.min(factor, 20));
  for (let first = 0; first < runs; first += 50) {
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const random = randomOf(`${seed}/sockets/${first + i}`);
        const text = mutate(random, random.pick(texts), texts);
        const answer = await say(text, { half: random.chance(0.7), pieces: 1 + random.int(4) });
        await fine(`GUARD_SEED=${seed} run ${first + i}: ${JSON.stringify(text)}`, answer);
      }),
    );
  }
  expect((await fetch(`${listening.url}/health`)).status).toBe(200);
}, 300_000);
