/** What was asked before and is over, newest first. What cannot be verified is not listed but counted. */
import { isGuardError, type RequestView } from "@guard/core";
import { historyPage, type Item, visible } from "@guard/device";
import { useEffect, useState } from "preact/hooks";
import { fragmentOf } from "../state/routes.ts";
import type { Connection } from "../state/session.ts";
import { itemId } from "./places.ts";
import { preview } from "./row.tsx";

interface Read {
  readonly items: readonly Item[];
  /** How many could not be verified. */
  readonly refused: number;
  /** The last request read of each device, by the device's id; null once there are no more. */
  readonly last: ReadonlyMap<string, string | null>;
  readonly problem: string | null;
  readonly reading: boolean;
}

/** After which request the next page begins; null where `views` was the last one. */
export const lastOf = (views: readonly RequestView[]): string | null =>
  views.length < historyPage ? null : (views.at(-1)?.request ?? null);

const nothing: Read = { items: [], refused: 0, last: new Map(), problem: null, reading: true };

/** The next page of every device. */
async function readOn(before: Read, connections: readonly Connection[]): Promise<Read> {
  const items = new Map(before.items.map((item) => [itemId(item), item]));
  const last = new Map(before.last);
  let { refused } = before;
  let problem: string | null = null;
  for (const { device, profile } of connections) {
    const from = last.get(profile.device);
    if (!device || from === null) continue;
    try {
      const views: readonly RequestView[] = await device.history(from === undefined ? {} : { before: from });
      for (const view of views) {
        try {
          const item: Item = { device, identity: profile.identity, opened: await device.open(view) };
          items.set(itemId(item), item);
        } catch (error) {
          if (!isGuardError(error)) throw error;
          refused++;
        }
      }
      last.set(profile.device, lastOf(views));
    } catch (error) {
      if (!isGuardError(error)) throw error;
      problem = visible(error.message);
    }
  }
  const newest = [...items.values()].sort((a, b) => b.opened.createdAt - a.opened.createdAt);
  return { items: newest, refused, last, problem, reading: false };
}

const tones: Partial<Record<Item["opened"]["state"], string>> = {
  approved: "good",
  completed: "good",
  executing: "good",
  rejected: "danger",
  unknown: "warn",
};

const words: Partial<Record<Item["opened"]["state"], string>> = {
  completed: "approved and run",
  executing: "approved, running",
  unknown: "approved, end unknown",
};

function HistoryRow({ item, named }: { item: Item; named: boolean }) {
  const { opened, identity } = item;
  const by = opened.answers.map((answer) => `${visible(answer.identity)}${answer.edited ? " (edited)" : ""}`);
  const at = new Date(opened.createdAt);
  return (
    <li class="row-place">
      <a class="row" href={fragmentOf({ view: "request", request: opened.request, identity })}>
        <span class={`state ${tones[opened.state] ?? ""}`}>{words[opened.state] ?? opened.state}</span>
        <span class="row-tool">{visible(opened.tool)}</span>
        <time class="row-time" dateTime={at.toISOString()}>
          {at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}
        </time>
        <span class="row-args">{preview(opened.args)}</span>
        <span class="row-from">
          {by.length > 0 && `answered by ${by.join(", ")} · `}
          from {visible(opened.agent)}
          {named && ` · asked ${visible(identity)}`}
        </span>
      </a>
    </li>
  );
}

export function HistoryView({ connections }: { connections: readonly Connection[] }) {
  const [read, setRead] = useState(nothing);
  const ready = connections.filter(({ device }) => device !== null);
  const named = new Set(connections.map(({ profile }) => profile.identity)).size > 1;
  const known = ready.map(({ profile }) => profile.device).join();
  useEffect(() => {
    let over = false;
    setRead(nothing);
    void readOn(nothing, ready).then((first) => !over && setRead(first));
    return () => {
      over = true;
    };
  }, [known]);
  async function more(): Promise<void> {
    setRead({ ...read, reading: true });
    setRead(await readOn(read, ready));
  }
  const older = [...read.last.values()].some((id) => id !== null);
  return (
    <div class="list single">
      <h1 class="list-title">History</h1>
      {read.problem && <p class="problem">{read.problem}</p>}
      {!read.reading && read.items.length === 0 && !read.problem && (
        <p class="empty">What was answered, expired or withdrawn is listed here.</p>
      )}
      <ul class="rows" aria-label="Requests that are over">
        {read.items.map((item) => (
          <HistoryRow key={itemId(item)} item={item} named={named} />
        ))}
      </ul>
      {read.refused > 0 && (
        <p class="hint">
          {read.refused === 1 ? "One request is" : `${read.refused} requests are`} not listed: what the relay
          gave of them could not be verified.
        </p>
      )}
      {older && (
        <button type="button" class="button" disabled={read.reading} onClick={() => void more()}>
          {read.reading ? "Reading …" : "Show older ones"}
        </button>
      )}
    </div>
  );
}
