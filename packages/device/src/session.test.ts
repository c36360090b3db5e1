// A whole session in whatever runtime the tests run in, also in a page: a guard asks through a real relay, a
// device answers, the tool runs once, and what the guard recorded verifies.
import {
  createGuard,
  ed25519Signer,
  formatConnection,
  foundApp,
  memoryEvidence,
  randomBytes,
  verifyChain,
} from "@guard/core";
import { expect, test } from "vitest";
import { type Decision, openDevice } from "./device.ts";
import { enrolOwn } from "./enrol-own.ts";
import { memoryDeviceStore } from "./profile.ts";
import { operatorToken, testRelay } from "./relay.fixture.ts";

const alice = "alice@example.com";

test("a guard asks, a device answers, the tool runs once, and the evidence verifies", async () => {
  const { url, fetch } = await testRelay({ now: Date.now() });
  const signer = await ed25519Signer(randomBytes(32));
  const owner = await foundApp({ relay: url, operatorToken, signer, fetch });
  const store = memoryDeviceStore();
  const profile = await enrolOwn(owner, { identity: alice, name: "page", store, fetch });
  const device = await openDevice({ profile, store, fetch });
  const evidence = memoryEvidence();
  const guard = createGuard({
    connection: formatConnection(await owner.addAgent("support")),
    approvers: [alice],
    policy: [{ tool: "refund", when: { amount: { lte: 50 } }, then: "allow" }],
    evidence,
    rosterStore: null,
    fetch,
  });

  const ran: unknown[] = [];
  const refund = (amount: number) =>
    guard.run({ tool: "refund", args: { amount }, session: "s" }, ({ args }) => ran.push(args));
  const answer = async (answers: Decision[]) => {
    for await (const view of device.requests({ signal: new AbortController().signal })) {
      if (view.state !== "pending") continue;
      await device.decide(await device.open(view), answers.shift() as Decision);
      if (answers.length === 0) return;
    }
  };
  const ask = async () => {
    await refund(20);
    await refund(900);
    await expect(refund(901)).rejects.toMatchObject({ code: "rejected", reason: "no" });
  };
  await Promise.all([ask(), answer([{ decision: "approve" }, { decision: "reject", reason: "no" }])]);
  expect(ran).toEqual([{ amount: 20 }, { amount: 900 }]);

  await guard.close();
  const report = await verifyChain(evidence.lines, { roster: owner.roster(), checkpoint: null });
  expect(report.problems).toEqual([]);
});
