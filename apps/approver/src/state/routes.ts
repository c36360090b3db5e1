/**
 * What the page's address says. Guarantees: an address only ever chooses what is shown, it never decides anything
 * (link-prefetch); whatever it cannot read shows the inbox; the secret of an invitation is told apart from a route.
 */
export type Route =
  | { readonly view: "inbox" }
  | { readonly view: "request"; readonly request: string; readonly identity: string }
  | { readonly view: "history" }
  | { readonly view: "devices" }
  | { readonly view: "enrol" };

const plain = ["history", "devices", "enrol"] as const;

export function readRoute(fragment: string): Route {
  const [empty, view, request, identity, ...more] = fragment.replace(/^#/, "").split("/");
  if (empty !== "" || more.length > 0) return { view: "inbox" };
  if (view === "request" && request && identity && /^[A-Za-z0-9_-]{43}$/.test(request)) {
    const name = decoded(identity);
    if (name !== null) return { view, request, identity: name };
  }
  const known = request === undefined ? plain.find((name) => name === view) : undefined;
  return { view: known ?? "inbox" };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}

export function fragmentOf(route: Route): string {
  if (route.view === "inbox") return "#/";
  if (route.view !== "request") return `#/${route.view}`;
  return `#/request/${route.request}/${encodeURIComponent(route.identity)}`;
}

/** The invitation in a fragment (a link or QR code of `guard invite`), or null. */
export function invitationIn(fragment: string): string | null {
  return /guard-invite-[A-Za-z0-9_-]+/.exec(fragment)?.[0] ?? null;
}
