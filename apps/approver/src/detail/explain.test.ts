import { CancelledError, ConfigurationError, ExpiredError, UnavailableError } from "@guard/core";
import { expect, test } from "vitest";
import { explain } from "./explain.ts";

const unavailable = (relayCode: string) =>
  Object.assign(new UnavailableError("It is approved."), { relayCode });

test("too late, revoked: nothing more can be answered here", () => {
  expect(explain(new ExpiredError("Too late."))).toEqual({ kind: "final", text: "Too late." });
  expect(explain(unavailable("already_decided"))).toEqual({ kind: "final", text: "It is approved." });
  expect(explain(unavailable("unauthorized"))).toMatchObject({
    kind: "final",
    text: expect.stringMatching(/revoked/),
  });
});

test("offline: nobody knows whether the answer arrived", () => {
  expect(explain(unavailable("unreachable"))).toMatchObject({ kind: "unknown" });
});

test("a passkey's prompt that was closed, and what was set up wrongly, can be tried again", () => {
  expect(explain(new CancelledError("Closed."))).toEqual({ kind: "open", text: "Closed." });
  expect(explain(new ConfigurationError("Wrong."))).toEqual({ kind: "open", text: "Wrong." });
});

test("hidden-characters: nothing that an error says is drawn unseen", () => {
  expect(explain(new Error("a\u202eb")).text).toContain("⟨U+202E⟩");
});
