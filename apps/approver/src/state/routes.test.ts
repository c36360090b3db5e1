import { formatInvitation, newInvitationCode } from "@guard/core";
import { describe, expect, test } from "vitest";
import { fragmentOf, invitationIn, type Route, readRoute } from "./routes.ts";

const request = "q".repeat(43);

describe("routes", () => {
  const routes: readonly Route[] = [
    { view: "inbox" },
    { view: "history" },
    { view: "devices" },
    { view: "enrol" },
    { view: "request", request, identity: "alice@example.com" },
    { view: "request", request, identity: "0x/ä#?%⟨" },
  ];
  test.each(routes)("%j is read as it was written", (route) => {
    expect(readRoute(fragmentOf(route))).toEqual(route);
  });

  test.each([
    "",
    "#",
    "#/",
    "#/nothing",
    "#/history/more",
    "#/request",
    `#/request/${request}`,
    `#/request/${request}/`,
    `#/request/${request}/%E0%A4%A`,
    `#/request/${request}/alice/approve`,
    "#/request/../alice",
    "#/constructor",
  ])("%s shows the inbox", (fragment) => {
    expect(readRoute(fragment)).toEqual({ view: "inbox" });
  });
});

test("an invitation in a fragment is told apart from a route", () => {
  const invitation = formatInvitation({
    version: 1,
    relay: "https://relay.example.com",
    app: "a".repeat(43),
    identity: "alice@example.com",
    expiresAt: 1,
    code: newInvitationCode(),
  });
  expect(invitationIn(`#${invitation}`)).toBe(invitation);
  expect(invitationIn(fragmentOf({ view: "request", request, identity: "alice" }))).toBeNull();
  expect(invitationIn("")).toBeNull();
});
