/**
 * What a lying relay keeps of everything that passed through it, so that it can play it again, mix it, or show
 * one client what another one was shown before.
 */
import {
  type Answer,
  type RequestList,
  type RequestView,
  type RosterPage,
  readEntry,
  type Signed,
} from "@guard/core";
import type { Accomplice } from "./accomplices.ts";
import type { Kind } from "./lie.ts";

/** Kinds of call that are answered with a {@link RequestView}. */
export const viewKinds: ReadonlySet<Kind> = new Set(["ask", "view", "statement", "report", "cancel"]);

export interface Memory {
  readonly views: RequestView[];
  readonly answers: Answer[];
  readonly pages: RosterPage[];
  readonly lists: RequestList[];
  readonly receipts: Signed[];
  /** The devices on the roster: everybody may know whose they are, and seal to them. */
  readonly devices: Map<string, { readonly identity: string; readonly encryptionKey: string }>;
  /** Devices that it made up, and that are on rosters that it showed. */
  readonly planted: Accomplice[];
  /** Server-sent events, as text. */
  readonly events: string[];
  /** Keeps an honest answer. */
  note(kind: Kind, value: unknown): void;
}

const most = 500;

export function newMemory(): Memory {
  const keep = <T>(all: T[], ...more: readonly T[]) => {
    all.push(...more);
    if (all.length > most) all.splice(0, all.length - most);
  };
  const memory: Memory = {
    views: [],
    answers: [],
    pages: [],
    lists: [],
    receipts: [],
    planted: [],
    devices: new Map(),
    events: [],
    note(kind, value) {
      if (viewKinds.has(kind)) {
        const view = value as RequestView;
        keep(memory.views, view);
        keep(memory.answers, ...view.answers);
      } else if (kind === "roster") {
        const page = value as RosterPage;
        keep(memory.pages, page);
        for (const { change } of page.entries.map(readEntry))
          if (change.kind === "device") memory.devices.set(change.device, change);
      } else if (kind === "list") keep(memory.lists, value as RequestList);
      else if (kind === "consume") keep(memory.receipts, (value as { receipt: Signed }).receipt);
    },
  };
  return memory;
}
