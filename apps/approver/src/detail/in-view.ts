/**
 * Remembers which parts of a request have been on screen.
 *
 * Guarantees (out-of-view): a part counts once its upper and its lower edge have been in view; what was never
 * drawn never counts; a part that leaves the view again stays counted.
 */

/** Which edges of a part are in view now. */
export interface Edges {
  readonly top: boolean;
  readonly bottom: boolean;
}

export interface Seen {
  /** Notes what is in view; whether that changed anything. */
  note(key: string, edges: Edges): boolean;
  unseen(keys: readonly string[]): readonly string[];
}

export function createSeen(): Seen {
  const tops = new Set<string>();
  const bottoms = new Set<string>();
  return {
    note(key, { top, bottom }) {
      const before = tops.size + bottoms.size;
      if (top) tops.add(key);
      if (bottom) bottoms.add(key);
      return tops.size + bottoms.size > before;
    },
    unseen: (keys) => keys.filter((key) => !tops.has(key) || !bottoms.has(key)),
  };
}

interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** The edges of `part` that are within what is `shown` of it, give or take the pixel that zoom rounds away. */
export function edgesIn(part: Box, shown: Box): Edges {
  const wide = shown.left <= part.left + 1 && shown.right >= part.right - 1 && shown.bottom > shown.top;
  return { top: wide && shown.top <= part.top + 1, bottom: wide && shown.bottom >= part.bottom - 1 };
}
