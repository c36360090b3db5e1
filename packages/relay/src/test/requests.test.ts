import { base64url, randomBytes, readHeader, readReceipt, signObject, verifySigned } from "@guard/core";
import { describe, expect, test } from "vitest";
import { office } from "./fixture.ts";

describe("asking", () => {
  test("a request reaches its device with the device's own wrap, and the agent without one", async () => {
    const { agent, alice } = await office();
    const view = await agent.ask();
    expect(view).toMatchObject({ state: "pending", version: 1, wrap: null, answers: [] });
    const seen = await alice.get(view.request);
    expect(seen.status).toBe(200);
    expect(seen.body.wrap).not.toBeNull();
    expect(seen.body.ciphertext).toBe(view.ciphertext);
  });

  test("the same request again is joined, whatever its paper; round 0 gets the latest round", async () => {
    const { agent, clock } = await office();
    const first = await agent.ask({ key: "k" });
    clock.now += 10;
    const again = await agent.post(await agent.draft({ key: "k" }));
    expect(again.status).toBe(200);
    expect(again.body.header).toEqual(first.header);
    const second = await agent.ask({ key: "k", round: 1 });
    expect((await agent.get(first.request)).body.state).toBe("superseded");
    expect((await agent.post(await agent.draft({ key: "k" }))).body.request).toBe(first.request);
    expect((await agent.post(await agent.draft({ key: "k", round: 3 }))).body.error.code).toBe(
      "round_conflict",
    );
    expect((await agent.post(await agent.draft({ key: "k", round: 1 }))).body.request).toBe(second.request);
  });

  test("a superseded request can no longer be answered", async () => {
    const { agent, alice } = await office();
    const first = await agent.ask({ key: "k" });
    await agent.ask({ key: "k", round: 1 });
    const late = await alice.answer(first);
    expect([late.status, late.body.error.code]).toEqual([409, "already_decided"]);
  });

  test("double-execution: what was consumed is not asked anew under its key", async () => {
    const { agent, alice } = await office();
    const view = await agent.ask({ key: "k" });
    await alice.answer(view);
    expect((await agent.consume(view)).status).toBe(200);
    expect((await agent.post(await agent.draft({ key: "k", round: 1 }))).body.error.code).toBe(
      "round_conflict",
    );
  });

  test("sender-impersonation: a header signed by another key, or for another agent, is refused", async () => {
    const { app, agent } = await office();
    const other = await app.agent("other");
    const body = await agent.draft();
    const forged = { ...body, header: await signObject(other.keys.signer, readHeader(body.header)) };
    expect((await agent.post(forged)).body.error.code).toBe("invalid");
    expect((await other.post(body)).body.error.code).toBe("invalid");
  });

  test("cross-request-splice: another ciphertext, wrap or recipient list is refused", async () => {
    const { agent } = await office();
    const [a, b] = [await agent.draft(), await agent.draft()];
    for (const body of [
      { ...a, ciphertext: b.ciphertext },
      { ...a, wraps: b.wraps },
      { ...a, wraps: [...a.wraps, ...a.wraps] },
      { ...a, ciphertext: `${a.ciphertext}!` },
    ]) {
      const refused = await agent.post(body);
      expect([refused.status, refused.body.error.code]).toEqual([400, "invalid"]);
    }
    expect((await agent.post({ ...a, wraps: [] })).status).toBe(400);
    expect((await agent.post({ ...a, extra: 1 })).status).toBe(400);
  });

  test("bad-ciphertext: a wrap or reply that is no text of any encoding is refused, not an error of the relay's", async () => {
    const { agent, alice } = await office();
    const draft = await agent.draft();
    const wraps = draft.wraps.map((wrap) => ({ ...wrap, enc: "\ud800" }));
    const asked = await agent.post({ ...draft, wraps });
    expect([asked.status, asked.body.error.code]).toEqual([400, "invalid"]);
    const view = await agent.ask();
    const answer = { ...(await alice.answerTo(view)), reply: { enc: "\ud800", ciphertext: "" } };
    const refused = await alice.post(view.request, answer);
    expect([refused.status, refused.body.error.code]).toEqual([400, "invalid"]);
  });

  test("a clock that is off by more than five minutes is named, and so is the relay's", async () => {
    const { agent, clock } = await office();
    for (const off of [-301_000, 301_000]) {
      const createdAt = clock.now + off;
      const refused = await agent.post(await agent.draft({ paper: { createdAt }, lifetime: 400_000 }));
      expect(refused.body.error.code).toBe("clock_skew");
      expect(refused.body.error.message).toContain(new Date(createdAt).toISOString());
      expect(refused.body.error.message).toContain(new Date(clock.now).toISOString());
    }
    expect((await agent.post(await agent.draft({ lifetime: 31 * 86_400_000 }))).body.error.code).toBe(
      "invalid",
    );
  });

  test("not-an-approver: a recipient that is not an active device of an approver is refused", async () => {
    const { app, agent, alice } = await office();
    const bob = await app.device("bob@example.com");
    const terms = { approvers: [alice.identity] };
    const refused = await agent.post(await agent.draft({ terms, devices: [bob] }));
    expect(refused.body.error.code).toBe("no_device");
    await app.append({ kind: "revoke", target: { kind: "device", id: alice.device }, reason: null });
    expect((await agent.post(await agent.draft({ terms, devices: [alice] }))).body.error.code).toBe(
      "no_device",
    );
  });

  test("quota-exhaustion: open requests are bounded, and a decided one makes room", async () => {
    const { agent } = await office({ limits: { openRequests: 2 } });
    const view = await agent.ask();
    await agent.ask();
    const refused = await agent.post(await agent.draft());
    expect([refused.status, refused.body.error.code]).toEqual([429, "too_many_open"]);
    expect(refused.headers.get("retry-after")).not.toBeNull();
    expect((await agent.cancel(view)).body.state).toBe("cancelled");
    await agent.ask();
  });
});

describe("answering", () => {
  test("an approval approves, and the same statement again is a lost reply", async () => {
    const { agent, alice } = await office();
    const view = await agent.ask();
    const answer = await alice.answerTo(view);
    const first = await alice.post(view.request, answer);
    expect(first.body).toMatchObject({ state: "approved", version: 2 });
    const again = await alice.post(view.request, answer);
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
    expect((await agent.get(view.request)).body.answers).toEqual([answer]);
  });

  test("vote-after-terminal: a late answer is recorded, not passed on, and changes nothing", async () => {
    const { app, agent, alice } = await office();
    const bob = await app.device("bob@example.com");
    const view = await agent.ask();
    await alice.answer(view);
    const late = await bob.answer(view, { decision: "reject" });
    expect(late.body.error.code).toBe("already_decided");
    const seen = (await agent.get(view.request)).body;
    expect(seen.state).toBe("approved");
    expect(seen.answers).toHaveLength(1);
  });

  test("not-an-approver: an enrolled device of somebody else does not even see it", async () => {
    const { app, agent, alice } = await office();
    const bob = await app.device("bob@example.com");
    const view = await agent.ask({ terms: { approvers: [alice.identity] } });
    expect((await bob.get(view.request)).status).toBe(404);
    expect((await bob.answer(view)).status).toBe(404);
    const posing = await alice.answer(view, { identity: bob.identity });
    expect([posing.status, posing.body.error.code]).toEqual([400, "invalid"]);
  });

  test("forged-outcome: a statement that is not signed by its device is refused", async () => {
    const { agent, alice, app } = await office();
    const view = await agent.ask();
    expect((await alice.answer(view, {}, null, app.root)).body.error.code).toBe("invalid");
    const other = await agent.ask();
    const moved = await alice.post(other.request, await alice.answerTo(view));
    expect(moved.body.error.code).toBe("invalid");
    expect((await agent.get(view.request)).body.state).toBe("pending");
  });

  test("reason-injection: a reply that the statement does not sign is refused", async () => {
    const { agent, alice } = await office();
    const view = await agent.ask();
    const reply = (reason: string) =>
      ({ type: "guard/v1/reply", request: view.request, reason, edit: null }) as const;
    const [a, b] = [await alice.answerTo(view, {}, reply("a")), await alice.answerTo(view, {}, reply("b"))];
    expect((await alice.post(view.request, { ...a, reply: b.reply })).body.error.code).toBe("invalid");
    expect((await alice.post(view.request, { ...a, reply: null })).body.error.code).toBe("invalid");
    expect((await alice.post(view.request, a)).body.state).toBe("approved");
  });

  test("one-person-quorum: two devices of one person are one person", async () => {
    const { app, agent, alice } = await office();
    const phone = await app.device("alice@example.com");
    const bob = await app.device("bob@example.com");
    const view = await agent.ask({ terms: { quorum: 2 } });
    expect((await alice.answer(view)).body).toMatchObject({ state: "pending", version: 2 });
    expect((await phone.answer(view)).body).toMatchObject({ state: "pending", version: 3 });
    expect((await bob.answer(view)).body.state).toBe("approved");
  });

  test("who answers both ways has rejected; with a quorum an edit supersedes", async () => {
    const { app, agent, alice } = await office();
    await app.device("bob@example.com");
    const view = await agent.ask({ terms: { quorum: 2 } });
    await alice.answer(view);
    expect((await alice.answer(view, { decision: "reject" })).body.state).toBe("rejected");
    const edited = await agent.ask({ terms: { quorum: 2 } });
    const effective = base64url(randomBytes(32));
    const reply = {
      type: "guard/v1/reply",
      request: edited.request,
      reason: null,
      edit: { args: { amount: 1 } },
    } as const;
    expect((await alice.answer(edited, { effective }, reply)).body.state).toBe("superseded");
  });

  test("expiry-race: the relay's clock decides in the transaction, and reads agree", async () => {
    const { agent, alice, clock } = await office();
    const view = await agent.ask({ lifetime: 1000 });
    clock.now += 999;
    const timely = await agent.ask({ lifetime: 1000 });
    const answer = await alice.answerTo(view);
    clock.now += 1;
    const late = await alice.post(view.request, answer);
    expect([late.status, late.body.error.code]).toEqual([409, "expired"]);
    expect((await agent.get(view.request)).body.state).toBe("expired");
    expect((await alice.answer(timely)).body.state).toBe("approved");
    clock.now -= 100_000;
    expect((await agent.get(view.request)).body.state).toBe("expired");
  });

  test("clock-rollback: a statement from the future is refused", async () => {
    const { agent, alice, clock } = await office();
    const view = await agent.ask({ lifetime: 3_600_000 });
    const refused = await alice.answer(view, { time: clock.now + 301_000 });
    expect(refused.body.error.code).toBe("clock_skew");
  });

  test("statements of one device on one request are bounded", async () => {
    const { app, agent, alice, clock } = await office({ limits: { statements: 2 } });
    await app.device("bob@example.com");
    const view = await agent.ask({ terms: { quorum: 2 } });
    for (const status of [200, 200, 429]) {
      clock.now += 1;
      expect((await alice.answer(view)).status).toBe(status);
    }
  });
});

describe("running", () => {
  test("a receipt is signed by the relay's key and names the attempt", async () => {
    const { agent, alice, relay, app } = await office();
    const view = await agent.ask();
    expect((await agent.consume(view)).body.error.code).toBe("not_approved");
    await alice.answer(view);
    const attempt = base64url(randomBytes(16));
    const { receipt } = (await agent.consume(view, { attempt })).body;
    expect(await verifySigned(relay.key, receipt)).toBe(true);
    expect(readReceipt(receipt)).toMatchObject({
      attempt,
      request: view.request,
      relay: "relay",
      roster: app.roster().head,
    });
    expect((await agent.get(view.request)).body.state).toBe("executing");
    expect((await agent.report(view, attempt)).body.state).toBe("completed");
    expect((await agent.report(view, attempt)).body.state).toBe("completed");
    expect((await agent.consume(view)).body.error.code).toBe("completed");
  });

  test("consume-retry: repeating an attempt returns the same bytes", async () => {
    const { agent, alice, clock } = await office();
    const view = await agent.ask();
    await alice.answer(view);
    const attempt = base64url(randomBytes(16));
    const first = await agent.consume(view, { attempt });
    clock.now += 5;
    const again = await agent.consume(view, { attempt });
    expect(again.body).toEqual(first.body);
    expect((await agent.consume(view)).body.error.code).toBe("in_progress");
  });

  test("double-execution: of 100 racing attempts one gets a receipt", async () => {
    const { agent, alice } = await office();
    const view = await agent.ask();
    await alice.answer(view);
    const all = await Promise.all(Array.from({ length: 100 }, () => agent.consume(view)));
    expect(all.filter((one) => one.status === 200)).toHaveLength(1);
    expect(new Set(all.filter((one) => one.status !== 200).map((one) => one.body.error.code))).toEqual(
      new Set(["in_progress"]),
    );
  });

  test("kill-switch-race: an approval from before does not run a suspended agent", async () => {
    const { app, agent, alice } = await office();
    const view = await agent.ask();
    await alice.answer(view);
    await app.append({ kind: "suspend", agent: agent.name, reason: null });
    const refused = await agent.consume(view);
    expect([refused.status, refused.body.error.code]).toEqual([403, "suspended"]);
    expect((await agent.post(await agent.draft())).body.error.code).toBe("suspended");
    expect((await agent.get(view.request)).body.state).toBe("approved");
    await app.append({ kind: "lift", agent: agent.name });
    expect((await agent.consume(view)).status).toBe(200);
  });

  test("kill-switch-race: a suspension in the same group of commits comes first or not at all", async () => {
    const { app, agent, alice, call } = await office();
    const view = await agent.ask();
    await alice.answer(view);
    const entry = await app.sign({ kind: "suspend", agent: agent.name, reason: null });
    const [suspended, consumed] = await Promise.all([
      call(app.owner, "POST", "/v1/roster", { entry }),
      agent.consume(view),
    ]);
    expect(suspended.status).toBe(201);
    if (consumed.status === 200) {
      expect(readReceipt(consumed.body.receipt).roster.seq).toBe(suspended.body.seq - 1);
    } else expect(consumed.body.error.code).toBe("suspended");
  });

  test("stale-grant: an approval ends at useBy", async () => {
    const { agent, alice, clock } = await office();
    const view = await agent.ask({ lifetime: 1000, useFor: 1000 });
    await alice.answer(view);
    clock.now += 2000;
    expect((await agent.consume(view)).body.error.code).toBe("expired");
    expect((await agent.get(view.request)).body.state).toBe("expired");
  });

  test("revoked-device: an approval does not outlive the device that gave it", async () => {
    const { app, agent, alice } = await office();
    const view = await agent.ask();
    await alice.answer(view);
    await app.append({ kind: "revoke", target: { kind: "device", id: alice.device }, reason: null });
    expect((await agent.consume(view)).body.error.code).toBe("not_approved");
  });

  test("what is consumed has to be what was approved, signed by its agent", async () => {
    const { app, agent, alice } = await office();
    const view = await agent.ask();
    await alice.answer(view);
    const other = base64url(randomBytes(32));
    expect((await agent.consume(view, { effective: other })).body.error.code).toBe("not_approved");
    expect((await agent.consume(view, { requestDigest: other })).body.error.code).toBe("not_approved");
    expect((await agent.consume(view, {}, app.root)).body.error.code).toBe("invalid");
    expect((await agent.consume(view, { request: other })).body.error.code).toBe("invalid");
  });

  test("roster-fork: a consume under a head that the relay does not have is refused", async () => {
    const { app, agent, alice } = await office();
    const view = await agent.ask();
    await alice.answer(view);
    const { seq, hash } = app.roster().head;
    const other = base64url(randomBytes(32));
    for (const roster of [
      { seq: seq + 1, hash },
      { seq, hash: other },
      { seq: 0, hash },
    ])
      expect((await agent.consume(view, { roster })).body.error.code).toBe("roster_behind");
    const old = { seq: 0, hash: (await import("@guard/core")).idOf(app.first) };
    expect((await agent.consume(view, { roster: old })).status).toBe(200);
  });

  test("a run that nobody reports is unknown, and a late report is still taken", async () => {
    const { agent, alice, clock } = await office();
    const view = await agent.ask();
    await alice.answer(view);
    const attempt = base64url(randomBytes(16));
    await agent.consume(view, { attempt, executionTimeout: 1000 });
    clock.now += 1000;
    expect((await agent.get(view.request)).body.state).toBe("unknown");
    expect((await agent.consume(view)).body.error.code).toBe("unknown");
    expect((await agent.report(view, base64url(randomBytes(16)))).body.error.code).toBe("not_approved");
    expect((await agent.report(view, attempt)).body.state).toBe("completed");
  });

  test("cancel: what was not used can be withdrawn, what was used cannot", async () => {
    const { agent, alice } = await office();
    const view = await agent.ask();
    await alice.answer(view);
    expect((await agent.cancel(view)).body.state).toBe("cancelled");
    expect((await agent.cancel(view)).body.state).toBe("cancelled");
    expect((await agent.consume(view)).body.error.code).toBe("not_approved");
    const used = await agent.ask();
    await alice.answer(used);
    await agent.consume(used);
    expect((await agent.cancel(used)).body.error.code).toBe("already_decided");
  });
});
