/** Chains of the evidence vectors that are linked well and prove nothing: lies in one call, and calls out of order. */
import { digestOf, type Signer, signObject, type UnsignedAnswer } from "../../packages/core/src/index.ts";
import { unsignedOf } from "./answers.ts";
import type { Add, Given } from "./evidence.ts";
import { word } from "./random.ts";
import { hour } from "./sealing.ts";
import { type Passkey, software } from "./signers.ts";
import { type Lies, Story, short } from "./story.ts";
import { checkpoints, tampered } from "./tampered.ts";
import { now, type World } from "./world.ts";

export async function falsehoods(w: World, add: Add): Promise<void> {
  await tampered(w, add);
  await unproven(w, add);
  await disorder(w, add);
  await checkpoints(w, add);
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
  const unsigned = async (
    name: string,
    at: number,
    { terms = { unsigned: "noxy" }, ...lies }: Lies = {},
    change: Partial<UnsignedAnswer> = {},
    signer: Signer = w.agent.signer,
  ) => {
    const of = { ...new Story(w).question("a", { terms }) };
    const answer = unsignedOf(w, of, alice, change);
    await bad(`forged-outcome: an unsigned answer ${name}`, at, {
      ...{ terms, said: [await signObject(signer, answer)], ...lies },
    });
  };
  await unsigned("where the terms accept none", 5, { terms: {} });
  await unsigned("where two have to approve", 3, { terms: { unsigned: "noxy", quorum: 2 } });
  await unsigned("of somebody who was not asked", 5, {}, { identity: mallory.identity });
  await unsigned("that the agent did not write down", 5, {}, {}, alice.signer);
  await unsigned("to another request", 5, {}, { request: word("r") });
  await unsigned("that edits", 5, { effective: digestOf("edited") }, { effective: digestOf("edited") });
  await unsigned("that carries a reply", 5, {}, { response: word("reply") as unknown as null });
  await unsigned("over a wire that nobody knows", 5, {}, { wire: "pigeon" as "noxy" });
  await unsigned("after expiry", 5, {}, { time: now + 2 * hour });
  await bad("forged-outcome: sealed to nobody, and no other wire to ask over", 3, {
    header: { recipients: [] },
  });
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
  const approvers = [bob.identity, alice.identity];
  const twice = { device: alice.device, wrapHash: word("wrap") };
  await bad("the header's approvers do not ascend", 3, { terms: { approvers } });
  await bad("the header names an approver twice", 3, {
    terms: { approvers: [alice.identity, alice.identity] },
  });
  const alone = { approvers: [alice.identity], requester: alice.identity };
  await bad("self-approval: the header's only approver is its requester", 3, { terms: alone });
  await bad("the header names a device twice", 3, { header: { recipients: [twice, twice] } });
  await bad("the header expires when it was made", 3, { header: { createdAt: now + hour } });
  await bad("the header may be used until before it expires", 3, { header: { useBy: now + hour - 1 } });
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
  const byPolicy = ({ head }: Story) => ({
    call: short("a"),
    request: null,
    action_digest: effective,
    effective,
    consume: null,
    receipt: null,
    roster: head,
  });
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
    s.append("TOOL_CALL_ALLOWED", byPolicy(s));
  });
  await bad("fail-open-outage: ran without being allowed", 3, (s) =>
    s.propose("a", "allow").append("TOOL_CALL_EXECUTED", { call: short("a"), ...run }),
  );
  await bad("ran without being proposed", 1, (s) =>
    s.append("TOOL_CALL_EXECUTED", { call: short("a"), ...run }),
  );
  await bad("policy did not allow it, and nobody was asked", 3, (s) => {
    s.propose("a", "require_approval");
    s.append("TOOL_CALL_ALLOWED", byPolicy(s));
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
    s.append("TOOL_CALL_ALLOWED", byPolicy(s));
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
