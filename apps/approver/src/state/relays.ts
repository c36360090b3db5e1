/**
 * Confines the page to its relays: nothing else can be fetched, whatever else may go wrong in here.
 *
 * Guarantees: a policy once added cannot be widened by anything in the page; another relay takes a reload, which
 * begins with what is enrolled by then.
 */

/** The origins of relays, each once, in order. */
function originsOf(relays: readonly string[]): readonly string[] {
  return [...new Set(relays.map((relay) => new URL(relay).origin))].sort();
}

/** The Content Security Policy that leaves exactly these relays. */
export function connectPolicy(relays: readonly string[]): string {
  const origins = originsOf(relays);
  return `connect-src ${origins.length > 0 ? origins.join(" ") : "'none'"}`;
}

export interface Confinement {
  /** Whether the page may still talk to this relay. */
  allows(relay: string): boolean;
}

/** Before anything is fetched. */
export function confineTo(relays: readonly string[]): Confinement {
  const origins = originsOf(relays);
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = connectPolicy(relays);
  document.head.append(policy);
  return { allows: (relay) => origins.includes(new URL(relay).origin) };
}

/** Whether the page itself comes from one of its relays: it is then as trusted as that relay (relay-served-page). */
export function servedBy(relays: readonly string[], origin: string): boolean {
  return originsOf(relays).includes(origin);
}
