import { base64url, newToken, randomBytes, signObject, tokenHash } from "@guard/core";
import { describe, expect, test } from "vitest";
import { office, operatorToken, world } from "./fixture.ts";

const paths = (request: string) =>
  [
    ["GET", "/v1/roster"],
    ["POST", "/v1/roster"],
    ["POST", "/v1/tokens"],
    ["POST", "/v1/invites"],
    ["POST", "/v1/enrolments"],
    ["GET", `/v1/enrolments/${request}`],
    ["POST", "/v1/requests"],
    ["GET", "/v1/requests"],
    ["GET", `/v1/requests/${request}`],
    ["POST", `/v1/requests/${request}/statements`],
    ["POST", `/v1/requests/${request}/consume`],
    ["POST", `/v1/requests/${request}/report`],
    ["POST", `/v1/requests/${request}/cancel`],
    ["GET", "/v1/stream"],
  ] as const;

describe("tokens", () => {
  test("no call of an app works without a token, or with an unknown one, also not in the URL", async () => {
    const { agent, call } = await office();
    const view = await agent.ask();
    for (const [method, path] of paths(view.request)) {
      const body = method === "POST" ? {} : undefined;
      for (const token of [null, newToken(), operatorToken]) {
        const refused = await call(token, method, path, body);
        expect([refused.status, refused.body.error.code]).toEqual([401, "unauthorized"]);
      }
    }
    expect((await call(null, "GET", `/v1/requests?token=${agent.token}`)).status).toBe(401);
  });

  test("a token of another kind is refused", async () => {
    const { agent, alice, app, call } = await office();
    const view = await agent.ask();
    const { invite, token: invitation } = await app.invite("bob@example.com");
    await call(app.owner, "POST", "/v1/invites", { invite });
    const allowed: Record<string, string[]> = {
      [app.owner]: ["/v1/roster", "/v1/tokens", "/v1/invites", "/v1/enrolments/"],
      [agent.token]: ["GET /v1/roster", "/v1/requests", "/v1/stream"],
      [alice.token]: ["GET /v1/roster", "GET /v1/requests", "/statements", "/v1/stream"],
      [invitation]: ["GET /v1/roster", "/v1/enrolments"],
    };
    for (const [token, names] of Object.entries(allowed)) {
      for (const [method, path] of paths(view.request)) {
        const name = `${method} ${path}`;
        if (path === "/v1/stream" && names.includes(path)) continue;
        const refused = await call(token, method, path, method === "POST" ? {} : undefined);
        const statements = path.endsWith("/statements");
        const may = names.some((part) => name.includes(part)) && !(token === agent.token && statements);
        if (may) expect(refused.status, name).not.toBe(403);
        else expect([refused.status, refused.body.error.code], name).toEqual([403, "forbidden"]);
      }
    }
  });

  test("only the operator registers apps; without an operator token nobody does", async () => {
    const { app, call } = await office();
    const body = { root: app.first, tokenHash: tokenHash(newToken()) };
    expect((await call(app.owner, "POST", "/v1/apps", body)).status).toBe(401);
    expect((await call(operatorToken, "POST", "/v1/apps", body)).body.error.code).toBe("roster_conflict");
    const same = { root: app.first, tokenHash: tokenHash(app.owner) };
    expect((await call(operatorToken, "POST", "/v1/apps", same)).status).toBe(201);
  });

  test("an agent's new token replaces the one before, and an old grant does not bring it back", async () => {
    const { agent, app, call, clock } = await office();
    const old = await app.grantFor(agent.name, agent.token);
    clock.now += 10;
    const next = newToken();
    const grant = await app.grantFor(agent.name, next);
    expect((await call(app.owner, "POST", "/v1/tokens", { grant })).status).toBe(201);
    expect((await call(agent.token, "GET", "/v1/requests")).status).toBe(401);
    expect((await call(next, "GET", "/v1/requests")).status).toBe(200);
    expect((await call(app.owner, "POST", "/v1/tokens", { grant: old })).body.error.code).toBe("invalid");
    expect((await call(next, "GET", "/v1/requests")).status).toBe(200);
  });

  test("a grant has to be signed by root or an admin, now, for an agent of the roster", async () => {
    const { agent, app, call, clock } = await office();
    const token = newToken();
    const fields = {
      type: "guard/v1/token",
      app: app.app,
      agent: agent.name,
      tokenHash: tokenHash(token),
      time: clock.now,
    } as const;
    const refused = [
      await signObject(agent.keys.signer, { ...fields, by: "root" }),
      await signObject(app.root, { ...fields, by: "nobody" }),
      await signObject(app.root, { ...fields, agent: "ghost", by: "root" }),
      await app.grantFor(agent.name, agent.token, { tokenHash: tokenHash(app.owner) }),
    ];
    for (const grant of refused)
      expect((await call(app.owner, "POST", "/v1/tokens", { grant })).body.error.code).toBe("invalid");
    const stale = await app.grantFor(agent.name, token, { time: clock.now - 301_000 });
    expect((await call(app.owner, "POST", "/v1/tokens", { grant: stale })).body.error.code).toBe(
      "clock_skew",
    );
    await app.append({ kind: "revoke", target: { kind: "agent", id: agent.name }, reason: null });
    expect((await call(agent.token, "GET", "/v1/roster")).status).toBe(401);
  });
});

test("cross-tenant: what belongs to another app answers exactly as if it did not exist", async () => {
  const { agent, alice, app, call, ...place } = await office();
  const view = await agent.ask();
  const theirs = await place.app2();
  const nothing = base64url(randomBytes(32));
  for (const request of [view.request, nothing]) {
    const replies = [
      await theirs.agent.get(request),
      await theirs.alice.get(request),
      await theirs.alice.post(request, await alice.answerTo(view)),
      await call(theirs.agent.token, "POST", `/v1/requests/${request}/consume`, {
        consume: await agent.consumeOf(view),
      }),
      await call(
        theirs.app.owner,
        "GET",
        `/v1/enrolments/${request === nothing ? nothing : tokenHash(alice.invitation)}`,
      ),
      await (await theirs.app.agent(`other-${request === nothing ? "a" : "b"}`)).get(request),
    ];
    for (const { status, body } of replies) {
      expect(status).toBe(404);
      expect(body).toEqual(replies[0]?.body);
    }
  }
  expect((await theirs.agent.post(await agent.draft())).body.error.code).toBe("invalid");
  const entry = await app.sign({ kind: "renew" });
  expect((await call(theirs.app.owner, "POST", "/v1/roster", { entry })).status).toBe(404);
  const grant = await app.grantFor(agent.name, newToken());
  expect((await call(theirs.app.owner, "POST", "/v1/tokens", { grant })).status).toBe(404);
  expect((await theirs.agent.get("")).body.requests ?? []).toEqual([]);
  const other = await app.agent("other");
  expect((await other.get(view.request)).body).toEqual((await other.get(nothing)).body);
});

describe("roster", () => {
  test("roster-fork: one successor per head, also in a race", async () => {
    const { app, call } = await office();
    const entries = await Promise.all(
      ["bob", "carol", "dave"].map((name) => app.sign({ kind: "identity", identity: `${name}@example.com` })),
    );
    const replies = await Promise.all(
      entries.map((entry) => call(app.owner, "POST", "/v1/roster", { entry })),
    );
    expect(replies.map((reply) => reply.status).sort()).toEqual([201, 409, 409]);
    const conflict = replies.find((reply) => reply.status === 409);
    expect(conflict?.body.error).toMatchObject({ code: "roster_conflict" });
    const won = entries[replies.findIndex((reply) => reply.status === 201)];
    expect((await call(app.owner, "POST", "/v1/roster", { entry: won })).status).toBe(201);
    const { body } = await call(app.owner, "GET", "/v1/roster");
    expect(body.entries).toHaveLength(app.roster().entries.length + 1);
    expect(body.entries.at(-1)).toEqual(won);
  });

  test("key-substitution: an entry that root did not sign is refused, and one from the future", async () => {
    const { agent, app, call, clock } = await office();
    const by = { signer: agent.keys.signer, name: "root" };
    const forged = await app.sign({ kind: "identity", identity: "eve@example.com" }, by);
    expect((await call(app.owner, "POST", "/v1/roster", { entry: forged })).body.error.code).toBe("invalid");
    clock.now += 400_000;
    const early = await app.sign({ kind: "renew" });
    clock.now -= 400_000;
    expect((await call(app.owner, "POST", "/v1/roster", { entry: early })).body.error.code).toBe(
      "clock_skew",
    );
  });

  test("pages from where the reader is", async () => {
    const { alice, app, call } = await office();
    const { body } = await call(alice.token, "GET", "/v1/roster?from=2");
    expect(body.entries).toEqual(app.roster().entries.slice(2));
    expect(body.head).toEqual(app.roster().head);
    expect((await call(alice.token, "GET", "/v1/roster?from=-1")).status).toBe(400);
    expect((await call(alice.token, "GET", "/v1/roster?form=1")).status).toBe(400);
  });

  test("wanted identities without a device are asked for before the roster is answered", async () => {
    const asked: unknown[] = [];
    const { agent, app, call, alice } = await office({
      onWanted: async (id, identities) => {
        asked.push([id, identities]);
        await app.device("bob@example.com");
      },
    });
    const path = `/v1/roster?wanted=${alice.identity}&wanted=bob@example.com`;
    await call(alice.token, "GET", path);
    expect(asked).toEqual([]);
    const { body } = await call(agent.token, "GET", path);
    expect(asked).toEqual([[app.app, ["bob@example.com"]]]);
    expect(body.head).toEqual(app.roster().head);
  });
});

describe("enrolment", () => {
  test("a device's token comes alive with its entry and dies with its revocation (revoked-device)", async () => {
    const { app, call, agent } = await office();
    const bob = await app.enrol("bob@example.com");
    expect((await call(bob.token, "GET", "/v1/requests")).status).toBe(401);
    await bob.confirm();
    expect((await call(bob.token, "GET", "/v1/requests")).status).toBe(200);
    const view = await agent.ask();
    await app.append({ kind: "revoke", target: { kind: "device", id: bob.device }, reason: null });
    expect((await bob.answer(view)).status).toBe(401);
    const carol = await app.device("carol@example.com");
    await app.append({ kind: "revoke", target: { kind: "identity", id: carol.identity }, reason: null });
    expect((await call(carol.token, "GET", "/v1/requests")).status).toBe(401);
  });

  test("an invitation is used once; its own enrolment again is a lost reply", async () => {
    const { app, call } = await office();
    const bob = await app.enrol("bob@example.com");
    expect((await call(bob.invitation, "POST", "/v1/enrolments", { enrolment: bob.enrolment })).status).toBe(
      201,
    );
    const fields = { ...JSON.parse(bob.enrolment.body), name: "other" };
    const enrolment = await signObject(bob.signer, fields);
    expect((await call(bob.invitation, "POST", "/v1/enrolments", { enrolment })).body.error.code).toBe(
      "already_decided",
    );
    const forged = await signObject(app.root, fields);
    expect(
      (await call(bob.invitation, "POST", "/v1/enrolments", { enrolment: forged })).body.error.code,
    ).toBe("invalid");
    const seen = await call(app.owner, "GET", `/v1/enrolments/${tokenHash(bob.invitation)}`);
    expect(seen.body.enrolment).toEqual(bob.enrolment);
  });

  test("an invitation expires, sees only itself, and is signed", async () => {
    const { app, call, clock, agent } = await office();
    const { invite, token } = await app.invite("bob@example.com");
    await call(app.owner, "POST", "/v1/invites", { invite });
    await call(app.owner, "POST", "/v1/invites", { invite });
    expect((await call(token, "GET", `/v1/enrolments/${tokenHash(token)}`)).body).toEqual({
      invite,
      enrolment: null,
    });
    expect((await call(token, "GET", `/v1/enrolments/${base64url(randomBytes(32))}`)).status).toBe(404);
    clock.now += 900_000;
    expect((await call(token, "GET", `/v1/enrolments/${tokenHash(token)}`)).status).toBe(401);
    const { invite: sample } = await app.invite("carol@example.com");
    const forged = await signObject(agent.keys.signer, JSON.parse(sample.body));
    expect((await call(app.owner, "POST", "/v1/invites", { invite: forged })).body.error.code).toBe(
      "invalid",
    );
    const { invite: shouted } = await app.invite("Carol@Example.com");
    expect((await call(app.owner, "POST", "/v1/invites", { invite: shouted })).body.error.code).toBe(
      "invalid",
    );
  });

  test("quota-exhaustion: open invitations are bounded", async () => {
    const { app, call } = await office({ limits: { openInvitations: 2 } });
    const replies = [];
    for (const name of ["b", "c"]) {
      const { invite } = await app.invite(`${name}@example.com`);
      replies.push((await call(app.owner, "POST", "/v1/invites", { invite })).status);
    }
    expect(replies).toEqual([201, 429]);
  });
});

describe("limits", () => {
  test("quota-exhaustion: each token has its own rate, strangers share their address's", async () => {
    const slow = { perSecond: 0.001, burst: 40 };
    const { agent, alice, call, relay } = await office({
      limits: { tokenRate: slow, addressRate: { perSecond: 0.001, burst: 3 } },
    });
    for (let i = 0; i < 40; i++) await call(alice.token, "GET", "/v1/requests");
    const refused = await call(alice.token, "GET", "/v1/requests");
    expect([refused.status, refused.body.error.code]).toEqual([429, "rate_limited"]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await call(agent.token, "GET", "/v1/requests")).status).toBe(200);
    const knock = async (address: string) =>
      (await relay.fetch(new Request("http://127.0.0.1/v1/relay"), { address })).status;
    expect([
      await knock("a"),
      await knock("a"),
      await knock("a"),
      await knock("a"),
      await knock("b"),
    ]).toEqual([200, 200, 200, 429, 200]);
  });

  test("bodies: too large, not JSON, of another type, with unknown members", async () => {
    const { agent, call } = await office({ limits: { body: 20_000 } });
    const post = (body: string, init?: RequestInit) => call(agent.token, "POST", "/v1/requests", body, init);
    expect((await post(JSON.stringify("x".repeat(20_001)))).status).toBe(413);
    expect((await post("{")).body.error.code).toBe("invalid");
    expect((await post("{}", { headers: { "content-type": "text/plain" } })).body.error.code).toBe("invalid");
    expect((await post(JSON.stringify({ ...(await agent.draft()), more: 1 }))).body.error.code).toBe(
      "invalid",
    );
  });

  test("csrf-clickjack: only named origins get CORS", async () => {
    const origin = "https://approve.example.com";
    const { call } = await world({ allowedOrigins: [origin] });
    const ask = (from: string) => call(null, "GET", "/v1/relay", undefined, { headers: { origin: from } });
    expect((await ask(origin)).headers.get("access-control-allow-origin")).toBe(origin);
    expect((await ask("https://evil.example.com")).headers.get("access-control-allow-origin")).toBeNull();
  });

  test("config-fail-open: unknown options and unusable values stop the start", async () => {
    const bad = [
      { limits: { bodies: 1 } },
      { limits: { body: Number.NaN } },
      { allowedOrigin: [] },
      { operatorToken: "short" },
      { allowedOrigins: ["https://a.example.com/"] },
      { database: "/nonexistent/folder/relay.db" },
    ];
    for (const options of bad)
      await expect(world(options as object)).rejects.toMatchObject({ code: "configuration" });
  });
});
