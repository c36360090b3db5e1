/**
 * Finds what one chain alone cannot show: that a relay gave one approval to two attempts (consume-equivocation).
 * Each chain by itself is valid then; two receipts for one request prove that the relay lied, or was restored
 * from a copy that was older than the first of them.
 */
import type { ChainReport } from "./verify.ts";

/** One use of an approval: a receipt that was verified. */
export interface Use {
  readonly request: string;
  /** The attempt that the receipt is for, base64url of 16 bytes. */
  readonly attempt: string;
  /** The relay's name on the roster. */
  readonly relay: string;
  /** When the relay says that it gave the receipt, in ms. */
  readonly time: number;
}

export interface Equivocation {
  readonly request: string;
  /** Two or more uses with different attempts, in the order of the reports. */
  readonly uses: readonly (Use & { readonly chain: string | null })[];
}

/**
 * The requests that were used by more than one attempt in these chains. Only receipts that {@link verifyChain}
 * verified with a roster count, so nothing here rests on what somebody wrote into a file.
 */
export function findEquivocation(reports: readonly ChainReport[]): readonly Equivocation[] {
  const found = new Map<string, Map<string, Equivocation["uses"][number]>>();
  for (const { chain, uses } of reports) {
    for (const use of uses) {
      const attempts = found.get(use.request) ?? new Map<string, Equivocation["uses"][number]>();
      if (!attempts.has(use.attempt)) attempts.set(use.attempt, { chain, ...use });
      found.set(use.request, attempts);
    }
  }
  return [...found]
    .filter(([, attempts]) => attempts.size > 1)
    .map(([request, attempts]) => ({ request, uses: [...attempts.values()] }));
}
