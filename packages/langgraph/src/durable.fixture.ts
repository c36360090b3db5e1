// A relay that listens on loopback, an approver, and application processes that can be killed.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { formatConnection, readEvidence, verifyChain } from "@guard/core";
import { type Bench, createBench } from "@guard/testing";
import { afterEach } from "vitest";
import type { Orders } from "./processes/run.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A new directory that goes with the test. */
export function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "guard-langgraph-"));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface Said {
  readonly event: string;
  readonly thread: string;
  readonly requests?: readonly string[];
  readonly texts?: readonly string[];
}

export async function installation() {
  const bench = await createBench({ people: ["alice@example.com"] });
  cleanups.push(() => bench.close());
  const url = await listen(bench);
  const connection = formatConnection({ ...bench.connection, relay: url });
  const effects = join(directory(), "effects");
  const device = bench.devices.get("alice@example.com");
  if (!device) throw new Error("Alice has no device.");

  function start(orders: Omit<Orders, "effects">) {
    const program = join(import.meta.dirname, "processes", "run.ts");
    const child: ChildProcess = spawn(
      process.execPath,
      ["--conditions=@guard/source", program, JSON.stringify({ ...orders, effects })],
      { env: { ...process.env, GUARD_CONNECTION: connection }, stdio: ["ignore", "pipe", "inherit"] },
    );
    const ended = once(child, "exit");
    const lines = createInterface({ input: child.stdout as Readable })[Symbol.asyncIterator]();
    async function kill() {
      child.kill("SIGKILL");
      await ended;
    }
    cleanups.push(kill);
    return {
      kill,
      /** What it says of each of these threads; nothing else may happen in between. */
      async says(wanted: Readonly<Record<string, string>>): Promise<ReadonlyMap<string, Said>> {
        const heard = new Map<string, Said>();
        while (heard.size < Object.keys(wanted).length) {
          const { value, done } = await lines.next();
          if (done) throw new Error(`The process ended early. It had said ${JSON.stringify([...heard])}.`);
          const said = JSON.parse(value) as Said;
          if (wanted[said.thread] !== said.event || heard.has(said.thread))
            throw new Error(`The process said, out of turn: ${value}`);
          heard.set(said.thread, said);
        }
        return heard;
      },
    };
  }

  return {
    start,
    async approve(request: string) {
      await device.decide(await device.open(await device.get(request)), { decision: "approve" });
    },
    async reject(request: string, reason: string) {
      await device.decide(await device.open(await device.get(request)), { decision: "reject", reason });
    },
    open: () => device.list(),
    /** What the tool did, over all processes. */
    effects: (): string[] =>
      existsSync(effects) ? readFileSync(effects, "utf8").trimEnd().split("\n").toSorted() : [],
    /** What is wrong with the evidence of a host; a killed process leaves a last line that is not signed. */
    async problemsIn(host: string) {
      const file = join(host, "evidence", "agent.jsonl");
      const report = await verifyChain(readEvidence(file), {
        roster: bench.owner.roster(),
        checkpoint: null,
      });
      return report.problems;
    },
  };
}

/** The relay of a bench on a port of its own: other processes cannot call a function. */
async function listen(bench: Bench): Promise<string> {
  const server = createServer(async (incoming, outgoing) => {
    const stop = new AbortController();
    outgoing.on("close", () => stop.abort());
    try {
      const { method = "GET", url, headers } = incoming;
      const response = await bench.relay.fetch(
        new Request(new URL(url ?? "/", bench.url), {
          method,
          headers: Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]),
          ...(method === "GET" ? {} : { body: Readable.toWeb(incoming) as ReadableStream, duplex: "half" }),
          signal: stop.signal,
        }),
      );
      outgoing.writeHead(response.status, Object.fromEntries(response.headers));
      for await (const part of response.body ?? []) outgoing.write(part);
      outgoing.end();
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
