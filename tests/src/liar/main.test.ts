// The lying relay as a process in front of a real one over HTTP, at its worst: with the key that receipts are
// signed with.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import {
  base64url,
  createGuard,
  ed25519Signer,
  findEquivocation,
  formatConnection,
  foundApp,
  type Guard,
  isGuardError,
  type MemoryEvidence,
  memoryEvidence,
  randomBytes,
  verifyChain,
} from "@guard/core";
import { enrolOwn, memoryDeviceStore, openDevice } from "@guard/device";
import { createRelay, serveRelay } from "@guard/relay";
import { afterEach, expect, test } from "vitest";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const identity = "alice@example.com";

async function installation() {
  const directory = mkdtempSync(join(tmpdir(), "guard-liar-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const key = randomBytes(32);
  const receipts = join(directory, "receipts");
  writeFileSync(receipts, base64url(key));
  const operatorToken = "operator-token-of-a-test";
  const relay = await createRelay({ database: ":memory:", key, operatorToken, logger: false });
  cleanups.push(() => relay.close());
  const served = await serveRelay(relay);
  cleanups.push(() => served.close());
  const signer = await ed25519Signer(randomBytes(32));
  const owner = await foundApp({ relay: served.url, operatorToken, signer });
  const store = memoryDeviceStore();
  const profile = await enrolOwn(owner, { identity, name: "test", store });
  const connection = await owner.addAgent("agent");

  /** A process of the agent behind a liar. */
  function guard(url: string) {
    const evidence = memoryEvidence();
    const options = { evidence, rosterStore: null, requestTimeout: 2_000, retries: 0 };
    const made = createGuard({
      ...options,
      connection: formatConnection({ ...connection, relay: url }),
      approvers: [identity],
    });
    cleanups.push(() => made.close());
    return { guard: made, evidence };
  }
  return { url: served.url, receipts, owner, guard, device: await openDevice({ profile, store }) };
}

/** Starts the program; `lies` is what it says that it told. */
async function liar(...options: string[]): Promise<{ url: string; lies: string[] }> {
  const program = join(import.meta.dirname, "main.ts");
  const child = spawn(process.execPath, ["--conditions=@guard/source", program, ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  cleanups.push(() => child.kill());
  const lies: string[] = [];
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`The liar ended with ${code}.`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const said = JSON.parse(line) as { url?: string; lie?: string };
      if (said.lie) lies.push(said.lie);
      if (said.url) resolve({ url: said.url, lies });
    });
  });
}

const refund = { tool: "refund", args: { amount: 900 }, session: "s" };
const run = async (guard: Guard, ran: string[]) => {
  const check = await guard.check(refund, { key: "k" });
  if (check.status === "denied") throw check.error;
  if (check.status === "ready") await check.run(({ request }) => ran.push(request as string));
};

test("consume-equivocation: a relay with its receipt key makes two processes run one approval, and two evidence files prove it", async () => {
  const { url, receipts, owner, device, guard } = await installation();
  const options = ["--relay", url, "--seed", "7", "--lies", "equivocate", "--rate", "100"];
  const lying = await liar(...options, "--receipts", receipts);
  const first = guard(lying.url);
  const second = guard(lying.url);
  const ran: string[] = [];
  await run(first.guard, ran);
  const [view] = await device.list();
  if (!view) throw new Error("nothing was asked");
  await device.decide(await device.open(view), { decision: "approve" });
  await run(first.guard, ran);
  await run(second.guard, ran);
  await expect(run(second.guard, ran)).rejects.toMatchObject({ code: "already_executed" });
  expect(ran).toEqual([view.request, view.request]);
  expect(lying.lies.some((lie) => lie.startsWith("equivocate consume"))).toBe(true);

  // Each file by itself is valid; only together do they show it.
  const roster = await owner.sync();
  const verified = async ({ evidence }: { evidence: MemoryEvidence }) =>
    verifyChain(evidence.lines, { roster });
  const reports = [await verified(first), await verified(second)];
  expect(reports.flatMap(({ problems }) => problems)).toEqual([]);
  expect(reports.flatMap((report) => findEquivocation([report, report]))).toEqual([]);
  const [proof] = findEquivocation(reports);
  expect(proof?.request).toBe(view.request);
  expect(new Set(proof?.uses.map(({ attempt }) => attempt)).size).toBe(2);
});

test("forged-outcome: over HTTP, whatever the program says, nothing runs that nobody approved", async () => {
  const { url, guard } = await installation();
  const lying = await liar("--relay", url, "--seed", "3", "--rate", "50");
  const ran: string[] = [];
  for (let i = 0; i < 6; i++) {
    const one = guard(lying.url).guard;
    await run(one, ran).catch((error: unknown) => expect(isGuardError(error), String(error)).toBe(true));
  }
  expect(ran).toEqual([]);
  expect(lying.lies.length).toBeGreaterThan(3);
});
