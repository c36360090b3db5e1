/** How far two parties' clocks may be apart, in milliseconds. */
export const clockTolerance = 5 * 60_000;

/**
 * A clock that cannot be turned back from its making on: it shows what the machine's clock shows, or the time
 * at its making and what has passed since by a clock that nobody sets, whichever is later (clock-rollback).
 * For judging whether something is over, never for a time that is signed.
 */
export function unwound(now: () => number): () => number {
  const began = now() - performance.now();
  return () => Math.max(now(), began + performance.now());
}
