/** A relay that goes and comes back with its database: what was routed, delivered, seen and answered is still so. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agent as wire } from "@guard/wires/noxy";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createRelay, serveRelay } from "../../index.ts";
import { agentClient } from "./agent.fixture.ts";
import { connectDevice, payloadOf } from "./device.fixture.ts";
import { noxyPlace } from "./place.fixture.ts";

const { DecisionOutcome } = wire;
const alice = "alice@example.com";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "guard-noxy-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test.each(["stream", "browser"] as const)(
  "a restart between delivery and answer loses nothing (%s)",
  async (leg) => {
    const database = join(folder, "relay.db");
    const place = await noxyPlace({ database });
    const { billing, subscribed, app, agent } = place;
    const phone = await subscribed(alice, leg);
    const sent: string[] = [];
    for (const amount of [1, 2, 3, 4]) {
      const { decision } = await billing.send(alice, { amount });
      sent.push(decision);
      await phone.decision();
    }
    const [seen, answered, third, fourth] = sent as [string, string, string, string];
    payloadOf(await phone.ack(seen), "decisionAck");
    payloadOf(await phone.answer(answered, "REJECT"), "decisionOutcome");
    const held = billing.outcome(third, alice, 55_000);
    await billing.quota();
    const closing = place.close();
    // Released, not lost: the agent asks again, as its client does.
    await held.then(
      (outcome) => expect(outcome.pending).toBe(true),
      (error) => expect(error.code).toBeGreaterThan(0),
    );
    await closing;
    await phone.ended;

    const relay = await createRelay({ database, logger: false });
    const listening = await serveRelay(relay);
    const target = { address: listening.url.replace("http://", "") };
    const again = agentClient(target, agent.token);
    const back = connectDevice({ app: app.app, target, leg, keys: phone.keys });
    expect(payloadOf(await back.authenticate(), "authenticate")).toMatchObject({
      requiresRegistration: false,
      deviceId: phone.id,
    });
    payloadOf(await back.subscribe(), "subscribeDecisions");
    expect(await back.decision()).toEqual({ decision: third, text: '{"amount":3}' });
    expect(await back.decision()).toEqual({ decision: fourth, text: '{"amount":4}' });
    const waiting = again.outcome(third, alice, 55_000);
    payloadOf(await back.answer(third, "APPROVE"), "decisionOutcome");
    expect((await waiting).outcome).toBe(DecisionOutcome.APPROVED);
    payloadOf(await back.answer(seen, "APPROVE"), "decisionOutcome");
    const outcomes = await Promise.all(sent.map(async (id) => (await again.outcome(id, alice)).outcome));
    expect(outcomes).toEqual([
      DecisionOutcome.APPROVED,
      DecisionOutcome.REJECTED,
      DecisionOutcome.APPROVED,
      DecisionOutcome.PENDING,
    ]);
    expect(back.waiting()).toBe(0);
    back.close();
    again.close();
    await listening.close();
    await relay.close();
  },
);

test("closing is quick with devices connected, known and unknown, and answers what had arrived", async () => {
  const place = await noxyPlace();
  const { subscribed, device } = place;
  const known = [await subscribed(alice), await subscribed(alice, "browser")];
  const unknown = [device(), device("browser")];
  for (const one of unknown) await one.authenticate();
  const started = performance.now();
  await place.relay.close();
  // Cutting them takes five seconds; they end by themselves.
  expect(performance.now() - started).toBeLessThan(4000);
  await Promise.all([...known, ...unknown].map(({ ended }) => ended));
  await place.close();
});
