/**
 * Keeps rows where they are. Requests come and go while somebody points at one, and a row must not move under a
 * finger (stale-decision).
 *
 * Guarantees: between two calls of `sorted` no row changes its place; one that can no longer be answered stays as
 * `ended`; what is new comes below all others, most urgent first, as it came.
 */
import type { Item } from "@guard/device";

export interface Row {
  readonly id: string;
  readonly item: Item;
  /** It cannot be answered any more. */
  readonly ended: boolean;
}

export interface Places {
  readonly rows: readonly Row[];
  /** What came since the rows were last sorted. */
  readonly fresh: readonly Row[];
}

export const itemId = ({ opened, identity }: Item): string => `${opened.request} ${identity}`;

const rowOf = (item: Item): Row => ({ id: itemId(item), item, ended: false });

/** The inbox's own order: most urgent first, and nothing that ended. */
export function sorted(items: readonly Item[]): Places {
  return { rows: items.map(rowOf), fresh: [] };
}

/** `items` in the places that they have already. Where nothing can be answered any more, there is nothing to keep. */
export function kept(before: Places, items: readonly Item[]): Places {
  const now = new Map(items.map((item) => [itemId(item), item]));
  const shown = [...before.rows, ...before.fresh];
  if (!shown.some(({ id }) => now.has(id))) return sorted(items);
  const known = new Set(shown.map(({ id }) => id));
  const again = (row: Row): Row => {
    const item = now.get(row.id);
    return item ? rowOf(item) : { ...row, ended: true };
  };
  const added = items.filter((item) => !known.has(itemId(item))).map(rowOf);
  return { rows: before.rows.map(again), fresh: [...before.fresh.map(again), ...added] };
}
