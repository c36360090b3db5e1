import { describe, expect, test } from "vitest";
import { connectPolicy, servedBy } from "./relays.ts";

describe("the policy of what the page may reach", () => {
  test("names each relay's origin once, in order, without its path", () => {
    const relays = ["https://b.example.com/guard", "http://127.0.0.1:4800", "https://b.example.com"];
    expect(connectPolicy(relays)).toBe("connect-src http://127.0.0.1:4800 https://b.example.com");
  });

  test("nothing is reachable where nobody is enrolled", () => {
    expect(connectPolicy([])).toBe("connect-src 'none'");
  });

  test("a relay's address cannot add another directive or source", () => {
    const relay = "https://b.example.com/x; script-src * 'unsafe-inline' https://evil.example.com";
    expect(connectPolicy([relay])).toBe("connect-src https://b.example.com");
    expect(() => connectPolicy(["https://b.example.com; script-src *"])).toThrow();
  });
});

test("relay-served-page: a page from a relay's own origin is told apart", () => {
  expect(servedBy(["https://relay.example.com/v"], "https://relay.example.com")).toBe(true);
  expect(servedBy(["https://relay.example.com"], "https://page.example.com")).toBe(false);
  expect(servedBy([], "https://page.example.com")).toBe(false);
});
