/**
 * How long to wait before the next call. Every pause has a random part, so that a thousand agents that lost
 * one relay do not come back at one moment, and none is shorter than a relay asked for (retry-storm).
 */
import { isGuardError, type RateLimitedError, type UnavailableError } from "../errors.ts";

const first = 400;
const factor = 1.6;
const longest = 30_000;

export interface Backoff {
  /** Waits, 400 ms × 1.6 to 30 s, shortened at random by up to half, and `more` on top; ends early when `signal` aborts. */
  pause(signal: AbortSignal, more?: number): Promise<void>;
  /** Begins again with the shortest pause. */
  reset(): void;
}

export function newBackoff(): Backoff {
  let delay = first;
  return {
    async pause(signal, more = 0) {
      const now = delay * (0.5 + Math.random() / 2) + more;
      delay = Math.min(delay * factor, longest);
      await pauseFor(now, signal);
    },
    reset() {
      delay = first;
    },
  };
}

/** Resolves after `ms`, or at once when `signal` aborts. */
export function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}

/**
 * What an answer's Retry-After asks for (RFC 9110 §10.2.3: seconds, or an HTTP date, which is held against the
 * answer's own date, so that nobody's clock matters), in milliseconds. Null where there is none, or no such thing.
 */
export function retryAfterOf(headers: Headers): number | null {
  const text = headers.get("retry-after")?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const at = / GMT$/.test(text) ? Date.parse(text) : Number.NaN;
  const sent = Date.parse(headers.get("date") ?? "");
  return Number.isNaN(at) ? null : Math.max(0, at - (Number.isNaN(sent) ? Date.now() : sent));
}

/**
 * The pause before a call is repeated for the `n`th time: what the relay asked for and up to half of it more,
 * at most 30 s before the random part, or a random part of 0.3 s, 0.6 s, … 5 s where it asked for nothing.
 */
export function retryPause(n: number, retryAfter: number | null): number {
  const own = Math.min(300 * 2 ** (n - 1), 5_000);
  const asked = Math.min(retryAfter ?? 0, longest);
  return asked + Math.random() * Math.max(own, asked / 2);
}

/** Whether an error is one that passes by itself: the relay is away, or asks to slow down. */
export function isPassing(error: unknown): error is UnavailableError | RateLimitedError {
  return isGuardError(error, "unavailable") || isGuardError(error, "rate_limited");
}

/** For how long the relay asked to be left alone when it refused, in milliseconds: at most 30 s, 0 where it did not. */
export function retryAfterIn(error: unknown): number {
  return isPassing(error) ? Math.min(error.retryAfter ?? 0, longest) : 0;
}
