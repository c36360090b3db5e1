import { expect, test } from "vitest";
import { newDeliveries } from "./deliveries.ts";

test("quota-exhaustion: what concerns one device is judged for it alone, what concerns an app for all of its own", () => {
  const deliveries = newDeliveries();
  const seen: string[] = [];
  for (const [app, device] of [
    ["a", "one"],
    ["a", "two"],
    ["b", "three"],
  ] as const) {
    deliveries.connect(
      { app, device, identity: "alice", state: "waiting" },
      {
        send: () => true,
        activated: () => seen.push(`${device} active`),
        end: (reason) => seen.push(`${device} ${reason}`),
      },
    );
  }
  const asked: string[] = [];
  const stateOf = (state: "active" | "revoked") => (device: string) => {
    asked.push(device);
    return state;
  };
  deliveries.review("a", stateOf("active"), ["two", "four"]);
  expect(seen).toEqual(["two active"]);
  expect(asked).not.toContain("one");
  deliveries.review("a", stateOf("revoked"));
  expect(seen).toEqual(["two active", "one revoked", "two revoked"]);
  expect(deliveries.connected("a", "one")).toBe(false);
  expect(deliveries.connected("b", "three")).toBe(true);
});
