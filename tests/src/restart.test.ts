// Real processes: an agent is killed while it waits, and another one takes up where it was.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import {
  ed25519Signer,
  formatConnection,
  foundApp,
  randomBytes,
  readEvidence,
  verifyChain,
} from "@guard/core";
import { enrolOwn, memoryDeviceStore, openDevice } from "@guard/device";
import { createRelay, serveRelay } from "@guard/relay";
import { afterEach, expect, test } from "vitest";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function installation() {
  const directory = mkdtempSync(join(tmpdir(), "guard-restart-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const operatorToken = "operator-token-of-a-test";
  const relay = await createRelay({ database: join(directory, "relay.db"), operatorToken, logger: false });
  const served = await serveRelay(relay, { host: "127.0.0.1", port: 0 });
  cleanups.push(() => served.close());
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

interface Said {
  readonly event: string;
  readonly request?: string;
  readonly joined?: boolean;
  readonly code?: string;
}

function startAgent(at: { directory: string; connection: string; effects: string }) {
  const program = join(import.meta.dirname, "processes", "agent.ts");
  const child: ChildProcess = spawn(
    process.execPath,
    ["--conditions=@guard/source", program, at.directory, at.effects],
    {
      env: { ...process.env, GUARD_CONNECTION: at.connection },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  cleanups.push(() => child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const ended = new Promise((resolve) => child.on("exit", resolve));
  return {
    child,
    ended,
    async said(): Promise<Said> {
      const { value, done } = await lines.next();
      return done ? { event: "ended" } : (JSON.parse(value) as Said);
    },
  };
}

test("an agent that is killed while it waits finds its open request and does not ask twice", {
  timeout: 30_000,
}, async () => {
  const at = await installation();
  const first = startAgent(at);
  const asked = await first.said();
  expect(asked).toMatchObject({ event: "pending", joined: false });
  first.child.kill("SIGKILL");
  await first.ended;

  const second = startAgent(at);
  const joined = await second.said();
  expect(joined).toMatchObject({ event: "pending", joined: true, request: asked.request });
  const open = await at.device.list();
  expect(open).toHaveLength(1);
  await at.device.decide(await at.device.open(open[0] as (typeof open)[0]), { decision: "approve" });
  expect(await second.said()).toMatchObject({ event: "ran" });
  await second.ended;
  expect(JSON.parse(readFileSync(at.effects, "utf8"))).toEqual({ order: "A-1", amount: 900 });

  const third = startAgent(at);
  expect(await third.said()).toMatchObject({ event: "refused", code: "already_executed" });
  await third.ended;
  expect(readFileSync(at.effects, "utf8").trim().split("\n")).toHaveLength(1);

  const file = join(at.directory, "evidence", "support.jsonl");
  const report = await verifyChain(readEvidence(file), { roster: at.owner.roster(), checkpoint: null });
  expect(report.problems).toEqual([]);
  expect(report.valid).toBe(true);
});
