/** The list of what waits, as lines: the part of it around the cursor that fits. */
import type { Item } from "@guard/device";
import { type Line, summaryLine, wrapLines } from "../words.ts";

export function listLines(options: {
  items: readonly Item[];
  cursor: number;
  columns: number;
  rows: number;
  now: number;
  /** Whether the list can be left. */
  quits: boolean;
}): readonly Line[] {
  const { items, cursor, columns, rows, now, quits } = options;
  if (items.length === 0) return [{ text: "Nothing waits for an answer.", tone: "dim" }];
  const first = Math.max(0, Math.min(cursor - rows + 3, items.length - rows + 2));
  const lines = items.slice(first, first + Math.max(1, rows - 2)).map((item, i): Line => {
    const chosen = first + i === cursor;
    const text = `${chosen ? "›" : " "} ${summaryLine(item.opened, item.identity, now)}`;
    const [line, ...rest] = wrapLines([{ text, ...(chosen ? { tone: "title" as const } : {}) }], columns - 1);
    // A list may shorten what the detail shows in full, but it says so.
    return rest.length > 0 && line ? { ...line, text: `${line.text}…` } : (line as Line);
  });
  return [
    ...lines,
    { text: `${items.length} waiting. ↑↓ choose, enter opens${quits ? ", q quits" : ""}.`, tone: "dim" },
  ];
}
