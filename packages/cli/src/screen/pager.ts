/** Lines a page at a time. Guarantees: `seen` is true only once the last line was on screen (out-of-view). */
import type { Line } from "../words.ts";

export interface Pager {
  /** Whether the end was in view since the last {@link Pager.restart}. */
  readonly seen: boolean;
  /** Another text: from its top, with nothing seen. */
  restart(): void;
  toTop(): void;
  /** Moves by lines, or by whole pages. */
  move(by: { lines: number } | { pages: number }): void;
  /** The lines that fit into `rows`, and a remark on how many there are where that is not all. */
  page(lines: readonly Line[], rows: number): readonly Line[];
}

export function createPager(): Pager {
  let top = 0;
  let height = 10;
  let seen = false;
  return {
    get seen() {
      return seen;
    },
    restart() {
      top = 0;
      seen = false;
    },
    toTop() {
      top = 0;
    },
    move(by) {
      top = Math.max(0, top + ("lines" in by ? by.lines : by.pages * height));
    },
    page(lines, rows) {
      height = Math.max(1, rows - 1);
      if (lines.length <= rows) {
        seen = true;
        top = 0;
        return lines;
      }
      top = Math.min(top, lines.length - height);
      const end = top + height;
      if (end >= lines.length) seen = true;
      const more = end < lines.length ? `↓ ${lines.length - end} more lines (space)` : "end";
      return [
        ...lines.slice(top, end),
        { text: `— lines ${top + 1} to ${end} of ${lines.length}, ${more} —`, tone: "warning" },
      ];
    },
  };
}
