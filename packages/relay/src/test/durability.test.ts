import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Writable } from "node:stream";
import { base64url, type RequestState, randomBytes } from "@guard/core";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, expect, test } from "vitest";
import { createRelay, serveRelay } from "../index.ts";
import { routes } from "../wire/guard/routes.ts";
import { events, office, operatorToken, world } from "./fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "guard-relay-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = () => join(folder, `${base64url(randomBytes(8))}.db`);

test("restart: a reopened database keeps everything and expires what is due", async () => {
  const database = file();
  const clock = { now: Date.now() };
  const { agent, alice, relay } = await office({ database, clock });
  const [pending, approved, running, late] = [
    await agent.ask({ lifetime: 1000 }),
    await agent.ask(),
    await agent.ask(),
    await agent.ask(),
  ];
  for (const view of [approved, running, late]) await alice.answer(view);
  const attempt = base64url(randomBytes(16));
  const first = await agent.consume(running, { attempt });
  await agent.consume(late, { executionTimeout: 1000 });
  await expect(createRelay({ database, logger: false })).rejects.toMatchObject({ code: "configuration" });
  await relay.close();

  clock.now += 1000;
  const again = await world({ database, clock });
  expect(again.relay.key).toEqual(relay.key);
  const get = async (request: string) =>
    (await again.call(agent.token, "GET", `/v1/requests/${request}`)).body;
  expect((await get(pending.request)).state).toBe("expired");
  expect((await get(late.request)).state).toBe("unknown");
  expect((await get(approved.request)).answers).toHaveLength(1);
  const consume = await agent.consumeOf(running, { attempt });
  const repeated = await again.call(agent.token, "POST", `/v1/requests/${running.request}/consume`, {
    consume,
  });
  expect(repeated.body).toEqual(first.body);
  expect((await again.call(alice.token, "GET", "/v1/requests")).status).toBe(200);
  await again.relay.close();
});

test("secret-leak: no token and no argument is in the database or the log", async () => {
  const database = file();
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk, _, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const { agent, alice, app, relay, call } = await office({
    database,
    logger: pino({ level: "trace" }, sink),
  });
  const canary = "canary-4111-1111";
  const view = await agent.ask({ args: { card: canary } });
  const reply = { type: "guard/v1/reply", request: view.request, reason: canary, edit: null } as const;
  await alice.answer(view, {}, reply);
  await agent.consume(view);
  await call(agent.token, "POST", "/v1/requests", { [canary]: agent.token });
  await call(agent.token, "GET", `/v1/requests?${canary}=${agent.token}`);
  await call(canary, "GET", "/v1/requests");
  await relay.close();

  const db = new DatabaseSync(database);
  const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
  const rows = tables.map(({ name }) => JSON.stringify(db.prepare(`SELECT * FROM "${name}"`).all())).join();
  db.close();
  const bytes = readdirSync(folder)
    .map((name) => readFileSync(join(folder, name)).toString("latin1"))
    .join();
  expect(rows).toContain(view.request);
  expect(lines.join()).toContain(view.request);
  for (const secret of [canary, agent.token, alice.token, alice.invitation, app.owner, operatorToken]) {
    expect(rows).not.toContain(secret);
    expect(bytes).not.toContain(secret);
    expect(lines.join()).not.toContain(secret);
  }
  expect(lines.join()).not.toContain(view.ciphertext);
});

const follows: Record<RequestState, RequestState[]> = {
  pending: ["approved", "rejected", "expired", "cancelled", "superseded"],
  approved: ["executing", "expired", "cancelled", "superseded"],
  executing: ["completed", "unknown"],
  unknown: ["completed"],
  rejected: [],
  expired: [],
  cancelled: [],
  superseded: [],
  completed: [],
};

test("whatever is called in whatever order, states follow the table and one attempt gets a receipt", async () => {
  const { app, agent, alice, clock } = await office({
    limits: { openRequests: 1e6, tokenRate: { perSecond: 1e6, burst: 1e6 } },
  });
  const bob = await app.device("bob@example.com");
  const acts = [
    "approve",
    "reject",
    "edit",
    "both",
    "consume",
    "report",
    "cancel",
    "next",
    "tick",
    "long",
  ] as const;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...acts), { maxLength: 8 }),
      fc.constantFrom(1, 2),
      async (sequence, quorum) => {
        const key = base64url(randomBytes(8));
        const view = await agent.ask({ key, lifetime: 1000, useFor: 1000, terms: { quorum } });
        const attempt = base64url(randomBytes(16));
        let [state, version, round, receipts] = ["pending" as RequestState, 1, 0, 0];
        for (const act of sequence) {
          clock.now += 1;
          if (act === "approve") await alice.answer(view);
          if (act === "both") await bob.answer(view);
          if (act === "reject") await alice.answer(view, { decision: "reject" });
          if (act === "edit") {
            const reply = {
              type: "guard/v1/reply",
              request: view.request,
              reason: null,
              edit: { args: {} },
            } as const;
            await bob.answer(view, { effective: base64url(randomBytes(32)) }, reply);
          }
          if (act === "consume") {
            const mine = receipts === 0 ? { attempt } : {};
            const got = await agent.consume(view, { ...mine, executionTimeout: 1000 });
            if (got.status === 200) receipts++;
          }
          if (act === "report") await agent.report(view, attempt);
          if (act === "cancel") await agent.cancel(view);
          if (act === "next") {
            const next = await agent.post(await agent.draft({ key, round: round + 1, lifetime: 1000 }));
            if (next.status === 201) round++;
          }
          if (act === "tick") clock.now += 400;
          if (act === "long") clock.now += 1500;
          const now = (await agent.get(view.request)).body as { state: RequestState; version: number };
          // Two steps can lie between two looks: an approval that the clock ended, a run that was lost.
          const reachable = [state, ...follows[state], ...follows[state].flatMap((next) => follows[next])];
          expect(reachable).toContain(now.state);
          expect(now.version).toBeGreaterThanOrEqual(version);
          if (now.state !== state) expect(now.version).toBeGreaterThan(version);
          ({ state, version } = now);
        }
        expect(receipts).toBeLessThanOrEqual(1);
      },
    ),
    { numRuns: 40 },
  );
}, 60_000);

test("over a socket: plaintext on loopback only, streams, and a graceful stop", async () => {
  const { agent, alice, relay } = await office();
  await expect(serveRelay(relay, { host: "0.0.0.0" })).rejects.toMatchObject({ code: "configuration" });
  const server = await serveRelay(relay, { host: "127.0.0.1", port: 0 });
  await expect(serveRelay(relay, { port: Number(new URL(server.url).port) })).rejects.toMatchObject({
    code: "configuration",
  });
  const headers = { authorization: `Bearer ${agent.token}` };
  const stream = await fetch(`${server.url}/v1/stream`, { headers });
  expect((await events(stream, 1))[0]?.event).toBe("state");
  const view = await agent.ask();
  await alice.answer(view);
  expect((await events(stream, 2)).map((one) => one.event)).toEqual(["request", "request"]);
  const held = fetch(`${server.url}/v1/requests/${view.request}?wait=55&version=2`, { headers });
  const gone = new AbortController();
  const left = await fetch(`${server.url}/v1/stream`, { headers, signal: gone.signal });
  expect(left.status).toBe(200);
  gone.abort();
  await server.close();
  expect((await held).status).toBe(200);
  await expect(fetch(server.url)).rejects.toThrow();
  await relay.close();
});

test("health, readiness, and an OpenAPI document that names every route", async () => {
  const { call } = await world();
  expect((await call(null, "GET", "/health")).body).toEqual({ status: "ok" });
  expect((await call(null, "GET", "/ready")).body).toEqual({ status: "ready" });
  const { body } = await call(null, "GET", "/openapi.json");
  for (const { path, method, body: takes } of routes) {
    const operation = body.paths[path.replaceAll(/:(\w+)/g, "{$1}")][method.toLowerCase()];
    expect(operation.summary.length).toBeGreaterThan(5);
    expect(operation.requestBody !== undefined).toBe(takes !== null);
  }
  expect(Object.values(body.paths).flatMap((path) => Object.keys(path as object))).toHaveLength(
    routes.length,
  );
  expect((await call(null, "GET", "/v1/nothing")).body.error.code).toBe("not_found");
});
