/**
 * Calls that write take turns: so many are worked on at once, and when one is done the next app in the round
 * is next, however many calls the others have waiting (quota-exhaustion). One call alone never waits.
 */
import { Refusal } from "../domain/refusal.ts";

export interface Turns {
  /** Does `work` when it is `app`'s turn. @throws Refusal where the app has too many calls waiting */
  take<T>(app: string, work: () => Promise<T>): Promise<T>;
}

export function turns({ atOnce, waiting }: { atOnce: number; waiting: number }): Turns {
  // Apps in the order in which they come next; each with its own calls, oldest first.
  const round = new Map<string, (() => void)[]>();
  let working = 0;

  function next(): void {
    const first = round.entries().next().value;
    if (!first || working >= atOnce) return;
    const [app, calls] = first;
    const begin = calls.shift() as () => void;
    round.delete(app);
    if (calls.length > 0) round.set(app, calls);
    working++;
    begin();
  }

  return {
    async take(app, work) {
      const calls = round.get(app) ?? [];
      if (calls.length >= waiting) {
        throw new Refusal("rate_limited", "This app has too many calls waiting. Slow down.", {
          retryAfter: 1000,
        });
      }
      await new Promise<void>((begin) => {
        calls.push(begin);
        round.set(app, calls);
        next();
      });
      try {
        return await work();
      } finally {
        working--;
        next();
      }
    },
  };
}
