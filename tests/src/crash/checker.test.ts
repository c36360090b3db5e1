// The checker can fail: each falsified world is found out, by the name of the promise that it breaks.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canonicalJson, digestOf, readLine } from "@guard/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { problemsOf } from "./checker.ts";
import { install } from "./installation.ts";
import type { Item, Plan } from "./plan.ts";
import { leave } from "./run.ts";
import type { Stored, World } from "./world.ts";

const item = (tool: Item["tool"], answer: Item["answer"], wanted: number | null): Item => ({
  item: `${tool}-${answer}`,
  tool,
  amount: 300,
  answer,
  wanted,
  fails: false,
});
const plan: Plan = {
  seed: 1,
  fault: "none",
  items: [
    item("lookup", null, 300),
    item("pay", "approve", 300),
    item("wire", "edit", 30),
    item("pay", "reject", null),
  ],
  mode: "wait",
  agents: 1,
  real: [],
  patient: false,
  thinking: 0,
  deaths: { relay: [], agent: [], device: [] },
  jumps: [],
  disk: null,
};

const directory = mkdtempSync(join(tmpdir(), "guard-checker-"));
let world: World;
beforeAll(async () => {
  const installation = await install(join(directory, "installation"));
  const grounds = { program: { file: "", env: {} }, installation, directory, mounts: false };
  ({ world } = await leave(grounds, plan, 9_000 + (process.pid % 900)));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What is found in the world with `change` made to it. */
const found = (change: Partial<World>) => problemsOf({ ...world, ...change });
const finds = (promise: string) =>
  expect.arrayContaining([expect.stringMatching(new RegExp(`^${promise}: `))]);
const paid = () => world.effects.find((effect) => effect.item === "pay-approve") as World["effects"][0];
/** The requests, with something else about the one that was paid. */
const changed = (change: Partial<Stored>) => ({
  stored: world.stored.map((one) => (one.request === paid().request ? { ...one, ...change } : one)),
});
const chain = () => world.chains[0] as World["chains"][0];

test("a world in which everything was kept has no problems", async () => {
  expect(await found({})).toEqual([]);
  expect(world.effects.map((effect) => [effect.item, effect.amount])).toEqual(
    expect.arrayContaining([
      ["lookup-null", 300],
      ["pay-approve", 300],
      ["wire-edit", 30],
    ]),
  );
  expect(world.acks.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(["ask", "answer", "consume", "report"]),
  );
});

test("double-execution: a side effect that happened twice is found, also under another execution", async () => {
  expect(await found({ effects: [...world.effects, paid()] })).toEqual(finds("double-execution"));
  const other = { ...paid(), executionId: "another", request: "another" };
  expect(await found({ effects: [...world.effects, other] })).toEqual(finds("double-execution"));
});

test("double-execution: what was used and could run again is found", async () => {
  const again = world.again.map((one) => (one.item === "pay-approve" ? { ...one, end: "ready" } : one));
  expect(await found({ again })).toEqual(finds("double-execution"));
  const unseen = world.effects.filter((effect) => effect !== paid());
  expect(await found({ again, effects: unseen })).toEqual(finds("double-execution"));
});

test("two-writers: one start in two chains is found", async () => {
  const chains = [...world.chains, { ...chain(), file: "agent.2.jsonl" }];
  expect(await found({ chains })).toEqual(finds("double-execution"));
});

test("consume-retry: an acknowledged request, answer, consume or report that is gone or another one is found", async () => {
  const other = { body: "{}", signature: "another" };
  const gone = world.stored.filter(({ request }) => request !== paid().request);
  for (const change of [
    { stored: gone },
    changed({ answers: [] }),
    changed({ ciphertext: "another" }),
    changed({ receipt: other }),
    changed({ receipt: null }),
    changed({ report: other }),
    changed({ report: null, state: "unknown" }),
  ])
    expect(await found(change)).toEqual(finds("lost"));
});

test("expiry-race: an end that was taken back is found, and a version that went back", async () => {
  expect(await found(changed({ state: "unknown" }))).toEqual(finds("lost"));
  expect(await found(changed({ version: 1 }))).toEqual(finds("lost"));
  expect(await found({ damage: ["row 1 missing from index"] })).toEqual(finds("lost"));
});

test("act-without-log: a run that no evidence shows is found", async () => {
  const effects = [
    ...world.effects,
    { ...paid(), executionId: "unheard of", item: "lookup-null", request: null },
  ];
  expect(await found({ effects })).toEqual(finds("act-without-log"));
  expect(await found({ chains: [] })).toEqual(finds("act-without-log"));
});

test("act-without-log: a run on a receipt that the relay did not give is found", async () => {
  const receipt = { body: "{}", signature: "another" };
  expect(await found({ ...changed({ receipt }), acks: [] })).toEqual(finds("act-without-log"));
});

test("chain-tamper: a removed event, a cut and a forged chain are found", async () => {
  const types = chain().lines.map((line) => readLine(line).event_type);
  for (const type of [
    "TOOL_CALL_ALLOWED",
    "TOOL_CALL_EXECUTED",
    "APPROVAL_DECIDED",
    "TOOL_RESULT",
  ] as const) {
    const lines = chain().lines.filter((_, n) => n !== types.indexOf(type));
    expect(await found({ chains: [{ ...chain(), lines }] })).toEqual(finds("chain"));
    const forged = linked(
      lines.filter((line) => readLine(line).event_type !== "CHECKPOINT_CREATED" || readLine(line).seq === 0),
    );
    expect(await found({ chains: [{ ...chain(), lines: forged, checkpoint: null }] })).not.toEqual([]);
  }
  expect(await found({ chains: [{ ...chain(), lines: chain().lines.slice(0, -2) }] })).toEqual(
    finds("chain"),
  );
});

test("act-without-log: statements left out of a chain that is linked anew are found", async () => {
  const bare = chain().lines.map((line) => {
    const event = readLine(line);
    const statements = event.event_type === "APPROVAL_DECIDED" ? { statements: [] } : {};
    return canonicalJson({ ...event, payload: { ...event.payload, ...statements } } as never);
  });
  expect(await found({ chains: [{ ...chain(), lines: linked(bare), checkpoint: null }] })).toEqual(
    finds("act-without-log"),
  );
});

test("what ran is not what people approved: other arguments and a rejected action are found", async () => {
  const dearer = world.effects.map((effect) => (effect === paid() ? { ...effect, amount: 301 } : effect));
  expect(await found({ effects: dearer })).toEqual(finds("not-approved"));
  const refused = { ...paid(), item: "pay-reject" };
  expect(await found({ effects: [...world.effects, refused] })).toEqual(finds("not-approved"));
});

test("double-execution: a consumed request without an end that is not unknown is found", async () => {
  const acks: World["acks"] = [];
  expect(await found({ ...changed({ report: null, state: "executing" }), acks })).toEqual(finds("uncertain"));
  expect(await found({ ...changed({ report: null, state: "approved" }), acks })).toEqual(finds("uncertain"));
  expect(await found({ ...changed({ attempt: null, report: null }), acks })).toEqual(finds("uncertain"));
  const effects = world.effects.filter((effect) => effect !== paid());
  expect(await found({ effects })).toEqual(finds("uncertain"));
});

test("a caller who was told of a run that nobody knows of is found", async () => {
  for (const end of ["already_executed", "in_progress", "unknown_state"]) {
    const told = world.told.map((one) => (one.item === "pay-approve" ? { ...one, end } : one));
    const stored = {
      ...changed({ attempt: null, report: null, receipt: null, state: "approved" }),
      acks: [],
    };
    expect(await found({ told, effects: [], ...stored })).toEqual(
      expect.arrayContaining([expect.stringMatching(/^uncertain: a caller was told that pay-approve/)]),
    );
  }
});

test("an action without an end, a wrong end, and a process that ended by itself are found", async () => {
  const without = world.told.filter(({ item }) => item !== "pay-approve");
  expect(await found({ told: without })).toEqual(finds("end"));
  const wrong = world.told.map((one) => (one.item === "pay-reject" ? { ...one, end: "expired" } : one));
  expect(await found({ told: wrong })).toEqual(finds("end"));
  for (const exit of [
    { name: "agent-1.0", role: "agent", code: 1, signal: null, by: "itself" },
    { name: "agent-1.0", role: "agent", code: null, signal: "SIGSEGV", by: "itself" },
    { name: "relay-1.0", role: "relay", code: 0, signal: null, by: "itself" },
    { name: "device-1.0", role: "device", code: 75, signal: null, by: "itself" },
  ] as const)
    expect(await found({ exits: [exit] })).toEqual(finds("end"));
});

/** The same events as a chain whose links fit: what somebody writes who has the file and not the key. */
function linked(lines: readonly string[]): string[] {
  const made: string[] = [];
  for (const [seq, line] of lines.entries()) {
    const { prev_hash: _, ...event } = readLine(line);
    const before = made.at(-1);
    const hash = before === undefined ? {} : { prev_hash: hexDigest(before) };
    made.push(canonicalJson({ ...event, seq, ...hash } as never));
  }
  return made;
}

const hexDigest = (text: string) => Buffer.from(digestOf(text), "base64url").toString("hex");
