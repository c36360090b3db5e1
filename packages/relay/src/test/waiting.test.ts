import { describe, expect, test } from "vitest";
import { events, office } from "./fixture.ts";

const stream = async (place: Awaited<ReturnType<typeof office>>, token: string) =>
  (await place.call(token, "GET", "/v1/stream")).body as Response;

describe("streams", () => {
  test("first the state, then requests and roster heads; each sees its own", async () => {
    const place = await office();
    const { app, agent, alice } = place;
    const open = await agent.ask();
    const [mine, theirs] = [await stream(place, agent.token), await stream(place, alice.token)];
    expect(mine.headers.get("content-type")).toContain("text/event-stream");
    const bob = await app.device("bob@example.com");
    const hidden = await agent.ask({ terms: { approvers: [bob.identity] } });
    const shown = await agent.ask({ terms: { approvers: [alice.identity] } });
    const names = ["state", "roster", "roster", "request", "request"];
    const seen = await events(mine, 5);
    expect(seen.map((one) => one.event)).toEqual(names);
    expect(seen[0]?.data).toMatchObject({
      requests: [{ request: open.request, state: "pending", version: 1 }],
    });
    expect(seen[2]?.data).toEqual(app.roster().head);
    expect(seen.slice(3).map((one) => one.data)).toEqual(
      [hidden, shown].map(({ request }) => ({ request, state: "pending", version: 1 })),
    );
    const theirsSeen = await events(theirs, 4);
    expect(theirsSeen.at(-1)?.data).toMatchObject({ request: shown.request });
  });

  test("revoked-device: revocation closes its streams at once, and nobody else's", async () => {
    const place = await office();
    const { app, agent, alice } = place;
    const [mine, theirs] = [await stream(place, agent.token), await stream(place, alice.token)];
    await app.append({ kind: "revoke", target: { kind: "device", id: alice.device }, reason: null });
    const seen = await events(theirs, 100);
    expect(seen.map((one) => one.event)).toEqual(["state", "roster"]);
    expect((await events(mine, 2)).length).toBe(2);
  });

  test("quota-exhaustion: HEAD opens no stream that nobody reads", async () => {
    const place = await office({ limits: { streams: 1 } });
    const init = { method: "HEAD", headers: { authorization: `Bearer ${place.agent.token}` } };
    for (let i = 0; i < 3; i++) {
      const head = await place.relay.fetch(new Request("http://127.0.0.1/v1/stream", init));
      expect([head.status, head.body]).toEqual([200, null]);
    }
    expect(await events(await stream(place, place.agent.token), 1)).toHaveLength(1);
  });

  test("quota-exhaustion: streams per token are bounded, and one that falls behind is ended", async () => {
    const place = await office({ limits: { streams: 1, streamBuffer: 1500 } });
    const { agent } = place;
    const slow = await stream(place, agent.token);
    const refused = await place.call(agent.token, "GET", "/v1/stream");
    expect(refused.status).toBe(429);
    for (let i = 0; i < 20; i++) await agent.ask();
    const seen = await events(slow, 100);
    expect(seen.length).toBeLessThan(20);
    expect((await place.call(agent.token, "GET", "/v1/stream")).status).toBe(200);
  });
});

describe("held polls", () => {
  test("a poll returns as soon as the version is above the given one", async () => {
    const { agent, alice } = await office();
    const view = await agent.ask();
    expect((await agent.get(view.request, "?wait=55")).body.version).toBe(1);
    const held = agent.get(view.request, "?wait=55&version=1");
    await alice.answer(view);
    expect((await held).body).toMatchObject({ state: "approved", version: 2 });
  });

  test("a poll ends with the wait, with expiry, and with its token", async () => {
    const { app, agent, alice, clock, relay } = await office();
    const view = await agent.ask({ lifetime: 1000 });
    expect((await agent.get(view.request, "?wait=0&version=1")).body.state).toBe("pending");
    expect((await agent.get(view.request, "?wait=56&version=1")).status).toBe(400);
    const held = [
      agent.get(view.request, "?wait=55&version=1"),
      alice.get(view.request, "?wait=55&version=2"),
    ] as const;
    clock.now += 1000;
    expect(relay.sweep()).toBe(1);
    expect((await held[0]).body.state).toBe("expired");
    await app.append({ kind: "revoke", target: { kind: "device", id: alice.device }, reason: null });
    expect((await held[1]).status).toBe(401);
  });

  test("closing ends streams and waits, then refuses", async () => {
    const place = await office();
    const { agent, relay } = place;
    const view = await agent.ask();
    const open = await stream(place, agent.token);
    const held = agent.get(view.request, "?wait=55&version=1");
    await new Promise((resolve) => setImmediate(resolve));
    await relay.close();
    expect((await held).body.state).toBe("pending");
    expect((await events(open, 100)).map((one) => one.event)).toEqual(["state"]);
    expect((await agent.get(view.request)).body.error.code).toBe("unavailable");
    await relay.close();
  });
});

test("lists: open ones, and closed ones", async () => {
  const { agent, alice, call } = await office();
  const [a, b] = [await agent.ask(), await agent.ask()];
  await alice.answer(a, { decision: "reject" });
  for (const token of [agent.token, alice.token]) {
    const list = async (state: string) =>
      (await call(token, "GET", `/v1/requests?state=${state}`)).body.requests.map(
        (one: { request: string }) => one.request,
      );
    expect(await list("open")).toEqual([b.request]);
    expect(await list("closed")).toEqual([a.request]);
  }
});
