import type { Invitation } from "@guard/core";
import { parseInvitation } from "@guard/core";
import { expect, test } from "vitest";
import { pageUrl } from "./page.ts";
import { linkTo, qrCode } from "./page-link.ts";

const invitation: Invitation = {
  version: 1,
  relay: "https://relay.example.com",
  app: "A".repeat(43),
  identity: "alice@example.com",
  expiresAt: 1_800_000_000_000,
  code: "A".repeat(22),
};
const relayIn = (page: string, relay: string) =>
  parseInvitation(linkTo(pageUrl(page), { ...invitation, relay })).relay;

test("the link has the invitation behind #, which no server gets to see", () => {
  const link = linkTo(pageUrl("https://approve.example.com/guard"), invitation);
  expect(link).toMatch(/^https:\/\/approve\.example\.com\/guard\/#guard-invite-[\w-]+$/);
  expect(parseInvitation(link)).toEqual(invitation);
});

test("a page that a relay on this machine serves talks to its own origin, and any other page to the relay as it is", () => {
  expect(relayIn("http://localhost:8787", "http://127.0.0.1:8787")).toBe("http://localhost:8787");
  expect(relayIn("http://localhost:3000", "http://127.0.0.1:8787")).toBe("http://127.0.0.1:8787");
  expect(relayIn("https://localhost:8787", "http://127.0.0.1:8787")).toBe("http://127.0.0.1:8787");
  expect(relayIn("https://approve.example.com", "https://relay.example.com")).toBe(
    "https://relay.example.com",
  );
});

test("the QR code is a square of half blocks that fits a terminal", () => {
  const lines = qrCode(linkTo(pageUrl("https://approve.example.com"), invitation)).split("\n");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are control sequences.
  const plain = lines.map((line) => line.replaceAll(/\u001b\[[\d;]+m/g, ""));
  expect(new Set(plain.map((line) => line.length))).toEqual(new Set([plain[0]?.length]));
  expect(plain.length).toBe(Math.ceil((plain[0]?.length ?? 0) / 2));
  expect(plain[0]?.length).toBeLessThan(100);
});
