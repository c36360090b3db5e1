/**
 * Every error that Guard throws: one base class, a stable code each, a class for each code that a caller
 * would catch. Messages say what to do next and never hold arguments, keys or tokens.
 *
 * Errors are branded by `Symbol.for`, so two copies of this package in one process still recognise each
 * other's errors; use {@link isGuardError}, not `instanceof`, where that can happen.
 */

const brand = Symbol.for("guard.error");

/** The stable codes. Text of messages may change, codes do not. */
export type GuardErrorCode =
  | "rejected"
  | "denied"
  | "expired"
  | "wait_timeout"
  | "cancelled"
  | "no_device"
  | "in_progress"
  | "already_executed"
  | "unknown_state"
  | "unavailable"
  | "verification_failed"
  | "clock_skew"
  | "rate_limited"
  | "validation"
  | "configuration";

export interface GuardErrorOptions extends ErrorOptions {
  /** Id of the approval request that this is about, if there is one. */
  request?: string | undefined;
}

/** Base of all errors. Catch by `code`, or by one of the classes below. */
export class GuardError extends Error {
  // Written out, as in each class: bundlers rename classes, and logs and checks go by this name.
  override readonly name: string = "GuardError";
  readonly code: GuardErrorCode;
  readonly request: string | undefined;
  /** Where the relay refused: the code that it gave (`ApiErrorCode`); `unreachable` where it was away. */
  relayCode?: string;

  constructor(code: GuardErrorCode, message: string, options: GuardErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.request = options.request;
    Object.defineProperty(this, brand, { value: true });
  }
}

/** Whether `error` is Guard's, whichever copy of the package made it; with `code`, whether it has that code. */
export function isGuardError(error: unknown, code?: GuardErrorCode): error is GuardError {
  if (typeof error !== "object" || error === null) return false;
  const candidate = error as { [brand]?: unknown; code?: unknown };
  return candidate[brand] === true && (code === undefined || candidate.code === code);
}

/** A person said no. `reason` is what they gave, verified to be theirs; null where they gave none. */
export class RejectedError extends GuardError {
  override readonly name: string = "RejectedError";
  readonly reason: string | null;
  /** Who rejected, as normalised identities. */
  readonly by: readonly string[];
  constructor(
    message: string,
    options: GuardErrorOptions & { reason: string | null; by: readonly string[] },
  ) {
    super("rejected", message, options);
    this.reason = options.reason;
    this.by = options.by;
  }
}

/** Policy, suspension or a stale roster said no; nobody was asked, or their answer no longer suffices. */
export class DeniedError extends GuardError {
  override readonly name: string = "DeniedError";
  readonly reasons: readonly string[];
  constructor(message: string, options: GuardErrorOptions & { reasons?: readonly string[] } = {}) {
    super("denied", message, options);
    this.reasons = options.reasons ?? [];
  }
}

/** Nobody answered in time, or the approval was not used in time. */
export class ExpiredError extends GuardError {
  override readonly name: string = "ExpiredError";
  constructor(message: string, options: GuardErrorOptions = {}) {
    super("expired", message, options);
  }
}

/** The caller stopped waiting (its own timeout or abort signal); the request stays open until its expiry. */
export class WaitTimeoutError extends GuardError {
  override readonly name: string = "WaitTimeoutError";
  constructor(message: string, options: GuardErrorOptions = {}) {
    super("wait_timeout", message, options);
  }
}

/** The agent withdrew the request, or a person the prompt for their passkey; nothing was signed. */
export class CancelledError extends GuardError {
  override readonly name: string = "CancelledError";
  constructor(message: string, options: GuardErrorOptions = {}) {
    super("cancelled", message, options);
  }
}

/** Somebody who has to be asked has no enrolled device. */
export class NoDeviceError extends GuardError {
  override readonly name: string = "NoDeviceError";
  readonly identities: readonly string[];
  constructor(message: string, options: GuardErrorOptions & { identities: readonly string[] }) {
    super("no_device", message, options);
    this.identities = options.identities;
  }
}

/** The same action is being run by another process right now. */
export class InProgressError extends GuardError {
  override readonly name: string = "InProgressError";
  constructor(message: string, options: GuardErrorOptions = {}) {
    super("in_progress", message, options);
  }
}

/** The action has run already; it is neither run again nor called a success. */
export class AlreadyExecutedError extends GuardError {
  override readonly name: string = "AlreadyExecutedError";
  constructor(message: string, options: GuardErrorOptions = {}) {
    super("already_executed", message, options);
  }
}

/** The action was started and nobody reported how it ended. It is never run again by itself. */
export class UnknownStateError extends GuardError {
  override readonly name: string = "UnknownStateError";
  constructor(message: string, options: GuardErrorOptions = {}) {
    super("unknown_state", message, options);
  }
}

/** The relay, or the place where evidence is kept, could not be used. Nothing ran. */
export class UnavailableError extends GuardError {
  override readonly name: string = "UnavailableError";
  /** How long the relay asked to wait, in milliseconds. */
  readonly retryAfter: number | null;
  constructor(message: string, options: GuardErrorOptions & { retryAfter?: number | null } = {}) {
    super("unavailable", message, options);
    this.retryAfter = options.retryAfter ?? null;
  }
}

/** Something that has to be signed or bound was not. Somebody lies, or data is damaged. Nothing ran. */
export class VerificationError extends GuardError {
  override readonly name: string = "VerificationError";
  constructor(message: string, options: GuardErrorOptions = {}) {
    super("verification_failed", message, options);
  }
}

/** This machine's clock and the relay's differ by more than five minutes. */
export class ClockSkewError extends GuardError {
  override readonly name: string = "ClockSkewError";
  constructor(message: string, options: GuardErrorOptions = {}) {
    super("clock_skew", message, options);
  }
}

/** The relay asked to slow down and the retries were used up. */
export class RateLimitedError extends GuardError {
  override readonly name: string = "RateLimitedError";
  /** How long the relay asked to wait, in milliseconds. */
  readonly retryAfter: number | null;
  constructor(message: string, options: GuardErrorOptions & { retryAfter?: number | null } = {}) {
    super("rate_limited", message, options);
    this.retryAfter = options.retryAfter ?? null;
  }
}

/** A value cannot be used: arguments that are not plain JSON, an edit that breaks the tool's schema. */
export class ValidationError extends GuardError {
  override readonly name: string = "ValidationError";
  /** Where in the value, for instance `$.items[3].price`; null where the whole value is meant. */
  readonly path: string | null;
  constructor(message: string, options: GuardErrorOptions & { path?: string | null } = {}) {
    super("validation", message, options);
    this.path = options.path ?? null;
  }
}

/** Guard was set up wrongly. Thrown before anything runs. */
export class ConfigurationError extends GuardError {
  override readonly name: string = "ConfigurationError";
  constructor(message: string, options: GuardErrorOptions = {}) {
    super("configuration", message, options);
  }
}
