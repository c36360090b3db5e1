/** Token buckets in memory, one for each token or address. */
import { Recent } from "@guard/core";
import type { Rate } from "../domain/limits.ts";

export interface Rates {
  /** Takes one call, or `cost` of them; returns 0, or after how many milliseconds there are that many. */
  take(id: string, now: number, cost?: number): number;
}

const remembered = 50_000;

export function rates({ perSecond, burst }: Rate): Rates {
  const buckets = new Recent<{ left: number; at: number }>(remembered);
  return {
    take(id, now, wanted = 1) {
      // What costs more than a full bucket costs a full bucket.
      const cost = Math.min(wanted, burst);
      const bucket = buckets.get(id) ?? { left: burst, at: now };
      const passed = Math.max(0, now - bucket.at) / 1000;
      const left = Math.min(burst, bucket.left + passed * perSecond);
      buckets.set(id, { left: left < cost ? left : left - cost, at: now });
      return left < cost ? Math.ceil(((cost - left) / perSecond) * 1000) : 0;
    },
  };
}
