/** Where a liar's choices come from: fast-check's numbers, or one seed. */

/** A whole number from 0 to below `n`. */
export type Choose = (n: number) => number;

/** Choices that follow from one seed (SplitMix32). */
export function seededChoices(seed: number): Choose {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % n;
  };
}
