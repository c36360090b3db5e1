/** Token buckets in memory, one for each token or address. */
import type { Rate } from "../domain/limits.ts";

export interface Rates {
  /** Takes one call; returns 0, or after how many milliseconds there is one. */
  take(id: string, now: number): number;
}

const remembered = 50_000;

export function rates({ perSecond, burst }: Rate): Rates {
  const buckets = new Map<string, { left: number; at: number }>();
  return {
    take(id, now) {
      const bucket = buckets.get(id) ?? { left: burst, at: now };
      const passed = Math.max(0, now - bucket.at) / 1000;
      const left = Math.min(burst, bucket.left + passed * perSecond);
      // Taking it out and putting it back keeps the map in order of use, so the oldest go first.
      buckets.delete(id);
      buckets.set(id, { left: left < 1 ? left : left - 1, at: now });
      if (buckets.size > remembered) buckets.delete(buckets.keys().next().value as string);
      return left < 1 ? Math.ceil(((1 - left) / perSecond) * 1000) : 0;
    },
  };
}
