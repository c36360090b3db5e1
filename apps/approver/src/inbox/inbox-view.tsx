/**
 * What waits for an answer. Rows never move while somebody looks: what is new stands below the others, under a bar
 * that says so, until that bar is pressed or the list is entered anew.
 */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Unconfirmed } from "../enrol/unconfirmed.tsx";
import type { Session, SessionState } from "../state/session.ts";
import { itemId, kept, type Places, sorted } from "./places.ts";
import { RequestRow } from "./row.tsx";

const nothingYet: Places = { rows: [], fresh: [] };

export function InboxView(props: {
  session: Session;
  state: SessionState;
  now: number;
  /** The item on screen beside the list, or null where the list is all there is. */
  chosen: string | null;
}) {
  const { session, state, now, chosen } = props;
  const places = useRef(nothingYet);
  const list = useRef<HTMLDivElement>(null);
  const [, redraw] = useState(0);
  const [said, setSaid] = useState("");
  const before = places.current;
  places.current = kept(before, state.items);
  const { rows, fresh } = places.current;
  const identities = new Set((state.connections ?? []).map(({ profile }) => profile.identity));

  function sort(): void {
    places.current = sorted(state.items);
    redraw((n) => n + 1);
  }
  // The list is entered anew: from another view, or the page comes back into view.
  useLayoutEffect(() => {
    if (chosen === null) sort();
  }, [chosen === null]);
  useEffect(() => {
    const seen = () => document.visibilityState === "visible" && sort();
    document.addEventListener("visibilitychange", seen);
    return () => document.removeEventListener("visibilitychange", seen);
  });
  useEffect(() => listenToArrows(list.current), []);

  const ids = state.items.map(itemId);
  const heard = useRef<ReadonlySet<string> | null>(null);
  useEffect(() => {
    const known = heard.current;
    heard.current = new Set(ids);
    const added = known === null ? [] : state.items.filter((item) => !known.has(itemId(item)));
    const [first] = added;
    if (added.length > 1) setSaid(`${added.length} new requests.`);
    else if (first) setSaid(`New request: ${first.opened.tool} from ${first.opened.agent}.`);
  }, [ids.join()]);

  const draw = (shown: Places["rows"]) =>
    shown.map(({ id, item, ended }) => (
      <RequestRow
        key={id}
        item={item}
        now={now}
        ended={ended ? (session.inbox.ended(item) ?? "It cannot be answered any more.") : null}
        current={id === chosen}
        named={identities.size > 1}
      />
    ));
  const waiting = fresh.filter(({ ended }) => !ended);
  const grave = waiting.filter(({ item }) => item.opened.facts.risk === "critical").length;
  return (
    <div class="list" ref={list}>
      <h1 class="list-title">
        {state.items.length === 0 ? "Nothing waits for you" : `${state.items.length} waiting`}
      </h1>
      <p class="unseen" aria-live="polite">
        {said}
      </p>
      {rows.length === 0 && (
        <>
          <p class="empty">Requests appear here by themselves as soon as an agent asks.</p>
          <Unconfirmed connections={state.connections ?? []} />
        </>
      )}
      <ul class="rows" aria-label="Requests that wait for an answer">
        {draw(rows)}
      </ul>
      {fresh.length > 0 && (
        <>
          <button type="button" class="fresh-bar" onClick={sort}>
            {waiting.length} new{grave > 0 && `, ${grave} critical`} · sort them in
          </button>
          <ul class="rows" aria-label="New requests">
            {draw(fresh)}
          </ul>
        </>
      )}
    </div>
  );
}

/** Arrow keys go from row to row; Home and End to the first and last. Enter follows the link as everywhere. */
function listenToArrows(list: HTMLDivElement | null): () => void {
  const onKey = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const active = document.activeElement;
    if (active !== null && active !== document.body && !list?.contains(active)) return;
    const rows = [...(list?.querySelectorAll<HTMLElement>(".row") ?? [])];
    const at = rows.indexOf(active as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: Math.max(0, at - 1), Home: 0, End: rows.length - 1 }[event.key];
    const row = to === undefined ? undefined : rows[to];
    if (!row) return;
    event.preventDefault();
    row.focus();
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}
