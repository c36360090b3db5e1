// What tests of real processes begin with: a relay, somebody who approves, and programs that can be killed.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ed25519Signer, formatConnection, foundApp, randomBytes } from "@guard/core";
import { enrolOwn, memoryDeviceStore, openDevice } from "@guard/device";
import { createRelay, serveRelay } from "@guard/relay";
import { onTestFinished } from "vitest";

export async function installation() {
  const directory = mkdtempSync(join(tmpdir(), "guard-restart-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const operatorToken = "operator-token-of-a-test";
  const relay = await createRelay({ database: join(directory, "relay.db"), operatorToken, logger: false });
  const served = await serveRelay(relay, { host: "127.0.0.1", port: 0 });
  onTestFinished(() => served.close());
  const owner = await foundApp({
    relay: served.url,
    operatorToken,
    signer: await ed25519Signer(randomBytes(32)),
  });
  const store = memoryDeviceStore();
  const profile = await enrolOwn(owner, { identity: "alice@example.com", name: "test", store });
  const connection = formatConnection(await owner.addAgent("support"));
  return {
    directory,
    owner,
    connection,
    device: await openDevice({ profile, store }),
    effects: join(directory, "effects"),
  };
}

/** One line that a program says about itself. */
export interface Said {
  readonly event: string;
  readonly [more: string]: unknown;
}

/** Starts a program of `processes/` from its source. */
export function startProcess(name: string, connection: string, args: readonly string[]) {
  const program = join(import.meta.dirname, "processes", name);
  const child: ChildProcess = spawn(process.execPath, ["--conditions=@guard/source", program, ...args], {
    env: { ...process.env, GUARD_CONNECTION: connection },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  return {
    ended,
    async said(): Promise<Said> {
      const { value, done } = await lines.next();
      return done ? { event: "ended" } : (JSON.parse(value) as Said);
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
