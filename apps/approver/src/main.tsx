/**
 * Starts the page: reads who is enrolled, confines the page to their relays, and only then begins to talk.
 *
 * Guarantees: nothing runs in a frame (csrf-clickjack) or without a secure context; an invitation is out of the address
 * bar before anything else happens; nothing is fetched before the page is confined.
 */
import "./style.css";
import { isGuardError, parseInvitation } from "@guard/core";
import { openBrowserStore } from "@guard/device/browser";
import { render } from "preact";
import { App } from "./app.tsx";
import { createEnrolments } from "./enrol/enrolment.ts";
import { confineTo } from "./state/relays.ts";
import { invitationIn, readRoute } from "./state/routes.ts";
import { createSession } from "./state/session.ts";
import { createStore } from "./state/store.ts";

const root = document.getElementById("app");
if (!root) throw new Error("The page has no element #app: its index.html is not the one that was built.");

function refuse(title: string, text: string): void {
  render(
    <main class="refusal">
      <h1>{title}</h1>
      <p>{text}</p>
    </main>,
    root as HTMLElement,
  );
}

/** The relay of an invitation, where one can be read. */
function relayIn(invitation: string | null): readonly string[] {
  if (invitation === null) return [];
  try {
    return [parseInvitation(invitation).relay];
  } catch (error) {
    // The view says what is wrong with it.
    if (!isGuardError(error)) throw error;
    return [];
  }
}

const toEnrol = () => history.replaceState(null, "", "#/enrol");

async function start(): Promise<void> {
  const invitation = invitationIn(location.hash);
  if (invitation !== null) toEnrol();
  const store = await openBrowserStore();
  const profiles = await store.list();
  const confinement = confineTo([...profiles.map(({ relay }) => relay), ...relayIn(invitation)]);

  const place = createStore({ route: readRoute(location.hash) });
  const session = createSession({ store, confinement });
  const enrolments = createEnrolments({
    store,
    confinement,
    onProfiles: session.refresh,
    onEnrolled() {
      location.hash = "#/";
    },
    onElsewhere(fragment) {
      history.replaceState(null, "", fragment);
      location.reload();
    },
  });
  await session.refresh();
  if (invitation !== null) enrolments.offer(invitation);

  addEventListener("hashchange", () => {
    const late = invitationIn(location.hash);
    // One of another relay stays in the address for the reload that it takes.
    if (late !== null && enrolments.offer(late)) toEnrol();
    place.set({ route: readRoute(location.hash) });
  });
  addEventListener("online", () => session.wake());
  // A stream may hang without a word; trying anew tells whether this relay is out of reach (one on this machine is not).
  addEventListener("offline", () => session.wake());
  addEventListener("pageshow", (event) => event.persisted && session.wake());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") session.wake();
  });
  render(<App session={session} enrolments={enrolments} place={place} />, root as HTMLElement);
}

if (window.top !== window.self) {
  refuse("Not in a frame", "Guard does not run inside of another page. Open it in a window of its own.");
} else if (!isSecureContext) {
  refuse(
    "This address is not secure",
    "Browsers give keys to secure pages only: open this page by https, or on this machine by http://localhost.",
  );
} else {
  start().catch((error: unknown) => {
    const text = error instanceof Error ? error.message : String(error);
    refuse("The page could not start", text);
    throw error;
  });
}
