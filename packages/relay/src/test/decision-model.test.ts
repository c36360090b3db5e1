/** Decisions under any order of calls, against a model of a few lines: what each caller is told, and what is kept. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { acknowledge, answerDecision, undelivered } from "../domain/decision-answers.ts";
import { decisionOutcome, type Outcome, quotaOf } from "../domain/decisions.ts";
import { sweep } from "../domain/lifecycle.ts";
import { foreignOffice } from "./foreign.fixture.ts";

const steps = fc.array(
  fc.record({
    call: fc.constantFrom(
      "route",
      "route",
      "approved",
      "rejected",
      "acknowledge",
      "read",
      "queue",
      "pass",
      "sweep",
    ),
    device: fc.nat(1),
    decision: fc.nat(2),
    seconds: fc.constantFrom(1, 30, 60),
  }),
  { minLength: 5, maxLength: 40 },
);

interface Model {
  outcome: Outcome;
  readonly expiresAt: number;
  by: number | null;
  /** By device: whether it still waits for it. */
  readonly waits: Map<number, boolean>;
}

test("whatever is called in whatever order: one outcome, first answer, decided once, and no byte longer than needed", async () => {
  const place = await foreignOffice();
  const { context, clock, alice } = place;
  await place.enable({ quota: 1_000_000 });
  const devices = [await place.register(), await place.register()];
  const agent = await place.principal();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (calls) => {
      run++;
      const model = new Map<string, Model>();
      const used = (await quotaOf(context, agent)).remaining;
      const settle = (one: Model | undefined) => {
        if (one?.outcome === "pending" && one.expiresAt <= clock.now) close(one, "expired", null);
        return one;
      };
      const close = (one: Model, outcome: Outcome, by: number | null) => {
        Object.assign(one, { outcome, by });
        for (const device of one.waits.keys()) one.waits.set(device, false);
      };
      for (const { call, device: n, decision: d, seconds } of calls) {
        const decision = `${run}-${d}`;
        const device = devices[n] as (typeof devices)[number];
        const one = settle(model.get(decision));
        const told = async <T>(work: Promise<T>) => work.catch((error: { code: string }) => error.code);
        switch (call) {
          case "route": {
            const given = { status: "queued", decision };
            expect(await place.route(device, decision, { ttlSeconds: seconds })).toEqual(given);
            const expiresAt = clock.now + seconds * 1000;
            if (!one)
              model.set(decision, { outcome: "pending", expiresAt, by: null, waits: new Map([[n, true]]) });
            else if (one.outcome === "pending" && !one.waits.has(n)) one.waits.set(n, true);
            break;
          }
          case "approved":
          case "rejected": {
            const answered = await told(answerDecision(context, device, { decision, outcome: call }));
            if (!one?.waits.has(n)) {
              expect(answered).toBe("not_found");
              break;
            }
            if (one.outcome === "pending") close(one, call, n);
            expect(answered).toEqual({ outcome: one.outcome, first: one.by === n && one.outcome === call });
            break;
          }
          case "acknowledge":
            expect(await told(acknowledge(context, device, decision))).toBe(
              one?.waits.has(n) ? undefined : "not_found",
            );
            if (one?.waits.has(n)) one.waits.set(n, false);
            break;
          case "read":
            expect(await told(decisionOutcome(context, agent, { decision, identity: alice.identity }))).toBe(
              one?.outcome ?? "not_found",
            );
            break;
          case "queue": {
            for (const each of model.values()) settle(each);
            const waiting = [...model].filter(([, each]) => each.waits.get(n)).map(([name]) => name);
            const found = [...(await undelivered(context, device))].map((one) => one.decision);
            expect(found.filter((name) => name.startsWith(`${run}-`))).toEqual(waiting);
            break;
          }
          case "pass":
            clock.now += seconds * 1000;
            break;
          case "sweep":
            sweep(context);
            break;
        }
      }
      expect(used - (await quotaOf(context, agent)).remaining).toBe(model.size);
      clock.now += 60_000;
      sweep(context);
      // Nothing is kept of what is closed.
      for (const { device } of devices)
        expect(context.store.decisions.queue(place.app.app, device)).toEqual([]);
    }),
    { numRuns: 60 },
  );
  await place.close();
}, 60_000);
