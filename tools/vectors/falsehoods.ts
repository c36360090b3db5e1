/** The chains of the evidence vectors that a verifier must not pass. */
import { canonicalJson, digestOf, type Signed } from "../../packages/core/src/index.ts";
import type { Add, Given } from "./evidence.ts";
import { word } from "./random.ts";
import { hour } from "./requests.ts";
import { type Passkey, software } from "./signers.ts";
import { hashOf, type Lies, Story, short } from "./story.ts";
import { now, type World } from "./world.ts";

type Event = { seq: number; prev_hash?: string; payload: Record<string, unknown> } & Record<string, unknown>;
const read = (line: string | undefined) => JSON.parse(line as string) as Event;
const changed = (line: string | undefined) => canonicalJson({ ...read(line), ts_unix_ms: 1 } as never);

/** Links everything from `from` on again, as somebody without the key can. */
function relinked(lines: readonly string[], from: number): string[] {
  const out = lines.slice(0, from);
  for (const line of lines.slice(from)) {
    const { prev_hash: _, ...event } = read(line);
    const last = out.at(-1);
    out.push(
      canonicalJson({ ...event, seq: out.length, ...(last ? { prev_hash: hashOf(last) } : {}) } as never),
    );
  }
  return out;
}

export async function falsehoods(w: World, add: Add): Promise<void> {
  await tampered(w, add);
  await unproven(w, add);
  await disorder(w, add);
  await checkpoints(w, add);
}

/** Events: 0 checkpoint, 1–7 call a, 8 checkpoint, 9–13 call b, 14 checkpoint. */
async function tampered(w: World, add: Add): Promise<void> {
  const story = await Story.begin(w);
  await story.approved("a");
  await story.checkpoint();
  story.allow("b");
  await story.checkpoint();
  const good = story.lines;
  const checkpoint = story.checkpoints.at(-1) as Signed;
  const bad = (name: string, at: number, lines: readonly string[], rest: Partial<Given> = {}) =>
    add(`chain-tamper: ${name}`, { lines, checkpoint, bad: at, ...rest });
  const put = (at: number, line: string) => good.with(at, line);

  await bad("modify", 4, put(4, changed(good[4])));
  await bad("modify the first", 0, put(0, changed(good[0])));
  await bad("modify and link again", 7, relinked(put(4, changed(good[4])), 5));
  await bad(
    "modify after the newest checkpoint inside, and link again",
    13,
    relinked(good.slice(0, 14).with(10, changed(good[10])), 11),
  );
  await bad(
    "change the link",
    5,
    put(5, canonicalJson({ ...read(good[5]), prev_hash: "0".repeat(64) } as never)),
  );
  await bad(
    "change the link of the last event",
    13,
    put(14, canonicalJson({ ...read(good[14]), prev_hash: "0".repeat(64) } as never)),
  );
  await bad("delete", 5, good.toSpliced(5, 1));
  await bad("delete the first", 0, good.slice(1));
  await bad("delete and link again", 1, relinked(good.toSpliced(1, 1), 1));
  await bad("insert", 6, good.toSpliced(6, 0, good[3] as string));
  await bad("insert and link again", 7, relinked(good.toSpliced(4, 0, good[2] as string), 4));
  await bad("reorder", 4, good.with(4, good[5] as string).with(5, good[4] as string));
  await bad("truncate", 12, good.slice(0, 12));
  await bad("truncate to nothing", 0, []);
  await bad("fork", 5, good.toSpliced(6, 0, changed(good[5])));
  await bad("fork of the first", 0, good.toSpliced(1, 0, changed(good[0])));
  await bad("reuse a sequence number", 6, put(6, canonicalJson({ ...read(good[6]), seq: 5 } as never)));
  await bad("skip a sequence number", 6, put(6, canonicalJson({ ...read(good[6]), seq: 7 } as never)));
  await bad(
    "no link",
    6,
    put(6, canonicalJson((({ prev_hash: _, ...event }) => event)(read(good[6])) as never)),
  );
  await bad(
    "a link at the first event",
    0,
    put(0, canonicalJson({ ...read(good[0]), prev_hash: "0".repeat(64) } as never)),
  );
  await bad(
    "another app's event",
    6,
    relinked(put(6, canonicalJson({ ...read(good[6]), tenant_id: word("app") } as never)), 6),
  );
  await bad(
    "another agent's event",
    6,
    relinked(put(6, canonicalJson({ ...read(good[6]), user_id: "other" } as never)), 6),
  );
  await bad("an unknown member", 6, put(6, canonicalJson({ ...read(good[6]), note: "x" } as never)));
  await bad(
    "an unknown event type",
    6,
    relinked(put(6, canonicalJson({ ...read(good[6]), event_type: "TOOL_CALL_FORGOTTEN" } as never)), 6),
  );
  await bad(
    "a payload that is no object",
    6,
    put(6, canonicalJson({ ...read(good[6]), payload: [] } as never)),
  );
  await bad(
    "a time that is no integer",
    6,
    put(6, canonicalJson({ ...read(good[6]), ts_unix_ms: 1.5 } as never)),
  );
  await bad("canonical-confusion: white space", 6, put(6, ` ${good[6]}`));
  await bad("canonical-confusion: a carriage return", 6, put(6, `${good[6]}\r`));
  await bad(
    "canonical-confusion: a key twice",
    6,
    put(6, (good[6] as string).replace("{", '{"call_again":1,"call_again":1,')),
  );
  await bad("an empty line", 6, good.toSpliced(6, 0, ""));
  await bad("a torn last line", 14, put(14, (good[14] as string).slice(0, 200)));
  await bad("not JSON", 3, put(3, "\ufffd"));

  const stranger = await software("stranger");
  const copy = await Story.begin(w, { signer: stranger });
  await copy.approved("a");
  await add("chain-tamper: re-sign with another key", { lines: copy.lines, bad: 0 });
  const impostor = await Story.begin(w, { agent: "nobody" });
  impostor.allow("a");
  await add("an agent that is not on the roster", { lines: impostor.lines, bad: 0 });
  await add("cross-tenant: another app's roster", { lines: good, roster: "stranger", bad: 0 });
  await add("the roster to verify with is too old", {
    lines: (await Story.begin(w, { head: w.head(17) })).lines,
    roster: "calm",
    bad: 0,
  });
  await add("roster-fork: a head that is not on the roster", {
    lines: (await Story.begin(w, { head: { seq: 5, hash: word("x") } })).lines,
    bad: 0,
  });
}

/** One approved call in which one thing is a lie. Events: 1 proposed, 2 policy, 3 asked, 4 decided, 5 allowed, 6 run, 7 result. */
async function unproven(w: World, add: Add): Promise<void> {
  const { alice, bob, carol, mallory } = w.people;
  const stranger = await software("stranger");
  const bad = async (name: string, at: number, lies: Lies, given: Partial<Given> = {}) => {
    const story = await Story.begin(w);
    await story.approved("a", lies);
    await story.checkpoint();
    await add(name, { lines: story.lines, bad: at, ...given });
  };
  await bad("not-an-approver: a statement of somebody else", 5, { said: [[mallory]] });
  await bad("forged-outcome: no statement", 5, { said: [] });
  await bad("forged-outcome: a statement that the device did not sign", 5, {
    said: [[{ ...alice, signer: stranger }]],
  });
  await bad("forged-outcome: a rejection called an approval", 5, { said: [[alice, { decision: "reject" }]] });
  await bad("outcome-replay: a statement for another paper", 5, {
    said: [[alice, { requestDigest: word("p") }]],
  });
  await bad("cross-request-splice: a statement for another request", 5, {
    said: [[alice, { request: word("r") }]],
  });
  await bad("one-person-quorum: one of two", 5, {
    terms: { quorum: 2 },
    said: [[alice], [alice, { time: now }]],
  });
  await bad("self-approval: only the requester", 5, {
    terms: { requester: alice.identity },
    said: [[alice]],
  });
  await bad("revoked-device: revoked before the consume", 5, { head: w.head(18) });
  await bad("revoked-device: its identity was revoked before the consume", 5, {
    head: w.head(19),
    said: [[bob]],
  });
  await bad("stale-delivery: signed after the grace", 5, { said: [[alice, { time: now + 2 * hour }]] });
  await bad("edited-tool-escape: an edit where none is allowed", 5, {
    terms: { editable: false },
    effective: digestOf("e"),
    said: [[alice, { effective: digestOf("e"), response: word("reply") }]],
  });
  await bad("toctou-args: another action than was approved", 5, { effective: digestOf("e") });
  await bad("toctou-args: another action runs", 6, { executed: { effective: digestOf("e") } });
  await bad("csrf-clickjack: an assertion without user verification", 5, {
    said: [
      [
        {
          ...carol,
          signer: { ...carol.signer, sign: (data) => (carol.signer as Passkey).assert(data, { flags: 1 }) },
        },
      ],
    ],
  });
  await bad("sender-impersonation: the header is not the agent's", 3, { headerBy: w.other.signer });
  await bad("the header is for another action", 3, { header: { actionDigest: word("a") } });
  await bad("the header is another request's", 3, { header: { request: word("r") } });
  await bad("the header is another agent's", 3, { header: { agent: "other" } });
  await bad("the header has an unknown member", 3, { header: { note: "x" } });
  await bad("threshold-zero: a quorum of 0", 3, { terms: { quorum: 0 } });
  await bad("the consume is not the agent's", 5, { consumeBy: w.other.signer });
  await bad("the consume is for another request", 5, { consume: { request: word("r") } });
  await bad("the consume is for another paper", 5, { consume: { requestDigest: word("p") } });
  await bad("the consume is for another action", 5, { consume: { effective: word("e") } });
  await bad("the consume is another app's", 5, { consume: { app: word("app") } });
  await bad("the consume names a roster that there is not", 5, {
    consume: { roster: { seq: 4, hash: word("x") } },
  });
  await bad("no consume", 5, { allowed: { consume: null } });
  await bad("no receipt", 5, { allowed: { receipt: null } });
  await bad("wrong receipt: signed by another key", 5, { receiptBy: stranger });
  await bad("wrong receipt: signed by the agent", 5, { receiptBy: w.agent.signer });
  await bad("wrong receipt: of a relay that is not on the roster", 5, { receipt: { relay: "other" } });
  await bad("wrong receipt: of a relay before it was on the roster", 5, { receipt: { roster: w.head(0) } });
  await bad("wrong receipt: for another attempt", 5, { receipt: { attempt: short("another") } });
  await bad("wrong receipt: for another request", 5, { receipt: { request: word("r") } });
  await bad("wrong receipt: for another action", 5, { receipt: { effective: word("e") } });
  await bad("stale-grant: used after useBy", 5, { receipt: { time: now + 2 * hour + 1 } });
  await bad("kill-switch-race: suspended at the consume", 5, { consume: { roster: w.head(16) } });
  await bad("kill-switch-race: suspended when it was allowed", 5, { allowed: { roster: w.head(16) } });
  await bad("an unknown member of a payload", 5, { allowed: { note: "x" } });
  await bad("forged-outcome: expired, and ran", 5, { outcome: "expired" });
  await bad("decided for another action than was allowed", 5, { allowed: { effective: digestOf("e") } });
  await bad("allowed for another action than was proposed", 5, { allowed: { action_digest: digestOf("e") } });
  await bad("allowed under another request", 5, { allowed: { request: word("r") } });
  await bad("ran under another request", 6, { executed: { request: null } });
  await bad("the result of another run", 7, { result: { execution_id: "another" } });
}

/** Calls out of order. */
async function disorder(w: World, add: Add): Promise<void> {
  const { bob } = w.people;
  const bad = async (
    name: string,
    at: number,
    tell: (story: Story) => unknown,
    given: Partial<Given> = {},
  ) => {
    const story = await Story.begin(w);
    await tell(story);
    await story.checkpoint();
    await add(name, { lines: story.lines, bad: at, ...given });
  };
  const effective = digestOf("action a");
  const run = { request: null, execution_id: short("a"), effective };
  await bad("double-execution: an approval is consumed twice", 12, async (s) => {
    const request = await s.approved("a");
    await s.approved("b", { request });
  });
  await bad("double-execution: one call runs twice", 6, (s) => {
    s.allow("a");
    s.append("TOOL_CALL_EXECUTED", { call: short("a"), ...run });
  });
  await bad("double-execution: one call is allowed twice", 6, (s) => {
    s.allow("a");
    s.append("TOOL_CALL_ALLOWED", {
      call: short("a"),
      request: null,
      action_digest: effective,
      effective,
      consume: null,
      receipt: null,
      roster: s.head,
    });
  });
  await bad("fail-open-outage: ran without being allowed", 3, (s) =>
    s.propose("a", "allow").append("TOOL_CALL_EXECUTED", { call: short("a"), ...run }),
  );
  await bad("ran without being proposed", 1, (s) =>
    s.append("TOOL_CALL_EXECUTED", { call: short("a"), ...run }),
  );
  await bad("policy did not allow it, and nobody was asked", 3, (s) => {
    s.propose("a", "require_approval");
    s.append("TOOL_CALL_ALLOWED", {
      call: short("a"),
      request: null,
      action_digest: effective,
      effective,
      consume: null,
      receipt: null,
      roster: s.head,
    });
  });
  await bad("policy allowed another action", 3, (s) =>
    s.allow("a", { allowed: { effective: digestOf("e") } }),
  );
  await bad("decline-falls-through: denied, and ran", 4, (s) =>
    s
      .propose("a", "allow")
      .deny("a", null, "denied")
      .append("TOOL_CALL_EXECUTED", { call: short("a"), ...run }),
  );
  await bad("decline-falls-through: denied, and allowed", 4, (s) => {
    s.propose("a", "allow").deny("a", null, "denied");
    s.append("TOOL_CALL_ALLOWED", {
      call: short("a"),
      request: null,
      action_digest: effective,
      effective,
      consume: null,
      receipt: null,
      roster: s.head,
    });
  });
  await bad("a call is proposed twice", 3, (s) => s.propose("a", "allow").propose("a", "allow"));
  await bad("decided without being asked", 3, (s) =>
    s.propose("a", "require_approval").append("APPROVAL_DECIDED", {
      call: short("a"),
      request: word("r"),
      outcome: "expired",
      effective: null,
      statements: [],
    }),
  );
  await bad("forged-outcome: rejected, and nobody rejected", 4, (s) =>
    s.decide("a", "rejected", null, { said: [[bob]] }),
  );
  await bad("kill-switch-race: allowed by policy while suspended", 3, (s) =>
    s.allow("a", { allowed: { roster: w.head(16) } }),
  );
  await bad("two results of one run", 6, (s) => {
    s.allow("a");
    s.append("TOOL_RESULT", {
      call: short("a"),
      request: null,
      execution_id: short("a"),
      status: "ok",
      result_digest: null,
      error: null,
    });
  });
  await bad("a result without a run", 1, (s) =>
    s.append("TOOL_RESULT", {
      call: short("a"),
      request: null,
      execution_id: "x",
      status: "ok",
      result_digest: null,
      error: null,
    }),
  );
  await bad(
    "without a roster, order is judged all the same",
    3,
    (s) => s.propose("a", "allow").append("TOOL_CALL_EXECUTED", { call: short("a"), ...run }),
    { roster: null },
  );
  await bad(
    "an unknown member of a payload, without a roster",
    1,
    (s) => s.append("ERROR_RAISED", { call: short("a"), code: "x", message: "x", stack: "x" }),
    { roster: null },
  );
}

/** Checkpoints that do not fit. */
async function checkpoints(w: World, add: Add): Promise<void> {
  const stranger = await software("stranger");
  const bad = async (name: string, at: number | "error", change: object, signer = w.agent.signer) => {
    const story = await Story.begin(w);
    story.allow("a");
    await story.checkpoint(change as never, signer);
    await add(`checkpoint: ${name}`, { lines: story.lines, bad: at });
  };
  await bad("not signed by the agent", 6, {}, stranger);
  await bad("of another chain", 6, { chain: short("another") });
  await bad("of another agent", 6, { agent: "other" });
  await bad("covers another event", 5, { hash: "0".repeat(64) });
  await bad("covers an event that comes later", 6, { seq: 6 });
  await bad("covers nothing", 6, { seq: null, hash: null });
  await bad("a hash without a number", 6, { seq: null });
  await bad("an unknown member", 6, { note: "x" });
  await bad("downgrade: another version", 6, { type: "guard/v2/checkpoint" });
  await bad("names a roster that there is not", 6, { roster: { seq: 99, hash: word("x") } });
  const back = await Story.begin(w);
  back.allow("a");
  await back.checkpoint();
  await back.checkpoint({ seq: 3, hash: hashOf(back.lines[3] as string) });
  await add("checkpoint: covers less than the one before", { lines: back.lines, bad: 7 });
  const covering = new Story(w);
  await covering.checkpoint({ seq: 0, hash: "0".repeat(64) });
  await add("checkpoint: the first covers something", { lines: covering.lines, bad: 0 });
  const headless = new Story(w);
  headless.allow("a");
  await add("a chain that does not begin with a checkpoint", { lines: headless.lines, bad: 0 });

  const story = await Story.begin(w);
  story.allow("a");
  await story.checkpoint();
  const { lines } = story;
  const other = await Story.begin(w, { id: "another chain" });
  other.allow("b");
  await other.checkpoint();
  await add("checkpoint from elsewhere: another chain's", {
    lines,
    checkpoint: other.checkpoints.at(-1) as Signed,
    bad: 0,
  });
  const twin = await Story.begin(w);
  twin.allow("b");
  await twin.checkpoint();
  await add("chain-tamper: two chains of one id: the checkpoint from elsewhere is the other's", {
    lines,
    checkpoint: twin.checkpoints.at(-1) as Signed,
    bad: 5,
  });
  const forged = await Story.begin(w);
  await forged.checkpoint({}, stranger);
  await add("checkpoint from elsewhere: not signed by the agent", {
    lines,
    checkpoint: forged.checkpoints.at(-1) as Signed,
    bad: "error",
  });
  await add("checkpoint from elsewhere: not readable", {
    lines,
    checkpoint: { body: "{}", signature: "" },
    bad: "error",
  });
}
