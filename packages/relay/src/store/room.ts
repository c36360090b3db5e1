/**
 * Whether there is room for one more, without counting what is there each time: what was counted last and what was
 * added since is the most that there can be, because only this process adds, and only here. Where that is the limit,
 * it is counted again, so a full place is never taken for one with room, nor the other way round.
 */
import { Recent } from "@guard/core";

const remembered = 10_000;

export interface Room {
  /** @param count counts what is there, exactly; called only where that can matter */
  isThere(key: string, limit: number, count: () => number): boolean;
  /** One more is there, or was, if its unit of work is undone. */
  added(key: string): void;
}

export function room(): Room {
  const most = new Recent<number>(remembered);
  return {
    isThere(key, limit, count) {
      const bound = most.get(key);
      if (bound !== undefined && bound < limit) return true;
      const counted = count();
      most.set(key, counted);
      return counted < limit;
    },
    added(key) {
      const bound = most.get(key);
      if (bound !== undefined) most.set(key, bound + 1);
    },
  };
}
