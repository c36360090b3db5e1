/** A relay in a process of its own and apps on it, as figures need them. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ed25519Signer, foundApp, type Owner, randomBytes } from "@guard/core";
import type { RelayOptions } from "@guard/relay";
import type { Usage } from "./processes/relay.ts";

export interface Installation {
  readonly url: string;
  /** Of the first app. */
  readonly owner: Owner;
  /** Founds another app on the same relay. */
  found(): Promise<Owner>;
  /** What the relay's process uses. */
  usage(options?: { collect: boolean }): Promise<Usage>;
  close(): Promise<void>;
}

const operatorToken = "operator-token-of-a-figure";
// One machine plays all clients, so what one client may do must not be what is measured.
const limits: NonNullable<RelayOptions["limits"]> = {
  tokenRate: { perSecond: 1_000_000, burst: 1_000_000 },
  addressRate: { perSecond: 1_000_000, burst: 1_000_000 },
  streams: 100_000,
  foreignRate: { perSecond: 1_000_000, burst: 1_000_000 },
  foreignFirstRate: { perSecond: 1_000_000, burst: 1_000_000 },
  foreignWaiting: 10_000,
};

/** `durable: false` keeps the database in memory, which only a figure beside a durable one may ask for. */
export async function startInstallation({ durable } = { durable: true }): Promise<Installation> {
  const directory = mkdtempSync(join(tmpdir(), "guard-bench-"));
  const database = durable ? join(directory, "relay.db") : ":memory:";
  const options = { database, operatorToken, limits };
  const child = fork(join(import.meta.dirname, "processes", "relay.ts"), [JSON.stringify(options)]);
  const [url] = (await once(child, "message")) as [string];
  const found = async () =>
    foundApp({ relay: url, operatorToken, signer: await ed25519Signer(randomBytes(32)) });
  return {
    url,
    owner: await found(),
    found,
    async usage({ collect } = { collect: false }) {
      child.send(collect ? "collect" : "usage");
      const [usage] = (await once(child, "message")) as [Usage];
      return usage;
    },
    async close() {
      child.disconnect();
      await once(child, "exit");
      rmSync(directory, { recursive: true });
    },
  };
}
