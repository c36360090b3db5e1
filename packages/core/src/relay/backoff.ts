/**
 * The pauses between polls: 400 ms × 1.6 to 30 s, each shortened at random by up to half, so that a thousand
 * agents that lost one relay do not come back at one moment (retry-storm).
 */
const first = 400;
const factor = 1.6;
const longest = 30_000;

export interface Backoff {
  /** Waits, longer each time; ends early when `signal` aborts. */
  pause(signal: AbortSignal): Promise<void>;
  /** Begins again with the shortest pause. */
  reset(): void;
}

export function newBackoff(): Backoff {
  let delay = first;
  return {
    async pause(signal) {
      const now = delay * (0.5 + Math.random() / 2);
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
