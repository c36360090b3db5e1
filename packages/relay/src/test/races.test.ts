// Time at the relay: what is decided when several things happen at one instant, when the clock is set, and after the end.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  base64url,
  outcomeOf,
  type RequestState,
  type RequestView,
  randomBytes,
  readHeader,
  readStatement,
} from "@guard/core";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { type Answered, office, world } from "./fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "guard-races-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = () => join(folder, `${base64url(randomBytes(8))}.db`);
const seeded = (numRuns: number) => ({
  numRuns,
  ...(process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) }),
});

const attempt = () => base64url(randomBytes(16));
const over: ReadonlySet<RequestState> = new Set([
  "rejected",
  "expired",
  "cancelled",
  "superseded",
  "completed",
]);

/** The office again over the same file, as after a restart; tokens and keys stay. */
async function reopened(database: string, clock: { now: number }) {
  const again = await world({ database, clock });
  return {
    ...again,
    get: async (token: string, request: string) =>
      (await again.call(token, "GET", `/v1/requests/${request}`)).body as RequestView,
  };
}

describe("expiry-race", () => {
  test("expiry-race: whoever comes first at the boundary, everybody reads one history, also after a restart", async () => {
    const database = file();
    const clock = { now: Date.now() };
    const place = await office({ database, clock, limits: { tokenRate: { perSecond: 1e6, burst: 1e6 } } });
    const { agent, alice, relay, call } = place;
    const ends = new Map<string, RequestView>();
    const movesSchema = fc.array(
      fc.record({
        what: fc.constantFrom("answer", "read", "device reads", "list", "sweep", "consume", "cancel", "turn"),
        // Around expiry, on both sides of it, back and forth.
        at: fc.constantFrom(-2, -1, 0, 1),
      }),
      { minLength: 3, maxLength: 14 },
    );
    await fc.assert(
      fc.asyncProperty(movesSchema, async (moves) => {
        const began = clock.now;
        const view = await agent.ask({ lifetime: 1000, useFor: 3_600_000 });
        const { expiresAt } = readHeader(view.header);
        const own = attempt();
        const answer = await alice.answerTo(view);
        const work: Promise<{ what: string; at: number; got: Answered } | null>[] = [];
        for (const { what, at } of moves) {
          clock.now = expiresAt + at;
          const made = (got: Promise<Answered>) => work.push(got.then((each) => ({ what, at, got: each })));
          if (what === "answer") made(alice.post(view.request, answer));
          else if (what === "read") made(agent.get(view.request));
          else if (what === "device reads") made(alice.get(view.request));
          else if (what === "list") made(call(agent.token, "GET", "/v1/requests"));
          else if (what === "sweep") relay.sweep();
          else if (what === "consume")
            made(agent.consume(view, { attempt: own, executionTimeout: 3_600_000 }));
          else if (what === "cancel" && at === 1) made(agent.cancel(view));
          else await new Promise((resolve) => setImmediate(resolve));
        }
        const answered = (await Promise.all(work)).filter((each) => each !== null);
        clock.now = expiresAt + 1;
        const [mine, theirs] = [(await agent.get(view.request)).body, (await alice.get(view.request)).body];
        expect(theirs.state).toBe(mine.state);
        expect(["approved", "executing", "expired", "cancelled"]).toContain(mine.state);
        // One state for each version, whoever read it: and once it is over, nobody reads anything else.
        const history = new Map<number, RequestState>();
        for (const { got } of answered) {
          if (got.status !== 200 || got.body.version === undefined) continue;
          expect(history.get(got.body.version) ?? got.body.state).toBe(got.body.state);
          history.set(got.body.version, got.body.state);
        }
        for (const [version, state] of history) if (over.has(state)) expect(version).toBe(mine.version);
        // The answer counts for everybody or for nobody.
        const accepted = answered.some(({ what, got }) => what === "answer" && got.status === 200);
        expect(mine.answers).toHaveLength(accepted ? 1 : 0);
        if (mine.state === "expired") expect(accepted).toBe(false);
        if (moves.every(({ at }) => at >= 0)) expect(accepted).toBe(false);
        const ran = answered.some(({ what, got }) => what === "consume" && got.status === 200);
        expect(ran).toBe(mine.state === "executing");
        ends.set(view.request, mine);
        clock.now = Math.max(clock.now, began);
      }),
      seeded(150),
    );
    await relay.close();
    // What was decided is on the disk: a restart with the clock set back a day changes nothing.
    clock.now -= 86_400_000;
    const again = await reopened(database, clock);
    for (const [request, end] of ends) {
      const { state, version } = await again.get(agent.token, request);
      expect({ state, version }).toEqual({ state: end.state, version: end.version });
    }
    await again.relay.close();
  });

  test.each([-1, 0, 1])(
    "expiry-race: 200 answers on their way while the clock passes expiry by %d ms: each counts or is told that it is too late",
    async (by) => {
      const place = await office();
      const { agent, alice, clock, relay } = place;
      const views = await Promise.all(Array.from({ length: 200 }, () => agent.ask({ lifetime: 1000 })));
      const answers = await Promise.all(views.map((view) => alice.answerTo(view)));
      const posted = views.map((view, i) => alice.post(view.request, answers[i]));
      // Some are counted by now, some are being checked.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      clock.now += 1000 + by;
      if (by > 0) relay.sweep();
      const statuses = await Promise.all(posted);
      for (const [i, { status, body }] of statuses.entries()) {
        const { state } = (await agent.get((views[i] as RequestView).request)).body;
        if (by < 0) expect([status, state]).toEqual([200, "approved"]);
        else if (status === 200) expect(state).toBe("approved");
        else expect([body.error.code, state]).toEqual(["expired", "expired"]);
      }
    },
  );

  test("expiry-race: the relay's clock says when an answer came, the device's 60 s of grace cannot stretch it", async () => {
    const place = await office();
    const { agent, alice, clock } = place;
    const at = async (arrival: number, time: number) => {
      const view = await agent.ask({ lifetime: 10_000 });
      const { expiresAt } = readHeader(view.header);
      const answer = await alice.answerTo(view, { time: expiresAt + time });
      const before = clock.now;
      clock.now = expiresAt + arrival;
      const { status, body } = await alice.post(view.request, answer);
      const { state } = (await agent.get(view.request)).body;
      clock.now = before;
      return [status, body.error?.code ?? null, state];
    };
    expect(await at(-1, -1)).toEqual([200, null, "approved"]);
    expect(await at(-1, 60_000)).toEqual([200, null, "approved"]);
    expect(await at(-1, 60_001)).toEqual([400, "invalid", "pending"]);
    for (const time of [-9000, -1, 0, 59_999, 60_001])
      expect(await at(0, time)).toEqual([409, "expired", "expired"]);
  });

  test("expiry-race: useBy and consume at one instant: one transaction decides, and the receipt is from before", async () => {
    const place = await office();
    const { agent, alice, clock, relay } = place;
    const racers = Array.from({ length: 60 }, async (_, i) => {
      const view = await agent.ask({ lifetime: 1000, useFor: 1000 });
      await alice.answer(view);
      return { view, consume: await agent.consumeOf(view), early: i % 3 === 0 };
    });
    const all = await Promise.all(racers);
    const { useBy } = readHeader((all[0] as (typeof all)[0]).view.header);
    const send = ({ view, consume }: (typeof all)[0]) =>
      place.call(agent.token, "POST", `/v1/requests/${view.request}/consume`, { consume });
    clock.now = useBy - 1;
    const early = all.filter((each) => each.early).map((each) => ({ each, got: send(each) }));
    await new Promise((resolve) => setImmediate(resolve));
    clock.now = useBy;
    const late = all.filter((each) => !each.early).map((each) => ({ each, got: send(each) }));
    relay.sweep();
    for (const { each, got } of [...early, ...late]) {
      const { status, body } = await got;
      const { state } = (await agent.get(each.view.request)).body;
      if (status === 200) {
        expect(state).toBe("executing");
        expect(JSON.parse(body.receipt.body).time).toBeLessThan(useBy);
      } else expect([body.error.code, state]).toEqual(["expired", "expired"]);
    }
    for (const { got } of late) expect((await got).status).toBe(409);
    const last = await agent.ask({ lifetime: 1000, useFor: 1000 });
    await alice.answer(last);
    clock.now = readHeader(last.header).useBy - 1;
    expect((await agent.consume(last)).status).toBe(200);
  });
});

describe("clock-rollback", () => {
  const day = 86_400_000;

  test.each(["a read", "a list", "a sweep", "an answer", "a consume", "a start"] as const)(
    "clock-rollback: expiry that %s found stays, whatever the clock shows afterwards",
    async (finder) => {
      const database = file();
      const clock = { now: Date.now() };
      const { agent, alice, relay, call } = await office({ database, clock });
      const began = clock.now;
      const open = await agent.ask({ lifetime: 1000 });
      const unused = await agent.ask({ lifetime: 1000, useFor: 1000 });
      await alice.answer(unused);
      clock.now += 2000;
      if (finder === "a read") for (const view of [open, unused]) await agent.get(view.request);
      if (finder === "a list") await call(alice.token, "GET", "/v1/requests");
      if (finder === "a sweep") relay.sweep();
      if (finder === "an answer") for (const view of [open, unused]) await alice.answer(view);
      if (finder === "a consume") for (const view of [open, unused]) await agent.consume(view);
      await relay.close();
      if (finder === "a start") await (await world({ database, clock })).relay.close();
      for (const back of [began, began - day, began + 1999]) {
        clock.now = back;
        const again = await reopened(database, clock);
        for (const { request } of [open, unused])
          for (const token of [agent.token, alice.token])
            expect((await again.get(token, request)).state).toBe("expired");
        const { statement, reply } = await alice.answerTo(open, { time: began });
        const path = `/v1/requests/${open.request}`;
        const answered = await again.call(alice.token, "POST", `${path}/statements`, { statement, reply });
        expect(answered.body.error.code).toBe("expired");
        const consume = await agent.consumeOf(unused);
        const consumed = await again.call(agent.token, "POST", `/v1/requests/${unused.request}/consume`, {
          consume,
        });
        expect(consumed.body.error.code).toBe("expired");
        await again.relay.close();
      }
    },
  );

  test("clock-rollback: a relay whose clock was set back takes no new request, and no answer of a device with the right time", async () => {
    const { agent, alice, clock } = await office();
    const now = clock.now;
    const view = await agent.ask({ lifetime: 600_000 });
    const [draft, answer] = [await agent.draft(), await alice.answerTo(view, { time: now })];
    clock.now -= day;
    expect((await agent.post(draft)).body.error.code).toBe("clock_skew");
    expect((await alice.post(view.request, answer)).body.error.code).toBe("clock_skew");
    expect((await agent.get(view.request)).body.state).toBe("pending");
  });

  test("clock-rollback: a run whose end is unknown stays so until it is reported, and is never given out again", async () => {
    const { agent, alice, clock } = await office();
    const view = await agent.ask({ lifetime: 60_000 });
    await alice.answer(view);
    const own = attempt();
    await agent.consume(view, { attempt: own, executionTimeout: 1000 });
    clock.now += 1000;
    expect((await agent.get(view.request)).body.state).toBe("unknown");
    clock.now -= day;
    expect((await agent.get(view.request)).body.state).toBe("unknown");
    expect((await agent.consume(view)).body.error.code).toBe("unknown");
    expect((await agent.report(view, own)).body.state).toBe("completed");
  });
});

describe("vote-after-terminal", () => {
  test("vote-after-terminal: the first end stands; it is a function of the statements so far, in any order", async () => {
    const database = file();
    const clock = { now: Date.now() };
    const place = await office({ database, clock, limits: { tokenRate: { perSecond: 1e6, burst: 1e6 } } });
    const { app, agent, alice, relay } = place;
    // Alice has two devices: she is one person.
    const devices = [
      alice,
      await app.device(alice.identity),
      await app.device("bob@example.com"),
      await app.device("carol@example.com"),
    ];
    const approvers = [...new Set(devices.map(({ identity }) => identity))].sort();
    const edits = [base64url(randomBytes(32)), base64url(randomBytes(32))];
    const recorded = new Map<string, number>();
    const vote = fc.record({
      device: fc.nat({ max: devices.length - 1 }),
      decision: fc.constantFrom("approve", "approve", "edit 0", "edit 1", "reject"),
      time: fc.nat({ max: 3 }),
    });
    const session = fc.record({
      quorum: fc.integer({ min: 1, max: 3 }),
      rejections: fc.integer({ min: 1, max: 2 }),
      votes: fc.array(vote, { minLength: 1, maxLength: 7 }),
      order: fc.infiniteStream(fc.nat({ max: 1000 })),
    });
    await fc.assert(
      fc.asyncProperty(session, async ({ quorum, rejections, votes, order }) => {
        const view = await agent.ask({ terms: { approvers, quorum, rejections } });
        const header = readHeader(view.header);
        const answers = await Promise.all(
          votes.map(async ({ device, decision, time }, i) => {
            const edit = decision.startsWith("edit") ? edits[Number(decision.at(-1))] : undefined;
            const own = devices[device] as (typeof devices)[0];
            const body = await own.answerTo(
              view,
              {
                decision: decision === "reject" ? "reject" : "approve",
                // No two are the same: that would be a lost reply.
                time: clock.now + 10 * time + i,
                ...(edit === undefined ? {} : { effective: edit }),
              },
              edit === undefined
                ? null
                : { type: "guard/v1/reply", request: view.request, reason: null, edit: { args: {} } },
            );
            return { own, body };
          }),
        );
        const shuffled = answers
          .map((each) => ({ each, rank: order.next().value as number }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ each }) => each);
        const came: typeof answers = [];
        const read = (each: (typeof answers)[0]) => readStatement(each.body.statement);
        let state: RequestState = "pending";
        let late = 0;
        for (const each of shuffled) {
          const { status, body } = await each.own.post(view.request, each.body);
          if (state === "pending") {
            came.push(each);
            expect(status).toBe(200);
            state = outcomeOf(header, app.roster(), came.map(read), clock.now).status as RequestState;
            expect(body.state).toBe(state);
          } else {
            expect([status, body.error.code]).toEqual([409, "already_decided"]);
            expect(body.error.message).toContain(` ${state}`);
            late++;
          }
        }
        const end = (await agent.get(view.request)).body as RequestView;
        expect(end.state).toBe(state);
        // What agent, device and verifier get adds up to the same, in any order.
        expect(end.answers.map(({ statement }) => statement.body).sort()).toEqual(
          came.map(({ body }) => body.statement.body).sort(),
        );
        for (const order of [end.answers, [...end.answers].reverse()]) {
          const statements = order.map(({ statement }) => readStatement(statement));
          expect(outcomeOf(header, app.roster(), statements, clock.now).status).toBe(state);
        }
        recorded.set(view.request, late);
        if (state === "pending") await agent.cancel(view);
      }),
      seeded(120),
    );
    await relay.close();
    // Later votes are kept apart, for whoever examines the relay's database.
    const db = new DatabaseSync(database, { readOnly: true });
    const count = db.prepare(
      "SELECT count(*) AS n FROM statement JOIN request USING (number) WHERE request = ? AND late = 1",
    );
    for (const [request, late] of recorded) expect(count.get(request)).toEqual({ n: late });
    db.close();
  });

  test("vote-after-terminal: after approval, use and report, a rejection changes nothing for anybody", async () => {
    const place = await office();
    const { app, agent, alice } = place;
    const bob = await app.device("bob@example.com");
    const view = await agent.ask({ terms: { approvers: [alice.identity, bob.identity] } });
    await alice.answer(view);
    const own = attempt();
    const rejection = await bob.answerTo(view, { decision: "reject" });
    for (const [state, step] of [
      ["approved", async () => {}],
      ["executing", () => agent.consume(view, { attempt: own })],
      ["completed", () => agent.report(view, own)],
    ] as const) {
      await step();
      const { body } = await bob.post(view.request, rejection);
      expect(body.error).toMatchObject({ code: "already_decided" });
      expect(body.error.message).toContain(state);
      for (const reader of [agent, alice, bob]) {
        const seen = (await reader.get(view.request)).body;
        expect([seen.state, seen.answers.length]).toEqual([state, 1]);
      }
    }
  });
});
