/**
 * The devices of all people of a run: each decides what it is asked as the plan says, again in every life, until it
 * is told that the story is over.
 */
import { isGuardError, type RequestView } from "@guard/core";
import { type Device, type DeviceProfile, openDevice } from "@guard/device";
import { fileDeviceStore } from "@guard/device/node";
import { clockIn, pointsOf, watchedFetch } from "../points.ts";
import type { Life, Orders } from "./orders.ts";

/** What comes by itself, or ends with the next try. */
const passing = new Set(["unavailable", "rate_limited", "clock_skew", "expired"]);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function device(
  { directory, journal, clock, plan, death }: Orders,
  life: Life,
): Promise<number> {
  const points = pointsOf(death);
  const fetch = watchedFetch(points, journal);
  const items = new Map(plan.items.map((item) => [item.item, item]));

  async function decide(own: Device, view: RequestView): Promise<void> {
    const opened = await own.open(view);
    const { item, amount } = opened.args as { item: string; amount: number };
    const planned = items.get(item);
    if (!planned || opened.closed !== null || planned.answer === "ignore") return;
    await pause(plan.thinking);
    if (planned.wanted === null) await own.decide(opened, { decision: "reject", reason: "planned" });
    else if (planned.wanted === amount) await own.decide(opened, { decision: "approve" });
    else await own.decide(opened, { decision: "approve", args: { item, amount: planned.wanted } });
  }

  /** One request, until this device has nothing to do with it any more. */
  async function pursue(own: Device, request: string): Promise<void> {
    while (!life.over.aborted) {
      try {
        const view = await own.get(request);
        if (view.state === "pending") await decide(own, view);
        return;
      } catch (error) {
        if (!isGuardError(error) || !passing.has(error.code)) throw error;
      }
      await pause(40);
    }
  }

  async function follow(profile: DeviceProfile): Promise<void> {
    const seen = new Set<string>();
    while (!life.over.aborted) {
      try {
        const own = await openDevice({ profile, store, fetch, now: clockIn(clock) });
        for await (const { request, state } of own.requests({ signal: life.over })) {
          if (state !== "pending" || seen.has(request)) continue;
          seen.add(request);
          pursue(own, request).catch(failed.reject);
        }
      } catch (error) {
        if (!isGuardError(error) || !passing.has(error.code)) throw error;
      }
      await pause(40);
    }
  }

  const failed = Promise.withResolvers<never>();
  const store = fileDeviceStore(directory);
  const profiles = await store.list();
  life.begun();
  await Promise.race([failed.promise, Promise.all(profiles.map(follow))]);
  return 0;
}
