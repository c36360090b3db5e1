/** Vectors of evidence: chains, and what a verifier has to say of them. */
import {
  canonicalJson,
  digestOf,
  readRoster,
  type Signed,
  signObject,
  verifyChain,
} from "../../packages/core/src/index.ts";
import { unsignedOf } from "./answers.ts";
import { falsehoods } from "./falsehoods.ts";
import { word } from "./random.ts";
import { software } from "./signers.ts";
import { Story, short } from "./story.ts";
import type { VectorFile, World } from "./world.ts";

export interface Given {
  readonly lines: readonly string[];
  /** Name of the roster to verify with; null: hashes and order alone. Default `later`. */
  readonly roster?: "calm" | "later" | "stranger" | null;
  readonly checkpoint?: Signed | null;
  /** The first bad sequence number; null where all is good; "error" where there is no verdict at all. */
  readonly bad?: number | "error";
}
export type Add = (name: string, given: Given) => Promise<void>;

export async function evidence(w: World): Promise<VectorFile> {
  const stranger = await strangers();
  const rosters = { calm: w.calm.entries, later: w.later.entries, stranger: stranger.entries };
  const cases: object[] = [];
  const add: Add = async (name, { lines, roster = "later", checkpoint = null, bad }) => {
    const options = {
      roster:
        roster === null
          ? null
          : await readRoster(rosters[roster], { app: roster === "stranger" ? stranger.app : w.app }),
      checkpoint,
    };
    const given = { name, roster, checkpoint, lines };
    if (bad === "error") {
      const why = await verifyChain(lines, options).then(
        () => null,
        (error: Error) => error.message,
      );
      if (why === null) throw new Error(`evidence: ${name} should give no verdict`);
      cases.push({ ...given, expected: { error: true }, why });
      return;
    }
    const report = await verifyChain(lines, options);
    const seq = report.firstBad?.seq ?? null;
    if (seq !== (bad ?? null))
      console.error(`evidence: ${name}: wanted ${bad} ${JSON.stringify(report.problems)}`);
    const { valid, events, checkpoints, uncovered, chain, agent, calls, requests } = report;
    const expected = { valid, firstBad: seq, events, checkpoints, uncovered, chain, agent, calls, requests };
    cases.push({ ...given, expected, ...(report.firstBad ? { why: report.firstBad.why } : {}) });
  };
  await truths(w, add);
  await falsehoods(w, add);
  return {
    description:
      "Evidence (section 10). A case is verified with the roster of `rosters` that it names (null: hashes and order alone) and the checkpoint known from elsewhere, if there is one. `expected.error`: there is no verdict. `firstBad` is the sequence number of the first event that cannot be relied on. `why` is a hint.",
    app: w.app,
    rootKey: w.root.key,
    rosters,
    cases,
  };
}

async function strangers() {
  const { appendEntry, foundRoster } = await import("../../packages/core/src/index.ts");
  return appendEntry(null, await foundRoster(await software("stranger"), 1_799_000_000_000));
}

async function truths(w: World, add: Add): Promise<void> {
  const { alice, bob, carol, dave, mallory } = w.people;
  const one = async (name: string, tell: (story: Story) => unknown, given: Partial<Given> = {}) => {
    const story = await Story.begin(w);
    await tell(story);
    await story.checkpoint();
    await add(name, { lines: story.lines, checkpoint: story.checkpoints.at(-1) as Signed, ...given });
  };
  await one("nothing happened", () => {});
  await one("approved", (s) => s.approved("a"));
  await one("approved by a passkey", (s) => s.approved("a", { said: [[dave]] }));
  await one("edited", (s) => {
    const effective = digestOf("edited");
    return s.approved("a", { effective, said: [[alice, { effective, response: word("reply") }]] });
  });
  await one("rejected", async (s) => {
    const of = await s.decide("a", "rejected", null, {
      said: [[bob, { decision: "reject", response: word("reply") }]],
    });
    s.deny("a", of.request, "rejected");
  });
  await one("denied by policy", (s) =>
    s.propose("a", "deny").deny("a", null, "denied", ["Deletions go through the data team"]),
  );
  await one("expired", async (s) =>
    s.deny("a", (await s.decide("a", "expired", null, { said: [] })).request, "expired"),
  );
  await one("cancelled", async (s) =>
    s.deny("a", (await s.decide("a", "cancelled", null, { said: [] })).request, "cancelled"),
  );
  await one("forged-outcome: noticed and recorded", async (s) =>
    s.deny(
      "a",
      (await s.decide("a", "verification_failed", null, { said: [[mallory]] })).request,
      "verification_failed",
    ),
  );
  await one("allowed by policy", (s) => s.allow("a"));
  await one("allowed by policy, arguments captured", (s) =>
    s.allow("a", { args: { amount: 12.5, note: "naïve 😀\u2028" } }),
  );
  await one("a tool's error", (s) =>
    s.approved("a", { result: { status: "error", result_digest: null, error: "TypeError" } }),
  );
  await one("quorum 2, by a P-256 key and a passkey", (s) =>
    s.approved("a", { terms: { quorum: 2 }, said: [[bob], [carol]] }),
  );
  await one("self-approval: the requester's own answer is not counted", (s) =>
    s.approved("a", { terms: { requester: alice.identity }, said: [[alice], [carol]] }),
  );
  for (const decision of ["approve", "reject"] as const) {
    await one(`an unsigned answer: ${decision}`, async (s) => {
      const terms = { unsigned: "noxy" } as const;
      const answer = unsignedOf(w, s.question("a", { terms }), alice, { decision, roster: s.head });
      const lies = { terms, said: [await signObject(s.signer, answer)], header: { recipients: [] } };
      if (decision === "approve") return s.approved("a", lies);
      return s.deny("a", (await s.decide("a", "rejected", null, lies)).request, "rejected");
    });
  }
  await one("an unsigned answer that came beside a signed one", async (s) => {
    const terms = { unsigned: "noxy" } as const;
    const answer = unsignedOf(w, s.question("a", { terms }), bob, { roster: s.head });
    return s.approved("a", { terms, said: [[alice], await signObject(s.signer, answer)] });
  });
  await one("quorum 2, edited: asked anew as another call", async (s) => {
    const effective = digestOf("action b");
    const said = [[alice, { effective, response: word("reply") }]] as const;
    await s.decide("a", "superseded", effective, {
      terms: { quorum: 2 },
      said: [...said.map(([p, c]) => [p, c] as [typeof p, typeof c])],
    });
    await s.approved("b", { terms: { quorum: 2 }, said: [[alice], [bob]] });
  });
  await one("two calls ask for one request, one of them runs", async (s) => {
    const first = await s.ask("a");
    s.append("TOOL_CALL_PROPOSED", {
      call: short("b"),
      tool_name: "refund",
      call_id: "c2",
      action_digest: digestOf("action a"),
    });
    s.append("POLICY_DECISION", {
      call: short("b"),
      outcome: "require_approval",
      rule: "refund",
      version: "v1",
      reasons: [],
    });
    s.append("APPROVAL_REQUESTED", {
      call: short("b"),
      request: first.of.request,
      header: await s.header(first.of),
    });
    s.deny("b", first.of.request, "in_progress");
  });
  await one("revoked-device: revoked later, still valid as of the consume", (s) => s.approved("a"), {
    roster: "later",
  });
  await one("verified with the roster of that day", (s) => s.approved("a"), { roster: "calm" });
  await one("kill-switch-race: suspended, denied; lifted, run", async (s) => {
    s.head = w.head(16);
    s.propose("a", "allow").deny("a", null, "denied", ["the agent is suspended"]);
    s.head = w.head(17);
    await s.approved("b");
  });
  await one("other event types and an error", async (s) => {
    s.append("MODEL_CALL_STARTED", { model: "m", depth: [1, { two: 2 }] });
    s.append("ERROR_RAISED", { call: short("a"), code: "unavailable", message: "x" });
    s.session = null;
    s.allow("b");
  });
  await one("no checkpoint from elsewhere", (s) => s.approved("a"), { checkpoint: null });
  await one(
    "without a roster, signatures are not judged",
    (s) => s.approved("a", { said: [[mallory]], headerBy: alice.signer }),
    { roster: null },
  );

  const crash = await Story.begin(w);
  await crash.approved("a", { stop: 6 });
  await add("unknown: a crash while the tool ran", { lines: crash.lines });
  const early = await Story.begin(w);
  await early.approved("a", { stop: 5 });
  await add("a crash between consume and run", { lines: early.lines });

  const long = await Story.begin(w);
  await long.approved("a");
  await long.checkpoint();
  long.allow("b");
  await long.decide("c", "rejected", null, { said: [[carol, { decision: "reject" }]] });
  await long.checkpoint({
    seq: 9,
    hash: (JSON.parse(long.lines[10] as string) as { prev_hash: string }).prev_hash,
  });
  long.allow("d", { result: { status: "error", result_digest: null, error: "Error" } });
  await long.checkpoint();
  long.allow("e", { stop: 6 });
  await add("a longer chain", { lines: long.lines, checkpoint: long.checkpoints.at(-1) as Signed });
  await add("an older checkpoint from elsewhere", {
    lines: long.lines,
    checkpoint: long.checkpoints[1] as Signed,
  });
  await add("chain-tamper: truncate, and nothing outside says so", { lines: long.lines.slice(0, 9) });
  const last = JSON.parse(long.lines.at(-1) as string) as { ts_unix_ms: number };
  const changed = long.lines.with(-1, canonicalJson({ ...last, ts_unix_ms: 1 } as never));
  await add("chain-tamper: modify after the newest checkpoint, which nothing can show", { lines: changed });
}
