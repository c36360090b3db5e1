/** The page as a whole: what is shown for each route, and what stays around it. */
import type { RequestView } from "@guard/core";
import type { Item } from "@guard/device";
import { useEffect } from "preact/hooks";
import { Detail } from "./detail/detail.tsx";
import type { Enrolments } from "./enrol/enrolment.ts";
import { InboxView } from "./inbox/inbox-view.tsx";
import { useLater } from "./state/load-later.ts";
import { servedBy } from "./state/relays.ts";
import { fragmentOf, type Route } from "./state/routes.ts";
import type { Connection, Session, SessionState } from "./state/session.ts";
import { type Store, useNow, useStore } from "./state/store.ts";
import { useItem } from "./state/use-item.ts";

export interface AppProps {
  readonly session: Session;
  readonly enrolments: Enrolments;
  readonly place: Store<{ route: Route }>;
}

export function App({ session, enrolments, place }: AppProps) {
  const state = useStore(session.state);
  const chosen = useStore(place).route;
  const now = useNow();
  const later = useLater();
  const connections = state.connections ?? [];
  // Where nobody is enrolled there is nothing else to see.
  const nobody = state.connections?.length === 0 && (chosen.view === "inbox" || chosen.view === "history");
  const route: Route = nobody ? { view: "enrol" } : chosen;
  const waiting = state.items.length;
  useEffect(() => {
    document.title = waiting > 0 ? `(${waiting}) Guard` : "Guard";
  }, [waiting]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, select");
      if (event.key === "Escape" && !event.defaultPrevented && !typing) location.hash = "#/";
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  const relays = connections.map(({ profile }) => profile.relay);
  return (
    <>
      <Top route={route} state={state} />
      {servedBy(relays, location.origin) && (
        <p class="banner">
          This page comes from your relay and is as trusted as that relay. For what matters, use a page from
          another origin (<code>guard page</code>).
        </p>
      )}
      {route.view === "inbox" || route.view === "request" ? (
        <Desk session={session} state={state} route={route} now={now} />
      ) : (
        <main>
          {later.code === null ? (
            <p role="status">{later.problem ?? "Loading …"}</p>
          ) : route.view === "enrol" ? (
            <later.code.EnrolView enrolments={enrolments} connections={connections} now={now} />
          ) : route.view === "history" ? (
            <later.code.HistoryView connections={connections} />
          ) : (
            <later.code.DevicesView session={session} state={state} />
          )}
        </main>
      )}
    </>
  );
}

const tabs = [
  { view: "inbox", label: "Inbox" },
  { view: "history", label: "History" },
  { view: "devices", label: "Devices" },
] as const;

function Top({ route, state }: { route: Route; state: SessionState }) {
  const view = route.view === "request" ? "inbox" : route.view;
  return (
    <header class="top">
      <a class="brand" href="#/">
        Guard
      </a>
      <nav aria-label="Views">
        {tabs.map((tab) => (
          <a key={tab.view} href={fragmentOf(tab)} aria-current={tab.view === view ? "page" : undefined}>
            {tab.label}
            {tab.view === "inbox" && <Count of={state.items.length} />}
            {tab.view === "devices" && state.remarks.length > 0 && (
              <span class="mark">
                <span class="unseen">(there are remarks)</span>
              </span>
            )}
          </a>
        ))}
      </nav>
      <Connected connections={state.connections ?? []} />
    </header>
  );
}

/** As wide for one as for many: what stands beside it does not move when another request comes. */
function Count({ of }: { of: number }) {
  return <span class="count">{of > 0 && <span>{of > 99 ? "99+" : of}</span>}</span>;
}

const worst = ["refused", "elsewhere", "away", "unconfirmed", "connecting", "live"] as const;

const connectedWords: Record<Connection["state"], string> = {
  refused: "Refused",
  elsewhere: "Reload",
  away: "Offline",
  unconfirmed: "Waiting",
  connecting: "Connecting",
  live: "Live",
};

/** How the device that is worst off gets on with its relay; why, is said on the devices' page. */
function Connected({ connections }: { connections: readonly Connection[] }) {
  const state = worst.find((one) => connections.some((connection) => connection.state === one));
  return (
    <p class={`connected ${state ?? "nobody"}`} role="status">
      <span class="dot" aria-hidden="true" />
      {state === undefined ? "No device" : connectedWords[state]}
    </p>
  );
}

/** The inbox, with one request beside it on a desk or instead of it on a phone. */
function Desk(props: { session: Session; state: SessionState; route: Route; now: number }) {
  const { session, state, route, now } = props;
  const chosen = route.view === "request" ? route : null;
  return (
    <main class={`desk${chosen ? " chosen" : ""}`}>
      <InboxView
        session={session}
        state={state}
        now={now}
        chosen={chosen && `${chosen.request} ${chosen.identity}`}
      />
      <div class="beside">
        {chosen ? (
          <Chosen session={session} state={state} route={chosen} now={now} />
        ) : (
          state.items.length > 0 && <p class="empty">Choose a request to see it in full.</p>
        )}
      </div>
    </main>
  );
}

interface ChosenProps {
  readonly session: Session;
  readonly state: SessionState;
  readonly route: Extract<Route, { view: "request" }>;
  readonly now: number;
}

function Chosen({ session, state, route, now }: ChosenProps) {
  const { item, problem } = useItem(session, state, route);
  const back = () => {
    location.hash = fragmentOf({ view: "inbox" });
  };
  const decided = ({ device }: Item, view: RequestView) => void session.inbox.accept(device, view);
  if (item) return <Detail item={item} now={now} onBack={back} onDecided={decided} />;
  return (
    <div class="lost">
      <button type="button" class="button" onClick={back}>
        Back
      </button>
      <p role="status">{problem ?? "Reading the request …"}</p>
    </div>
  );
}
