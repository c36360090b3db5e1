import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { hexDigestOf } from "../crypto/hash.ts";
import { ed25519Signer } from "../crypto/signature.ts";
import type { Signed } from "../crypto/signed.ts";
import { openChain } from "./chain.ts";
import { parseCheckpoint } from "./checkpoint.ts";
import { lineOf, readLine } from "./envelope.ts";
import { approvedCall, type Lies, time, type World, world } from "./fixture.ts";
import { type MemoryEvidence, memoryEvidence } from "./store.ts";
import { verifyChain } from "./verify.ts";

let at: World;
let good: string[];
let store: MemoryEvidence;

const open = (evidence: MemoryEvidence) =>
  openChain({
    ...{ store: evidence, app: at.app, agent: "bot", signer: at.agent },
    ...{ now: () => time, roster: () => at.roster.head },
  });

async function written(lies: Lies[]): Promise<string[]> {
  const evidence = memoryEvidence();
  const chain = await open(evidence);
  for (const lie of lies) await approvedCall(chain, at, lie);
  await chain.close();
  return [...evidence.lines];
}

beforeAll(async () => {
  at = await world();
  store = memoryEvidence();
  const chain = await open(store);
  await approvedCall(chain, at);
  await chain.checkpoint();
  await approvedCall(chain, at);
  await chain.close();
  good = [...store.lines];
});

const newest = () => parseCheckpoint(store.checkpoint as string);
const verify = (lines: string[]) => verifyChain(lines, { roster: at.roster, checkpoint: newest() });
/** Changes one event and links all later ones to it again, as somebody without the key can. */
function relinked(lines: string[], from: number): string[] {
  const out = lines.slice(0, from);
  for (const line of lines.slice(from)) {
    const { prev_hash: _, ...event } = readLine(line);
    const last = out.at(-1);
    out.push(lineOf({ ...event, seq: out.length, ...(last ? { prev_hash: hexDigestOf(last) } : {}) }));
  }
  return out;
}
const changed = (line: string) => lineOf({ ...readLine(line), ts_unix_ms: 1 });

test("a good chain", async () => {
  const report = await verify(good);
  expect(report.problems).toEqual([]);
  expect(report).toMatchObject({
    valid: true,
    events: good.length,
    uncovered: 0,
    checkpoints: 3,
    agent: "bot",
  });
  expect(report.calls).toMatchObject({
    proposed: 2,
    approved: 2,
    allowed: 2,
    executed: 2,
    unknown: 0,
    edited: 0,
  });
  expect(report.requests[0]).toMatchObject({ tool: "refund", outcome: "approved", executed: true });
  expect(report.requests[0]?.by).toEqual(["alice@example.com"]);
  expect((await verifyChain(good, { roster: null })).valid).toBe(true);
});

describe("chain-tamper", () => {
  const cases: [string, number, (lines: string[]) => string[]][] = [
    ["modify", 5, (l) => l.with(5, changed(l[5] as string))],
    ["delete", 5, (l) => l.toSpliced(5, 1)],
    ["insert", 6, (l) => l.toSpliced(6, 0, l[3] as string)],
    ["reorder", 4, (l) => l.with(4, l[5] as string).with(5, l[4] as string)],
    ["truncate", 9, (l) => l.slice(0, 9)],
    ["fork", 5, (l) => l.toSpliced(6, 0, changed(l[5] as string))],
    ["reuse a seq", 6, (l) => l.with(6, lineOf({ ...readLine(l[6] as string), seq: 5 }))],
    ["change the last", 16, (l) => l.with(16, `${l[16]} `)],
  ];
  test.each(cases)("chain-tamper: %s is noticed at seq %i", async (_name, seq, tamper) => {
    const report = await verify(tamper(good));
    expect(report.valid).toBe(false);
    expect(report.firstBad?.seq).toBe(seq);
  });

  test("chain-tamper: modify and link again: the checkpoint notices", async () => {
    const report = await verify(relinked(good.with(3, changed(good[3] as string)), 4));
    expect(report.valid).toBe(false);
    expect(report.problems.join()).toContain("checkpoint");
  });

  test("chain-tamper: truncate: the outside checkpoint names the first missing event", async () => {
    const report = await verify(good.slice(0, 12));
    expect(report.firstBad).toMatchObject({ seq: 12, line: 13 });
  });

  test("a checkpoint from elsewhere that is no signed object gives no verdict, with a roster and without", async () => {
    const { body, signature } = newest();
    const malformed = [
      { body, signature: [] },
      { body, signature: "x".repeat(101) },
      { body, signature, seq: 1 },
      { body: { signature }, signature },
    ];
    for (const wrapper of malformed) {
      for (const roster of [null, at.roster]) {
        const checkpoint = wrapper as unknown as Signed;
        await expect(verifyChain(good, { roster, checkpoint })).rejects.toThrow(/cannot be read/);
      }
    }
  });

  test("chain-tamper: re-sign with another key", async () => {
    const signer = await ed25519Signer(new Uint8Array(32));
    const evidence = memoryEvidence();
    const chain = await openChain({
      ...{ store: evidence, app: at.app, agent: "bot", signer, roster: () => at.roster.head },
    });
    await chain.close();
    expect((await verifyChain(evidence.lines, { roster: at.roster })).firstBad).toMatchObject({
      seq: 0,
      why: "the checkpoint is not signed by the agent",
    });
  });

  test("chain-tamper: property: no tampering below the newest checkpoint passes", async () => {
    const last = (newest().body.match(/"seq":(\d+)/g) as string[])
      .map((s) => Number(s.slice(6)))
      .at(-1) as number;
    const index = fc.integer({ min: 0, max: last });
    const tampering = fc.oneof(
      fc.record({ kind: fc.constant("delete"), i: index, j: index, relink: fc.boolean() }),
      fc.record({ kind: fc.constant("modify"), i: index, j: index, relink: fc.boolean() }),
      fc.record({ kind: fc.constant("insert"), i: index, j: index, relink: fc.boolean() }),
      fc.record({ kind: fc.constant("swap"), i: index, j: index, relink: fc.boolean() }),
      fc.record({ kind: fc.constant("truncate"), i: index, j: index, relink: fc.boolean() }),
    );
    await fc.assert(
      fc.asyncProperty(tampering, async ({ kind, i, j, relink }) => {
        const [a, b] = [good[i] as string, good[j] as string];
        let lines = good;
        if (kind === "delete") lines = good.toSpliced(i, 1);
        if (kind === "modify") lines = good.with(i, changed(a));
        if (kind === "insert") lines = good.toSpliced(i, 0, b);
        if (kind === "swap") lines = good.with(i, b).with(j, a);
        if (kind === "truncate") lines = good.slice(0, i);
        fc.pre(lines.join("\n") !== good.join("\n"));
        const report = await verify(relink ? relinked(lines, 0) : lines);
        if (relink && relinked(lines, 0).join("\n") === good.join("\n")) return;
        expect(report.valid).toBe(false);
        // Nothing before the place of the tampering is blamed for more than one event too early.
        if (!relink)
          expect(report.firstBad?.seq).toBeGreaterThanOrEqual(Math.min(i, kind === "swap" ? j : i) - 1);
      }),
      { numRuns: 300 },
    );
  });
});

describe("what was not properly signed did not happen", () => {
  const stranger = () => ed25519Signer(new Uint8Array(32).fill(7));
  test.each<[string, string, () => Promise<Lies>]>([
    ["forged-outcome", "do not approve it", async () => ({ statementBy: await stranger() })],
    ["forged-outcome", "do not approve it", async () => ({ decision: "reject" })],
    ["sender-impersonation", "header is not signed", async () => ({ headerBy: await stranger() })],
    ["consume by a stranger", "consume is not signed", async () => ({ consumeBy: await stranger() })],
    ["receipt by a stranger", "receipt is not signed", async () => ({ receiptBy: await stranger() })],
    ["cross-request-splice", "receipt's effective", async () => ({ consumedFor: at.app })],
    ["stale-grant", "after its time", async () => ({ receiptTime: time + 2001 })],
  ])("%s: %s", async (_name, why, lie) => {
    const report = await verifyChain(await written([await lie()]), { roster: at.roster });
    expect(report.valid).toBe(false);
    expect(report.problems.join("\n")).toContain(why);
  });

  test("double-execution: one request used by two calls", async () => {
    const request = at.app;
    const report = await verifyChain(await written([{ request }, { request }]), { roster: at.roster });
    expect(report.problems.join("\n")).toContain("used twice");
    expect(report.problems.join("\n")).toContain("and ran");
  });

  test("revoked-device: counted by the roster as of the consume", async () => {
    const target = { kind: "device", id: at.deviceId } as const;
    const after = await at.extend(at.roster, { kind: "revoke", target, reason: null });
    expect((await verifyChain(good, { roster: after })).problems).toEqual([]);
    const before = at;
    at = { ...at, roster: after };
    const late = await written([{}]);
    at = before;
    expect((await verifyChain(late, { roster: after })).problems.join()).toContain("do not approve it");
  });

  test("kill-switch-race: a suspended agent ran", async () => {
    const after = await at.extend(at.roster, { kind: "suspend", agent: "bot", reason: null });
    const before = at;
    at = { ...at, roster: after };
    const late = await written([{}]);
    at = before;
    expect((await verifyChain(late, { roster: after })).problems.join()).toContain("suspended");
    expect((await verifyChain(late, { roster: at.roster })).problems.join()).toContain("fetch it anew");
  });

  test("declined and run, run unproposed", async () => {
    const evidence = memoryEvidence();
    const chain = await open(evidence);
    const call = { call: "c", request: null };
    const action = { tool_name: "t", call_id: null, action_digest: at.app };
    chain.append({ type: "TOOL_CALL_PROPOSED", session: null, payload: { call: "c", ...action } });
    chain.append({
      type: "TOOL_CALL_DENIED",
      session: null,
      payload: { ...call, code: "denied", reasons: [] },
    });
    const run = { execution_id: "e", effective: at.app };
    chain.append({ type: "TOOL_CALL_EXECUTED", session: null, payload: { ...call, ...run } });
    chain.append({ type: "TOOL_CALL_EXECUTED", session: null, payload: { ...call, call: "d", ...run } });
    await chain.close();
    const report = await verifyChain(evidence.lines, { roster: null });
    expect(report.problems[0]).toContain("denied, and ran");
    expect(report.problems[1]).toContain("never proposed");
    expect(report.calls.unknown).toBe(1);
  });
});
