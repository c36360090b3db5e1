import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { randomBytes } from "@guard/core";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { acknowledge, answerDecision, undelivered } from "../domain/decision-answers.ts";
import { decisionOutcome, devicesOf, quotaOf, routeDecision } from "../domain/decisions.ts";
import { sweep } from "../domain/lifecycle.ts";
import { authenticate } from "../domain/tokens.ts";
import { createRelay } from "../relay.ts";
import { operatorToken } from "./fixture.ts";
import { behind, foreignOffice, sealed } from "./foreign.fixture.ts";

let place: Awaited<ReturnType<typeof foreignOffice>>;
type Device = Awaited<ReturnType<typeof place.register>>;
let phone: Device;
beforeEach(async () => {
  place = await foreignOffice({ clock: { now: Date.UTC(2026, 10, 30, 23, 0) } });
  await place.enable();
  phone = await place.register();
});
afterEach(() => place.close());

const outcome = async (decision: string, over: object = {}, token?: string) =>
  decisionOutcome(place.context, await place.principal(token), {
    decision,
    identity: place.alice.identity,
    ...over,
  });
const answer = (device: Device, decision: string, of: "approved" | "rejected") =>
  answerDecision(place.context, device, { decision, outcome: of });
const queue = async (device = phone) =>
  [...(await undelivered(place.context, device))].map(({ decision }) => decision);
const quota = async () => quotaOf(place.context, await place.principal());

describe("routing", () => {
  it("goes to who is subscribed, byte by byte, and waits for who is not", async () => {
    const idle = place.connect(phone, false);
    expect(await place.route(phone, "d1")).toEqual({ status: "queued", decision: "d1" });
    idle.leave();
    const bytes = sealed();
    expect(await place.route(phone, "d2", bytes)).toEqual({ status: "queued", decision: "d2" });
    const [first, second] = [...(await undelivered(place.context, phone))];
    expect([first?.decision, second]).toEqual(["d1", { decision: "d2", ...bytes }]);
    const { told } = place.connect(phone);
    expect((await place.route(phone, "d3")).status).toBe("delivered");
    expect(told).toEqual(["d3"]);
    // On the wire is not in the hand: it waits until it is acknowledged.
    expect(await queue()).toEqual(["d1", "d2", "d3"]);
    expect(idle.told).toEqual([]);
  });

  it("duplicate-delivery: the same decision to the same device is one, and the first bytes stay", async () => {
    const bytes = sealed();
    const { told } = place.connect(phone);
    const all = [bytes, sealed(), sealed()].map((over) => place.route(phone, "d1", over));
    expect((await Promise.all(all)).map(({ status }) => status)).toEqual([
      "delivered",
      "delivered",
      "delivered",
    ]);
    expect(told).toEqual(["d1"]);
    expect([...(await undelivered(place.context, phone))]).toEqual([{ decision: "d1", ...bytes }]);
    expect(await place.route(phone, "d1", { ttlSeconds: 5000 })).toEqual({
      status: "delivered",
      decision: "d1",
    });
    place.clock.now += 600_000;
    expect(await outcome("d1")).toBe("expired");
  });

  it("makes an id where the client has none", async () => {
    const made = await place.route(phone, "");
    expect(made.decision).toMatch(/^[0-9a-f-]{36}$/);
    expect(await outcome(made.decision)).toBe("pending");
  });

  it("takes nothing that no client sends", async () => {
    for (const over of [
      { kemCiphertext: randomBytes(1087) },
      { nonce: randomBytes(13) },
      { nonce: new Uint8Array() },
      { ciphertext: randomBytes(15) },
      { ttlSeconds: -1 },
      { ttlSeconds: 0.5 },
      { ttlSeconds: 30 * 86_400 + 1 },
      { decision: "x".repeat(129) },
      { decision: "\ud800" },
    ])
      await expect(place.route(phone, "d1", over)).rejects.toMatchObject({ code: "invalid" });
    const large = { ciphertext: new Uint8Array(place.context.limits.body + 1) };
    await expect(place.route(phone, "d1", large)).rejects.toMatchObject({ code: "too_large" });
    for (const device of ["", "nobody", phone.device.toLowerCase()])
      expect(await place.route({ device }, "d1")).toEqual({ status: "no_devices", decision: "" });
    await expect(outcome("d1")).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("quotas", () => {
  it("quota-exhaustion: a decision counts once, to however many devices it goes, in the month of UTC", async () => {
    await place.enable({ quota: 2 });
    const tablet = await place.register();
    expect(await quota()).toEqual({ name: "Shop", total: 2, remaining: 2, status: "active" });
    for (const device of [phone, tablet, phone]) await place.route(device, "d1");
    expect((await quota()).remaining).toBe(1);
    expect((await place.route({ device: "nobody" }, "d9")).status).toBe("no_devices");
    await place.route(phone, "d2");
    await expect(place.route(phone, "d3")).rejects.toMatchObject({
      reason: "quota",
      code: "rate_limited",
      retryAfter: 3_600_000,
    });
    // What counted already may still go to another device.
    expect((await place.route(tablet, "d2")).status).toBe("queued");
    expect((await quota()).remaining).toBe(0);
    place.clock.now += 3_600_000;
    expect((await quota()).remaining).toBe(2);
    expect((await place.route(phone, "d3")).status).toBe("queued");
    await place.enable({ quota: 0, suspended: true });
    expect(await quota()).toMatchObject({ total: 0, remaining: 0, status: "suspended" });
  });

  it("quota-exhaustion: a hundred at once get no more than the month has", async () => {
    await place.enable({ quota: 30 });
    const all = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) => place.route(phone, `d${i % 50}`)),
    );
    const taken = all.filter(({ status }) => status === "fulfilled").length;
    expect(await queue()).toHaveLength(30);
    expect(taken).toBe(60);
  });

  it("quota-exhaustion: open decisions of an agent and what waits for a device are limited; closing makes room", async () => {
    await place.close();
    place = await foreignOffice({ limits: { openDecisions: 3, foreignQueue: 2 } });
    await place.enable();
    phone = await place.register();
    const tablet = await place.register();
    for (const decision of ["d1", "d2"]) await place.route(phone, decision);
    await expect(place.route(phone, "d3")).rejects.toMatchObject({ code: "too_many_open" });
    await acknowledge(place.context, phone, "d1");
    await place.route(phone, "d3");
    await expect(place.route(tablet, "d4")).rejects.toMatchObject({ code: "too_many_open" });
    await answer(phone, "d1", "rejected");
    expect((await place.route(tablet, "d4")).status).toBe("queued");
  });
});

describe("answers", () => {
  it("first answer wins: a hundred at once from two devices, and one stands for all", async () => {
    const tablet = await place.register();
    for (const device of [phone, tablet]) await place.route(device, "d1");
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        answer(i % 2 === 0 ? phone : tablet, "d1", i % 3 === 0 ? "approved" : "rejected"),
      ),
    );
    const stands = await outcome("d1");
    expect(new Set(all.map((one) => one.outcome))).toEqual(new Set([stands]));
    // The winner's own repetitions are lost replies; nobody else's answer is the one.
    const winners = all.flatMap(({ first }, i) => (first ? [i % 2] : []));
    expect(new Set(winners).size).toBe(1);
    expect(await answer(tablet, "d1", "approved")).toEqual({ outcome: stands, first: false });
    expect(await queue()).toEqual([]);
    expect(await queue(tablet)).toEqual([]);
    expect(await place.route(await place.register(), "d1")).toEqual({ status: "queued", decision: "d1" });
  });

  it("cross-tenant: is heard from a device that it went to alone, of this identity and app", async () => {
    await place.route(phone, "d1");
    const tablet = await place.register();
    const bob = await place.register({ identity: "bob@example.com" });
    for (const device of [
      tablet,
      bob,
      { ...phone, device: tablet.device },
      { ...bob, identity: phone.identity },
    ])
      await expect(answer(device, "d1", "approved")).rejects.toMatchObject({ code: "not_found" });
    await expect(acknowledge(place.context, tablet, "d1")).rejects.toMatchObject({ code: "not_found" });
    await expect(answer(phone, "d2", "approved")).rejects.toMatchObject({ code: "not_found" });
    // One id for two people is two decisions.
    await place.route(bob, "d1");
    await answer(bob, "d1", "approved");
    expect(await outcome("d1")).toBe("pending");
    expect(await outcome("d1", { identity: " Bob@Example.com" })).toBe("approved");
  });

  it("cross-tenant: an agent sees its own decisions, and joins nobody else's", async () => {
    const other = await place.app.agent("shipping");
    const { app, agent } = await place.app2();
    await place.enable({}, app);
    await place.route(phone, "d1");
    for (const token of [other.token, agent.token])
      await expect(outcome("d1", {}, token)).rejects.toMatchObject({ code: "not_found" });
    await expect(place.route(phone, "d1", {}, other.token)).rejects.toMatchObject({ code: "invalid" });
    await expect(outcome("d1", { identity: "mallory" })).rejects.toMatchObject({ code: "not_found" });
    await expect(outcome("d1", { identity: "" })).rejects.toMatchObject({ code: "invalid" });
  });

  it("revoked-device: a device that was stopped meanwhile neither answers nor is sent anything", async () => {
    await place.route(phone, "d1");
    await place.confirm(phone);
    const answers = [];
    const revoking = place.revoke(phone.device);
    for (let i = 0; i < 20; i++) answers.push(answer(phone, "d1", "approved").catch((error) => error.reason));
    await revoking;
    const heard = await Promise.all(answers);
    // Whichever came first at the relay: what was heard before stands, and nothing is heard after.
    expect(await outcome("d1")).toBe(heard[0] === "revoked" ? "pending" : "approved");
    await expect(answer(phone, "d1", "rejected")).rejects.toMatchObject({ reason: "revoked" });
    await expect(undelivered(place.context, phone)).rejects.toMatchObject({ reason: "revoked" });
    expect((await place.route(phone, "d2")).status).toBe("no_devices");
    const stranger = await place.register({}, null);
    await expect(undelivered(place.context, stranger)).rejects.toMatchObject({ reason: "waiting" });
  });

  it("acknowledged is not sent again, and can be answered", async () => {
    await place.route(phone, "d1");
    for (let i = 0; i < 2; i++) await acknowledge(place.context, phone, "d1");
    expect(await queue()).toEqual([]);
    expect(await outcome("d1")).toBe("pending");
    expect(await answer(phone, "d1", "rejected")).toEqual({ outcome: "rejected", first: true });
    await acknowledge(place.context, phone, "d1");
    expect(await outcome("d1")).toBe("rejected");
  });

  it("what was closed while a queue is read is left out", async () => {
    for (const decision of ["d1", "d2", "d3"]) await place.route(phone, decision, { ttlSeconds: 60 });
    const [first, ...rest] = await (async () => {
      const found: string[] = [];
      for (const { decision } of await undelivered(place.context, phone)) {
        found.push(decision);
        if (found.length === 1) place.clock.now += 60_000;
      }
      return found;
    })();
    expect([first, rest]).toEqual(["d1", []]);
  });
});

describe("expiry", () => {
  it("expiry-race: ten minutes unless the client says, to the millisecond, decided once and never taken back", async () => {
    await place.route(phone, "short", { ttlSeconds: 1 });
    await place.route(phone, "default");
    place.clock.now += 999;
    expect(await outcome("short")).toBe("pending");
    place.clock.now += 1;
    expect(await outcome("short")).toBe("expired");
    place.clock.now += 598_999;
    expect(await outcome("default")).toBe("pending");
    place.clock.now += 1;
    expect(await answer(phone, "default", "approved")).toEqual({ outcome: "expired", first: false });
    place.clock.now -= 600_000;
    for (const decision of ["short", "default"]) {
      expect(await answer(phone, decision, "approved")).toEqual({ outcome: "expired", first: false });
      expect(await outcome(decision)).toBe("expired");
    }
  });

  it("expiry-race: the sweep expires what nobody reads, and wakes who waits for it", async () => {
    await place.route(phone, "d1", { ttlSeconds: 60 });
    const waiting = outcome("d1", { wait: 50_000 });
    await new Promise(setImmediate);
    place.clock.now += 60_000;
    expect(sweep(place.context)).toBe(1);
    expect(await waiting).toBe("expired");
    expect(sweep(place.context)).toBe(0);
  });
});

describe("waiting", () => {
  it("holds until the answer, at most as long as was asked, and lets go of who is gone", async () => {
    await place.route(phone, "d1");
    expect(await outcome("d1", { wait: 10 })).toBe("pending");
    const gone = new AbortController();
    const left = outcome("d1", { wait: 50_000, signal: gone.signal });
    const held = [outcome("d1", { wait: 50_000 }), outcome("d1", { wait: 50_000 })];
    await new Promise(setImmediate);
    gone.abort();
    expect(await left).toBe("pending");
    await answer(phone, "d1", "approved");
    expect(await Promise.all(held)).toEqual(["approved", "approved"]);
    expect(place.context.hub.count("waits", (await place.principal()).hash)).toBe(0);
  });

  it("kill-switch: a suspended or revoked agent is stopped, also while it waits", async () => {
    await place.route(phone, "d1");
    const caller = await place.principal();
    const waiting = expect(outcome("d1", { wait: 50_000 })).rejects.toMatchObject({ code: "suspended" });
    await new Promise(setImmediate);
    await place.app.append({ kind: "suspend", agent: place.agent.name, reason: null });
    await waiting;
    await expect(place.route(phone, "d2")).rejects.toMatchObject({ code: "suspended" });
    await expect(quota()).rejects.toMatchObject({ code: "suspended" });
    await expect(devicesOf(place.context, caller, "alice@example.com")).rejects.toMatchObject({
      code: "suspended",
    });
    // The person may still answer; whoever lifts the suspension gets it.
    await answer(phone, "d1", "rejected");
    await place.app.append({ kind: "lift", agent: place.agent.name });
    expect(await outcome("d1")).toBe("rejected");
    await place.route(phone, "d2");
    const held = expect(outcome("d2", { wait: 50_000 })).rejects.toMatchObject({ code: "unauthorized" });
    await new Promise(setImmediate);
    const target = { kind: "agent", id: place.agent.name } as const;
    await place.app.append({ kind: "revoke", target, reason: null });
    await held;
  });
});

describe("durability", () => {
  const folder = mkdtempSync(join(tmpdir(), "guard-decisions-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("restart: what was acknowledged between routing and answer is there, in order, with its bytes", async () => {
    await place.close();
    const database = join(folder, "relay.db");
    place = await foreignOffice({ database });
    await place.enable({ quota: 10 });
    phone = await place.register();
    const bytes = sealed();
    await place.route(phone, "d1", bytes);
    await place.route(phone, "d2");
    await place.route(phone, "d3");
    await acknowledge(place.context, phone, "d2");
    await place.close();

    const { agent, alice, clock } = place;
    place = { ...place, ...(await behind({ database, clock })) };
    expect(await place.context.rosters.get(phone.app)).toBeDefined();
    expect([...(await undelivered(place.context, phone))]).toMatchObject([
      { decision: "d1", ...bytes },
      { decision: "d3" },
    ]);
    const found = await authenticate(place.context, agent.token);
    expect(found).toMatchObject({ kind: "agent" });
    if (found?.kind !== "agent") return;
    expect((await quotaOf(place.context, found)).remaining).toBe(7);
    expect(await answer(phone, "d1", "approved")).toEqual({ outcome: "approved", first: true });
    const asked = { decision: "d1", identity: alice.identity };
    expect(await decisionOutcome(place.context, found, asked)).toBe("approved");
  });

  it("kill: a unit of work that fails leaves nothing of itself, neither row nor count nor message", async () => {
    const { told } = place.connect(phone);
    const { store } = place.context;
    const write: typeof store.write = (work) =>
      store.write((unit) => {
        work(unit);
        throw new Error("the power went");
      });
    const routed = { device: phone.device, decision: "d1", ttlSeconds: 0, ...sealed() };
    const broken = { ...place.context, store: { ...store, write } };
    await expect(routeDecision(broken, await place.principal(), routed)).rejects.toThrow("the power went");
    expect(told).toEqual([]);
    expect(await queue()).toEqual([]);
    await expect(outcome("d1")).rejects.toMatchObject({ code: "not_found" });
    expect(store.decisions.used(place.app.app, "2026-11")).toBe(0);
    await place.route(phone, "d1");
    const answering = answerDecision(broken, phone, { decision: "d1", outcome: "approved" });
    await expect(answering).rejects.toThrow("the power went");
    expect(await outcome("d1")).toBe("pending");
    expect(await queue()).toEqual(["d1"]);
  });

  it("a database of the version before gets the new tables, and keeps what it has", async () => {
    const database = join(folder, "old.db");
    const relay = await createRelay({ database, operatorToken, logger: false });
    const { key } = relay;
    await relay.close();
    const db = new DatabaseSync(database);
    for (const table of ["delivery", "decision", "decision_usage", "foreign_device", "foreign_app"])
      db.exec(`DROP TABLE ${table}`);
    db.exec("DELETE FROM migration WHERE step = 1");
    db.close();
    const again = await createRelay({ database, operatorToken, logger: false });
    expect(again.key).toEqual(key);
    await again.close();
  });
});
