// A whole session with a guard in a worker (tests/src/processes/worker.ts); relay, owner, device and verifier are
// here, outside. Two requests reach the worker at once, as they do in production.
import { deepEqual, equal } from "node:assert/strict";
import {
  ed25519Signer,
  formatConnection,
  foundApp,
  parseCheckpoint,
  randomBytes,
  verifyChain,
} from "../../packages/core/src/index.ts";
import { enrolOwn, memoryDeviceStore, openDevice } from "../../packages/device/src/index.ts";
import { createRelay, serveRelay } from "../../packages/relay/src/index.ts";

const approver = "alice@example.com";
const operatorToken = "operator-token-of-a-test";

interface Answer {
  readonly userAgent: string;
  readonly kem: string;
  readonly withoutEvidence: string;
  readonly ran: readonly { amount: number }[];
  readonly refused: readonly { amount: number; reason: string }[];
  readonly lines: readonly string[];
  readonly checkpoint: string;
}

/** @throws AssertionError where anything is not as it has to be */
export async function edgeSession(worker: string): Promise<string> {
  const relay = await createRelay({ database: ":memory:", operatorToken, logger: false });
  const served = await serveRelay(relay);
  try {
    const signer = await ed25519Signer(randomBytes(32));
    const owner = await foundApp({ relay: served.url, operatorToken, signer });
    const store = memoryDeviceStore();
    const profile = await enrolOwn(owner, { identity: approver, name: "outside", store });
    const device = await openDevice({ profile, store });
    const connection = formatConnection(await owner.addAgent("edge"));

    const stop = new AbortController();
    const answering = (async () => {
      for await (const view of device.requests({ signal: stop.signal })) {
        if (view.state !== "pending") continue;
        const opened = await device.open(view);
        const { amount } = opened.args as { amount: number };
        await device.decide(
          opened,
          amount > 900 ? { decision: "reject", reason: "too much" } : { decision: "approve" },
        );
      }
    })();
    const ask = async (amounts: readonly number[]): Promise<Answer> => {
      const body = JSON.stringify({ connection, approver, amounts });
      const response = await fetch(worker, { method: "POST", body });
      if (!response.ok) throw new Error(`The worker failed: ${await response.text()}`);
      return (await response.json()) as Answer;
    };
    const both = await Promise.all([ask([20, 900, 901]), ask([30, 700])]);
    stop.abort();
    await answering;

    for (const { userAgent, kem, withoutEvidence } of both) {
      equal(userAgent, "Cloudflare-Workers");
      equal(kem, "noble");
      // Where there are no files that last, a guard without a store is not made.
      equal(withoutEvidence, "configuration");
    }
    deepEqual(
      both.map(({ ran }) => ran),
      [
        [{ amount: 20 }, { amount: 900 }],
        [{ amount: 30 }, { amount: 700 }],
      ],
    );
    deepEqual(
      both.map(({ refused }) => refused),
      [[{ amount: 901, reason: "too much" }], []],
    );
    let events = 0;
    for (const { lines, checkpoint } of both) {
      const report = await verifyChain(lines, {
        roster: owner.roster(),
        checkpoint: parseCheckpoint(checkpoint),
      });
      deepEqual(report.problems, []);
      equal(report.valid, true);
      events += lines.length;
    }
    return `two sessions at once with a device outside: 4 calls ran once, 1 was rejected, ${events} events verify`;
  } finally {
    await served.close();
    await relay.close();
  }
}
