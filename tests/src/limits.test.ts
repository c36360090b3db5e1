// What the gate needs, and what it can do without: relay, fresh roster, ledger.
import type { Ledger, Rule } from "@guard/core";
import { testGuard } from "@guard/testing";
import { afterEach, expect, test } from "vitest";
import { lyingFetch } from "./liar/lie.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});
async function kit(options: Parameters<typeof testGuard>[0] = {}) {
  const made = await testGuard(options);
  open.push(made);
  return made;
}

test("what policy allows needs no relay, unless the rule says so", async () => {
  const policy: Rule[] = [
    { tool: "lookup", then: "allow" },
    { tool: "transfer", then: "allow", relay: "required" },
  ];
  const { bench, another } = await kit({ policy, retries: 0 });
  let down = false;
  const guard = another({
    fetch: lyingFetch(bench.fetch, async () => {
      if (down) throw new TypeError("fetch failed");
      return undefined;
    }),
  });
  await guard.ready();
  down = true;
  expect(await guard.run({ tool: "lookup", args: {} }, () => "ran")).toBe("ran");
  await expect(guard.run({ tool: "transfer", args: {} }, () => "ran")).rejects.toMatchObject({
    code: "unavailable",
  });
  await expect(guard.run({ tool: "refund", args: {} }, () => "ran")).rejects.toMatchObject({
    code: "unavailable",
  });
  down = false;
  expect(await guard.run({ tool: "transfer", args: {} }, () => "ran")).toBe("ran");
});

test("stale-roster: past rosterMaxAge nothing runs, also what policy allows, until the owner renews", async () => {
  let now = Date.now();
  const { guard, bench } = await kit({ policy: [{ tool: "lookup", then: "allow" }], now: () => now });
  const lookup = () => guard.run({ tool: "lookup", args: {} }, () => "ran");
  expect(await lookup()).toBe("ran");
  now += 31 * 86_400_000;
  await expect(lookup()).rejects.toMatchObject({
    code: "denied",
    reasons: ["the roster is too old (rosterMaxAge)"],
  });
  await bench.owner.renew();
  expect(await lookup()).toBe("ran");
});

test("consume-equivocation: what a shared ledger shows as taken does not run, whatever the relay says", async () => {
  const taken = new Map<string, string>();
  const ledger: Ledger = {
    async claim(request, attempt) {
      if (!taken.has(request)) taken.set(request, attempt);
      return taken.get(request) === attempt;
    },
  };
  const { approver, another } = await kit();
  const guard = another({ ledger });
  approver.expect("refund", { amount: 1 }).approve();
  expect(await guard.run({ tool: "refund", args: { amount: 1 } }, () => "ran")).toBe("ran");
  const held = approver.expect("refund", { amount: 2 }).hold();
  const running = guard.run({ tool: "refund", args: { amount: 2 } }, () => "ran");
  running.catch(() => {});
  taken.set((await held.arrived).request, "another process");
  await held.approve();
  await expect(running).rejects.toMatchObject({ code: "in_progress" });
});
