/** What every screen says about a request in the same way: which is first, how long is left, what takes care, what changed. */
import type { Json } from "@guard/core";
import type { OpenedRequest } from "./open.ts";
import { visibleJson } from "./visible.ts";

const ranks = { critical: 0, high: 1, medium: 2, low: 3 } as const;

/** Most dangerous first, then what ends first. A request without a risk counts as medium. */
export function byUrgency(a: OpenedRequest, b: OpenedRequest): number {
  const rank = (request: OpenedRequest) => ranks[request.facts.risk ?? "medium"];
  return rank(a) - rank(b) || a.expiresAt - b.expiresAt;
}

/** `4 min 05 s`, or from ten minutes on `12 min`, from `now` to `until`, both in milliseconds; `over` once it is past. */
export function timeLeft(until: number, now: number): string {
  const seconds = Math.floor((until - now) / 1000);
  if (seconds < 0) return "over";
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600),
    Math.floor(seconds / 60),
  ];
  if (days > 1) return `${days} days`;
  if (hours > 1) return `${hours} h ${minutes % 60} min`;
  if (minutes >= 10) return `${minutes} min`;
  if (minutes > 0) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${seconds} s`;
}

/** Whether approving takes more than one press: the typed word, the held button. */
export const needsCare = ({ facts }: OpenedRequest): boolean =>
  facts.risk === "high" || facts.risk === "critical";

/** What people are told of answers that nobody signs; null where the terms accept none. */
export function unsignedWords({ terms }: OpenedRequest): string | null {
  if (terms.unsigned === undefined) return null;
  const system = { noxy: "Noxy" }[terms.unsigned];
  return `It is asked over ${system} as well. Whoever is first decides, and nobody signs what is answered there.`;
}

/**
 * What the paper says in text beside its arguments and metadata, by name: all of it was written by the agent or its
 * application, so all of it is looked at with `suspicious`, and read before anything is approved.
 */
export function textsOf({ tool, facts, policy, terms, session }: OpenedRequest) {
  const { title = null, summary = null, operation = null, sensitivity = null, systems = [] } = facts;
  const { rule, reasons } = policy;
  const { requester } = terms;
  // Whoever it is done for cannot approve it, and is named as that alone.
  const approvers = terms.approvers.filter((name) => name !== requester);
  return {
    tool,
    title,
    summary,
    operation,
    sensitivity,
    systems,
    rule,
    reasons,
    approvers,
    requester,
    session,
  };
}

/** A line of a difference; its text is safe to show. */
export interface ChangedLine {
  readonly kind: "same" | "old" | "new";
  readonly text: string;
}

/** Past this many pairs of lines, what changed is shown as a whole: a paper must not exhaust its reader's machine. */
const mostPairs = 1_000_000;

/** The lines of two values, in order: what both have, what only `before` has, what only `after` has. Nothing is cut. */
export function changedLines(before: Json, after: Json): readonly ChangedLine[] {
  const [a, b] = [visibleJson(before), visibleJson(after)];
  if (a.length * b.length > mostPairs) {
    return [
      ...a.map((text): ChangedLine => ({ kind: "old", text })),
      ...b.map((text): ChangedLine => ({ kind: "new", text })),
    ];
  }
  // Longest common subsequence: arguments are short, and clarity is worth n·m.
  const common: number[][] = Array.from({ length: a.length + 1 }, () =>
    new Array<number>(b.length + 1).fill(0),
  );
  const at = (i: number, j: number) => common[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      (common[i] as number[])[j] =
        a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: ChangedLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ kind: "same", text: a[i] as string });
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ kind: "old", text: a[i++] as string });
    } else {
      lines.push({ kind: "new", text: b[j++] as string });
    }
  }
  return lines;
}
