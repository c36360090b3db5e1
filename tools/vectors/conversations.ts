/**
 * Vectors of talking to a relay: founding an app, enrolling a device, asking, answering, consuming, reporting.
 * Each step is one HTTP call at one time by the relay's clock, and what has to come back.
 */
import { base64url, digestOf, type Signed, type Signer } from "../../packages/core/src/index.ts";
import type { Question } from "./answers.ts";
import { seed } from "./random.ts";
import { request } from "./sealing.ts";
import { operator, setup, Talk } from "./talk.ts";
import { now, relayUrl, type VectorFile, type World } from "./world.ts";

export async function conversations(w: World): Promise<VectorFile> {
  const { alice, bob, mallory } = w.people;
  const made = await request(w, "talk");
  const { request: id, expiresAt, useBy } = JSON.parse(made.header.body) as Question & { useBy: number };
  const two = { ...paperTerms(), quorum: 2 };
  const pair = await request(w, "pair", { terms: two });
  const second = await request(w, "talk", { round: 1, supersedes: id });
  const cases: object[] = [];
  const add = async (name: string, tell: (talk: Talk) => unknown) => {
    const talk = new Talk(w);
    await tell(talk);
    cases.push({ name, steps: talk.steps });
  };
  const state = (of: string, rest: object = {}) => ({ reply: { request: id, state: of, ...rest } });

  await add("asked, approved, consumed, reported", async (t) => {
    t.ask(made, 201, state("pending", { version: 1, wrap: null, roster: w.calm.head })).ask(
      made,
      200,
      state("pending"),
    );
    t.read(made, "pending", "alice");
    await t.answer(made, "alice", {}, 200, state("approved", { version: 2 }));
    await t.answer(made, "alice", {}, 200, state("approved"));
    await t.consume(made, "one");
    t.read(made, "executing");
    await t.report(made, "one", "completed", 200, state("completed"));
    await t.report(made, "one", "completed", 200, state("completed"));
    t.ask(made, 200, state("completed"));
  });
  await add("consume-retry: the same attempt gets the same receipt", async (t) => {
    await t.ask(made).answer(made, "alice");
    await t.consume(made, "one");
    t.at += 1000;
    await t.consume(made, "one", { first: now });
    await t.report(made, "one", "failed");
    await t.consume(made, "one", { first: now });
  });
  await add("double-execution: another attempt is told what is there", async (t) => {
    await t.ask(made).answer(made, "alice");
    await t.consume(made, "one");
    await t.consume(made, "two", { status: 409, code: "in_progress" });
    t.at += 600_000;
    t.read(made, "unknown");
    await t.consume(made, "two", { status: 409, code: "unknown" });
    await t.report(made, "two", "completed", 409, { code: "not_approved" });
    await t.report(made, "one", "completed", 200, state("completed"));
    await t.consume(made, "two", { status: 409, code: "completed" });
    t.ask(second, 409, { code: "round_conflict" });
  });
  await add("not approved, and consumed", async (t) => {
    await t.ask(made).consume(made, "one", { status: 409, code: "not_approved" });
    await t.answer(made, "bob", { decision: "reject" }, 200, state("rejected"));
    await t.consume(made, "one", { status: 409, code: "not_approved" });
    await t.answer(made, "alice", {}, 409, { code: "already_decided" });
  });
  await add("quorum 2", async (t) => {
    await t.ask(pair).answer(pair, "alice", {}, 200, { reply: { state: "pending", version: 2 } });
    await t.consume(pair, "one", { status: 409, code: "not_approved" });
    await t.answer(pair, "bob", {}, 200, { reply: { state: "approved", version: 3 } });
    await t.consume(pair, "one");
  });
  await add("toctou-args: a consume for something else", async (t) => {
    await t.ask(made).answer(made, "alice");
    const refused = (status: number, code: string, change: object, signer?: Signer) =>
      t.consume(made, "one", { status, code, change, ...(signer ? { signer } : {}) });
    await refused(409, "not_approved", { effective: digestOf("e") });
    await refused(409, "not_approved", { requestDigest: digestOf("p") });
    await refused(400, "invalid", { request: digestOf("r") });
    await refused(400, "invalid", { app: digestOf("a") });
    await refused(400, "invalid", { executionTimeout: 999 });
    await refused(400, "invalid", { note: "x" });
    await refused(400, "invalid", {}, w.other.signer);
    await refused(409, "roster_behind", { roster: { seq: 15, hash: digestOf("h") } });
    await refused(409, "roster_behind", { roster: { seq: 16, hash: digestOf("h") } });
    await t.consume(made, "one");
  });
  await add("expiry", async (t) => {
    t.ask(made);
    t.at = expiresAt - 1;
    t.read(made, "pending");
    t.at = expiresAt;
    t.read(made, "expired");
    await t.answer(made, "alice", { time: expiresAt - 1000 }, 409, { code: "expired" });
    await t.consume(made, "one", { status: 409, code: "expired" });
    t.at = now;
    t.read(made, "expired");
  });
  await add("stale-grant: approved, and not used in time", async (t) => {
    await t.ask(made).answer(made, "alice");
    t.at = useBy - 1;
    t.read(made, "approved");
    t.at = useBy;
    await t.consume(made, "one", { status: 409, code: "expired" });
  });
  await add("asked anew: the next round supersedes", async (t) => {
    t.ask(made)
      .ask(second, 201, { reply: { state: "pending", version: 1 } })
      .read(made, "superseded");
    await t.answer(made, "alice", {}, 409, { code: "already_decided" });
    await t.answer(second, "alice", {}, 200, { reply: { state: "approved" } });
    await t.cancel(second, 200, { reply: { state: "cancelled" } });
    await t.cancel(second, 200, { reply: { state: "cancelled" } });
    await t.cancel(made, 409, { code: "already_decided" });
  });
  await add("a round that does not follow", async (t) => {
    t.ask(second, 409, { code: "round_conflict" });
  });
  await add("kill-switch-race: suspended after the approval", async (t) => {
    await t.ask(made).answer(made, "alice");
    t.append(w.later.entries[16] as Signed);
    await t.consume(made, "one", { status: 403, code: "suspended" });
    t.ask(made, 403, { code: "suspended" });
  });
  await add("revoked-device: revoked after the approval", async (t) => {
    await t.ask(made).answer(made, "alice");
    for (const entry of w.later.entries.slice(16, 19)) t.append(entry);
    await t.consume(made, "one", { status: 409, code: "not_approved" });
    t.call("alice", "GET", `/v1/requests/${id}`, undefined, 401, { code: "unauthorized" });
    const late = await request(w, "late");
    t.ask(late, 400, { code: "no_device" });
  });
  await add("statements that the relay does not take", async (t) => {
    t.ask(made);
    await t.answer(made, "mallory", {}, 404, { code: "not_found" });
    await t.answer(made, "alice", { device: bob.device, identity: bob.identity }, 400, { code: "invalid" });
    await t.answer(made, "alice", { identity: mallory.identity }, 400, { code: "invalid" });
    await t.answer(made, "alice", { requestDigest: digestOf("p") }, 400, { code: "invalid" });
    await t.answer(made, "alice", { response: digestOf("r") }, 400, { code: "invalid" });
    await t.answer(made, "alice", { time: now + 300_001 }, 400, { code: "clock_skew" });
    await t.answer(made, "alice", { time: now + 300_000 }, 200, state("approved"));
  });
  await add("requests that the relay does not take", async (t) => {
    t.ask(made, 403, { code: "forbidden" }, "alice").ask(made, 400, { code: "invalid" }, "other agent");
    t.call(null, "POST", "/v1/requests", {}, 401, { code: "unauthorized" });
    t.ask({ ...made, ciphertext: `${made.ciphertext.slice(0, -2)}AA` }, 400, { code: "invalid" });
    t.ask({ ...made, wraps: made.wraps.slice(1) }, 400, { code: "invalid" });
    t.ask({ ...made, header: { ...made.header, signature: pair.header.signature } }, 400, {
      code: "invalid",
    });
    t.ask(await request(w, "outsider", {}, [mallory]), 400, { code: "no_device" });
    t.at = now + 300_001;
    t.ask(made, 400, { code: "clock_skew" });
    t.at = now - 300_000;
    t.ask(made, 201);
  });
  await add("cross-tenant: what is not yours does not exist", async (t) => {
    t.ask(made).call("other agent", "GET", `/v1/requests/${id}`, undefined, 404, { code: "not_found" });
    t.call("mallory", "GET", `/v1/requests/${id}`, undefined, 404, { code: "not_found" });
    t.call("owner", "GET", `/v1/requests/${id}`, undefined, 403, { code: "forbidden" });
    t.call("agent", "GET", "/v1/requests?state=open", undefined, 200, {
      reply: { requests: [{ request: id, state: "pending", version: 1 }], roster: w.calm.head },
    });
    t.call("agent", "GET", "/v1/requests?state=all", undefined, 400, { code: "invalid" });
    t.call("agent", "GET", "/v1/roster?from=14", undefined, 200, {
      reply: { entries: w.calm.entries.slice(14), head: w.calm.head },
    });
  });
  return {
    description:
      "Talking to a relay (section 9). Every case starts at a new relay (`relay.seed` makes the key that signs receipts, `relay.operatorToken` registers apps) after the steps of `setup`. A step is one call at time `at` by the relay's clock: `status`, the error's `code`, and the members of `reply` have to come back.",
    relay: {
      url: relayUrl,
      seed: base64url(seed("ed25519 relay")),
      operatorToken: operator,
      key: w.relay.key,
    },
    app: w.app,
    agentSeed: base64url(seed("agent billing")),
    setup: await setup(w),
    cases,
  };

  function paperTerms() {
    return {
      approvers: [alice.identity, bob.identity],
      quorum: 1,
      rejections: 1,
      editable: true,
      requester: null,
    };
  }
}
