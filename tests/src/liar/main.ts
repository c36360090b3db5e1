/**
 * The lying relay as a program, in front of a real one:
 *
 *     node --conditions=@guard/source tests/src/liar/main.ts --relay URL --seed N
 *       [--lies forge,replay] [--rate 20] [--receipts FILE] [--port 0]
 *
 * With `--receipts` (a file with the seed of the relay's key, base64url) it signs receipts as the relay does, which
 * is the worst that a relay can be. It prints one line of JSON with its address, and one for each lie; the same seed makes the same
 * choices, call for call.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { digestOf, ed25519Signer, fromBase64url } from "@guard/core";
import { serveRelay } from "@guard/relay";
import { type Accomplices, nobody } from "./accomplices.ts";
import { seededChoices } from "./choices.ts";
import { createLiar } from "./liar.ts";
import { lyingFetch } from "./lie.ts";
import { isLieName, lieNames } from "./lies.ts";

const { values } = parseArgs({
  options: {
    relay: { type: "string" },
    seed: { type: "string" },
    lies: { type: "string", default: lieNames.join() },
    rate: { type: "string", default: "20" },
    receipts: { type: "string" },
    port: { type: "string", default: "0" },
  },
});

function wrong(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(2);
}

function numberOf(name: "seed" | "rate" | "port"): number {
  const value = Number(values[name] ?? wrong(`Say --${name}.`));
  return Number.isSafeInteger(value) && value >= 0 ? value : wrong(`--${name} is a whole number.`);
}

async function accomplices(): Promise<Accomplices> {
  if (values.receipts === undefined) return nobody;
  const signer = await ed25519Signer(fromBase64url(readFileSync(values.receipts, "utf8").trim(), 32));
  return { receipts: { signer, relay: "relay" }, devices: [] };
}

const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const relay = values.relay ?? wrong("Say --relay URL: the relay that is lied in front of.");
const lies = values.lies
  .split(",")
  .map((name) => (isLieName(name) ? name : wrong(`There is no lie "${name}".`)));
const rate = numberOf("rate");
const liar = createLiar({
  choose: seededChoices(numberOf("seed")),
  lies,
  rate: () => rate,
  accomplices: await accomplices(),
  onLie: (lie) => say({ lie }),
});

/** The real relay in the place of this one. */
const honest: typeof globalThis.fetch = async (input, init) => {
  const request = new Request(input, init);
  const { pathname, search } = new URL(request.url);
  return fetch(new URL(pathname + search, relay), await outgoing(request));
};

/** A request as plain options: what listens here is not the runtime's own Request. */
async function outgoing(request: Request): Promise<RequestInit> {
  const headers = new Headers();
  for (const name of ["authorization", "accept", "content-type"]) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  const { method, signal } = request;
  return { method, headers, signal, ...(method === "GET" ? {} : { body: await request.text() }) };
}

const listening = await serveRelay(
  {
    async fetch(request) {
      // Clients are told apart by their tokens, of which nothing is printed.
      const client = digestOf(request.headers.get("authorization") ?? "").slice(0, 8);
      try {
        return await lyingFetch(honest, liar.lie, client)(request.url, await outgoing(request));
      } catch (error) {
        say({ cut: String(error) });
        return new Response("", { status: 502 });
      }
    },
    release() {},
  },
  { port: numberOf("port") },
);
say({ url: listening.url });
process.once("SIGTERM", () => process.exit(0));
