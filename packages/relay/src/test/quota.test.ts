// quota-exhaustion: what one agent, app, device or stranger does, the others hardly notice.
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import type { Refusal } from "../domain/refusal.ts";
import { serveRelay } from "../index.ts";
import { turns } from "../server/turns.ts";
import { events, office, world } from "./fixture.ts";

describe("fair turns", () => {
  const tick = () => new Promise((resolve) => setImmediate(resolve));

  /** Calls that end when they are told to; says who began, in order. */
  function calls(limits: { atOnce: number; waiting: number }) {
    const queue = turns(limits);
    const begun: string[] = [];
    const ends: (() => void)[] = [];
    const call = (app: string) =>
      queue.take(app, async () => {
        begun.push(app);
        await new Promise<void>((end) => ends.push(end));
      });
    const finish = async (n: number) => {
      for (const end of ends.splice(0, n)) end();
      await tick();
    };
    return { call, begun, finish };
  }

  test("quota-exhaustion: one call comes next, however many another app has waiting", async () => {
    const { call, begun, finish } = calls({ atOnce: 2, waiting: 1000 });
    for (let i = 0; i < 500; i++) void call("a");
    void call("b");
    void call("c");
    await tick();
    expect(begun).toEqual(["a", "a"]);
    await finish(1);
    await finish(1);
    await finish(1);
    await finish(1);
    expect(begun).toEqual(["a", "a", "a", "b", "c", "a"]);
    for (let i = 0; i < 500; i++) await finish(1);
    expect(begun).toHaveLength(502);
  });

  test("a call that fails gives its turn on; beyond the limit an app is refused, and no other", async () => {
    const queue = turns({ atOnce: 1, waiting: 2 });
    let fail: (error: Error) => void = () => {};
    const first = queue.take("a", () => new Promise<string>((_, reject) => (fail = reject)));
    const rest = [queue.take("a", async () => "second"), queue.take("a", async () => "third")];
    await expect(queue.take("a", async () => "fourth")).rejects.toMatchObject({
      code: "rate_limited",
      retryAfter: 1000,
    } satisfies Partial<Refusal>);
    rest.push(queue.take("b", async () => "other"));
    fail(new Error("broken"));
    await expect(first).rejects.toThrow("broken");
    expect(await Promise.all(rest)).toEqual(["second", "third", "other"]);
  });
});

test("quota-exhaustion: while one app floods the relay with writes, another's waits for a few of them at most", async () => {
  const working = 16;
  const place = await office({ limits: { working } });
  const other = await place.app2();
  const flood = await Promise.all(Array.from({ length: 350 }, () => place.agent.draft()));
  const single = await other.agent.draft();
  let done = 0;
  const all = flood.map(async (draft) => {
    expect((await place.agent.post(draft)).status).toBe(201);
    done++;
  });
  // The flood is at the relay, and about to be worked on.
  while (done === 0) await new Promise((resolve) => setImmediate(resolve));
  const before = done;
  expect((await other.agent.post(single)).status).toBe(201);
  // Those that had their turn already, and those that got it while this one's signature was checked.
  expect(done - before).toBeLessThanOrEqual(3 * working);
  await Promise.all(all);
});

describe("limits", () => {
  test("quota-exhaustion: large bodies use up more of a token's rate, and nobody else's", async () => {
    const place = await office({ limits: { tokenRate: { perSecond: 0.001, burst: 40 } } });
    const other = await place.app2();
    const large = { args: { note: "x".repeat(200_000) } };
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++)
      statuses.push((await place.agent.post(await place.agent.draft(large))).status);
    expect(statuses).toEqual([201, 429, 429, 429]);
    expect((await other.agent.post(await other.agent.draft())).status).toBe(201);
  });

  test("quota-exhaustion: whoever is refused for doing too much is told for how long", async () => {
    const place = await office({
      limits: {
        streams: 1,
        statements: 1,
        openRequests: 2,
        tokenRate: { perSecond: 0.001, burst: 100 },
        addressRate: { perSecond: 0.001, burst: 3 },
      },
    });
    const { agent, alice, call, app } = place;
    const bob = await app.device("bob@example.com");
    const view = await agent.ask({ terms: { quorum: 2, rejections: 2 } });
    await agent.ask();
    await call(agent.token, "GET", "/v1/stream");
    await alice.answer(view);
    const refused = [
      await agent.post(await agent.draft()),
      await call(agent.token, "GET", "/v1/stream"),
      await alice.answer(view, { time: place.clock.now + 1 }),
    ];
    for (let i = 0; i < 5; i++) refused.push(await call("unknown", "GET", "/v1/requests"));
    for (let i = 0; i < 5; i++) refused.push(await call(null, "GET", "/ready"));
    const token = bob.token;
    for (let i = 0; i < 110; i++) refused.push(await call(token, "GET", "/v1/requests"));
    const slowed = refused.filter(({ status }) => status === 429);
    expect(slowed.length).toBeGreaterThan(15);
    expect(new Set(slowed.map(({ body }) => body.error.code))).toEqual(
      new Set(["rate_limited", "too_many_open"]),
    );
    for (const { headers } of slowed) expect(Number(headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  });

  test("quota-exhaustion: strangers cannot make the relay write to its disk without end", async () => {
    const { relay, call } = await world({ limits: { addressRate: { perSecond: 0.001, burst: 3 } } });
    const statuses: number[] = [];
    for (let i = 0; i < 5; i++) statuses.push((await call(null, "GET", "/ready")).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    const elsewhere = await relay.fetch(new Request("http://127.0.0.1/ready"), { address: "192.0.2.7" });
    expect(elsewhere.status).toBe(200);
  });

  test("quota-exhaustion: one agent's open requests are its own, and so is a device's share of statements", async () => {
    const place = await office({ limits: { openRequests: 2, statements: 2 } });
    const { app, agent, alice } = place;
    const second = await app.agent("shipping");
    for (let i = 0; i < 2; i++) await agent.ask();
    expect((await agent.post(await agent.draft())).body.error.code).toBe("too_many_open");
    const view = await second.ask({ terms: { quorum: 2, rejections: 1, approvers: await two(place) } });
    const first = await alice.answer(view, { time: place.clock.now });
    expect(first.status).toBe(200);
    expect((await alice.answer(view, { time: place.clock.now + 1 })).status).toBe(200);
    expect((await alice.answer(view, { time: place.clock.now + 2 })).status).toBe(429);
  });
  async function two({ app, alice }: Awaited<ReturnType<typeof office>>) {
    const bob = await app.device("bob@example.com");
    return [alice.identity, bob.identity];
  }

  test("quota-exhaustion: a roster is as long as the operator says, since it is kept in memory", async () => {
    const place = await office({ limits: { rosterEntries: 6 } });
    for (let i = place.app.roster().entries.length; i < 6; i++) await place.app.append({ kind: "renew" });
    await expect(place.app.append({ kind: "renew" })).rejects.toThrow("rosterEntries");
    const other = place.call(place.agent.token, "GET", "/v1/roster");
    expect((await other).status).toBe(200);
  });

  test("quota-exhaustion: expired invitations are forgotten, and a clock set back brings none of them back", async () => {
    const place = await office();
    const { app, call, clock, relay } = place;
    const { token, invite } = await app.invite(place.alice.identity);
    expect((await call(app.owner, "POST", "/v1/invites", { invite })).status).toBe(201);
    const { tokenHash: hash } = JSON.parse(invite.body) as { tokenHash: string };
    const look = () => call(token, "GET", `/v1/enrolments/${hash}`);
    expect((await look()).status).toBe(200);
    clock.now += 900_000;
    expect((await look()).status).toBe(401);
    relay.sweep();
    clock.now -= 900_000;
    expect((await look()).status).toBe(401);
    expect((await call(app.owner, "POST", "/v1/invites", { invite })).status).toBe(201);
    expect((await look()).status).toBe(401);
  });
});

describe("what waits", () => {
  test("quota-exhaustion: streams and waits leave nothing behind, and a change reaches its own listeners alone", async () => {
    const place = await office({ limits: { streams: 3, waits: 3 } });
    const { agent, alice, call } = place;
    const other = await place.app2();
    const quiet = (await call(other.agent.token, "GET", "/v1/stream")).body as Response;
    for (let round = 0; round < 5; round++) {
      const stop = new AbortController();
      const init = { signal: stop.signal };
      const streams = [];
      for (let i = 0; i < 3; i++)
        streams.push((await call(agent.token, "GET", "/v1/stream", undefined, init)).body as Response);
      expect((await call(agent.token, "GET", "/v1/stream")).status).toBe(429);
      const view = await agent.ask();
      const path = `/v1/requests/${view.request}?wait=55&version=1`;
      const held = [1, 2, 3].map(() => call(agent.token, "GET", path, undefined, init));
      // Beyond the limit a poll is answered at once, with what is there.
      expect((await call(agent.token, "GET", path)).body.version).toBe(1);
      await alice.answer(view);
      for (const each of held) expect((await each).body.state).toBe("approved");
      for (const stream of streams) expect(await events(stream, 3)).toHaveLength(3);
      stop.abort();
    }
    await other.agent.ask();
    expect((await events(quiet, 2)).map(({ event }) => event)).toEqual(["state", "request"]);
  });

  test("quota-exhaustion: a socket that sends byte by byte is given up", async () => {
    const place = await office();
    const listening = await serveRelay(place.relay, { arrivesWithin: 50 });
    const { port } = new URL(listening.url);
    const slow = ["POST /v1/requests HTTP/1.1\r\nhost: relay\r\n", "POST /v1/requests HTTP/1.1\r\n"];
    const body = `host: relay\r\nauthorization: Bearer ${place.agent.token}\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{`;
    const given = await Promise.all(
      [slow[0] as string, (slow[1] as string) + body].map(
        (start) =>
          new Promise<string>((resolve, reject) => {
            const socket = connect(Number(port), "127.0.0.1", () => socket.write(start));
            let text = "";
            socket.on("data", (data) => {
              text += String(data);
            });
            socket.on("error", reject);
            socket.on("close", () => resolve(text));
          }),
      ),
    );
    for (const text of given) expect(text === "" || text.includes(" 408 ")).toBe(true);
    const view = await place.agent.ask();
    const answered = await fetch(`${listening.url}/v1/requests/${view.request}`, {
      headers: { authorization: `Bearer ${place.agent.token}` },
    });
    expect(answered.status).toBe(200);
    await listening.close();
  });

  test("quota-exhaustion: a stream outlives the time in which a request has to arrive", async () => {
    const place = await office();
    const listening = await serveRelay(place.relay, { arrivesWithin: 50 });
    const stream = await fetch(`${listening.url}/v1/stream`, {
      headers: { authorization: `Bearer ${place.agent.token}` },
    });
    const heard = events(stream, 2);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { request } = await place.agent.ask();
    expect((await heard)[1]).toEqual({ event: "request", data: { request, state: "pending", version: 1 } });
    await listening.close();
  });
});
