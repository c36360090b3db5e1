/**
 * What waits for an answer. Rows never move while somebody looks: what is new stands below the others, under a bar
 * that says so, until that bar is pressed or the list is entered anew. While the list is read for the first time, it
 * is put in order as it comes, until somebody reaches for it.
 */
import { visible } from "@guard/device";
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Unconfirmed } from "../enrol/unconfirmed.tsx";
import { fragmentOf } from "../state/routes.ts";
import type { Connection, Session, SessionState } from "../state/session.ts";
import { itemId, kept, type Places, sorted } from "./places.ts";
import { RequestRow } from "./row.tsx";

const nothingYet: Places = { rows: [], fresh: [] };
const deaf: ReadonlySet<Connection["state"]> = new Set(["refused", "elsewhere", "away"]);
const devices = fragmentOf({ view: "devices" });

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
  const filling = useFilling(list, state.connections ?? []);
  places.current = filling ? sorted(state.items) : kept(places.current, state.items);
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
    else if (first)
      setSaid(`New request: ${visible(first.opened.tool)} from ${visible(first.opened.agent)}.`);
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
  const connections = state.connections ?? [];
  // An empty list says something only where somebody could have asked.
  const unheard = connections.length > 0 && connections.every(({ state }) => deaf.has(state));
  const grave = waiting.filter(({ item }) => item.opened.facts.risk === "critical").length;
  return (
    <div class="list" ref={list}>
      <h1 class="list-title">
        {state.items.length > 0
          ? `${state.items.length} waiting`
          : unheard
            ? "Nothing can be asked here now"
            : "Nothing waits for you"}
      </h1>
      <p class="unseen" aria-live="polite">
        {said}
      </p>
      {rows.length === 0 && (
        <>
          <p class="empty">
            {unheard ? (
              <>
                No relay is heard. <a href={devices}>Devices</a> says why, and what to do.
              </>
            ) : (
              "Requests appear here by themselves as soon as an agent asks. What was asked before this device was enrolled is not shown here."
            )}
            {!unheard && state.remarks.length > 0 && (
              <>
                {" "}
                What could not be shown is noted under <a href={devices}>Devices</a>.
              </>
            )}
          </p>
          <Unconfirmed connections={connections} />
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

/** Whether the list is being read for the first time (a device still connects) and nobody has reached for it yet. */
function useFilling(
  list: RefObject<HTMLElement | null>,
  connections: readonly Pick<Connection, "state">[],
): boolean {
  const over = useRef(false);
  // What came with the word that all is listed is put in order, too.
  const filling = !over.current;
  if (connections.length > 0 && !connections.some(({ state }) => state === "connecting")) over.current = true;
  useEffect(() => {
    const reached = () => {
      over.current = true;
    };
    const signs = ["pointerdown", "pointermove", "keydown", "wheel", "focusin"] as const;
    for (const sign of signs) list.current?.addEventListener(sign, reached, { passive: true });
    return () => {
      for (const sign of signs) list.current?.removeEventListener(sign, reached);
    };
  }, []);
  return filling;
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
