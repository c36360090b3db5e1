import { describe, expect, it } from "vitest";
import { otherRealm } from "./crypto/platform.fixture.ts";
import {
  AlreadyExecutedError,
  CancelledError,
  ClockSkewError,
  ConfigurationError,
  DeniedError,
  ExpiredError,
  GuardError,
  InProgressError,
  isGuardError,
  NoDeviceError,
  RateLimitedError,
  RejectedError,
  UnavailableError,
  UnknownStateError,
  ValidationError,
  VerificationError,
  WaitTimeoutError,
} from "./errors.ts";

const simple = [
  [ExpiredError, "expired", "ExpiredError"],
  [WaitTimeoutError, "wait_timeout", "WaitTimeoutError"],
  [CancelledError, "cancelled", "CancelledError"],
  [InProgressError, "in_progress", "InProgressError"],
  [AlreadyExecutedError, "already_executed", "AlreadyExecutedError"],
  [UnknownStateError, "unknown_state", "UnknownStateError"],
  [UnavailableError, "unavailable", "UnavailableError"],
  [VerificationError, "verification_failed", "VerificationError"],
  [ClockSkewError, "clock_skew", "ClockSkewError"],
  [ConfigurationError, "configuration", "ConfigurationError"],
  [DeniedError, "denied", "DeniedError"],
  [RateLimitedError, "rate_limited", "RateLimitedError"],
  [ValidationError, "validation", "ValidationError"],
] as const;

describe("errors", () => {
  it.each(simple)("$2 has the code $1, its own name, request and cause", (Class, code, name) => {
    const cause = new Error("why");
    const error = new Class("message", { request: "id", cause });
    expect(error).toBeInstanceOf(GuardError);
    expect(error).toMatchObject({ name, code, message: "message", request: "id", cause });
    expect(isGuardError(error, code)).toBe(true);
    expect(isGuardError(error, "rejected")).toBe(false);
    expect(Object.hasOwn(new Class("message"), "cause")).toBe(false);
  });

  it.each(simple)("$2 keeps its name in a bundle that renames its class", (Class, _code, name) => {
    Object.defineProperty(Class, "name", { value: "a" });
    expect(new Class("message").name).toBe(name);
    Object.defineProperty(Class, "name", { value: name });
  });

  it("carry what a caller decides by", () => {
    const rejected = new RejectedError("no", { reason: "too much", by: ["alice@example.com"] });
    expect(rejected).toMatchObject({ code: "rejected", reason: "too much", by: ["alice@example.com"] });
    expect(new NoDeviceError("no", { identities: ["a"] })).toMatchObject({
      code: "no_device",
      identities: ["a"],
    });
    expect(new DeniedError("no").reasons).toEqual([]);
    expect(new RateLimitedError("slow").retryAfter).toBe(null);
    expect(new ValidationError("bad", { path: "$.a" }).path).toBe("$.a");
    expect(new ValidationError("bad").path).toBe(null);
  });

  it.runIf(otherRealm)("are recognised across copies of the package, and nothing else is", () => {
    const foreign = otherRealm?.(`
      const error = new Error("from another copy");
      error.code = "denied";
      Object.defineProperty(error, Symbol.for("guard.error"), { value: true });
      error`);
    expect(foreign).not.toBeInstanceOf(GuardError);
    expect(isGuardError(foreign, "denied")).toBe(true);
    const disguised = Object.assign(new Error("x"), { code: "denied", name: "DeniedError" });
    for (const other of [disguised, { code: "denied" }, null, undefined, "denied", 0]) {
      expect(isGuardError(other)).toBe(false);
    }
    expect(Object.keys(new VerificationError("x"))).not.toContain("Symbol(guard.error)");
  });
});
