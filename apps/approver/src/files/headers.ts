/**
 * What a browser is told about the page, in its own `meta` and by whoever serves it: it runs only the code that came
 * with it, talks only to relays, sends no form anywhere and cannot be put into a frame (csrf-clickjack).
 */

/** What a relay may be where nobody has said which: any host over TLS, this machine without. */
const anyRelay = ["'self'", "https:", "http://localhost:*", "http://127.0.0.1:*"];

/** The policy that stands in the page itself; browsers ignore `frame-ancestors` there. */
export function contentPolicy(relays: readonly string[] = anyRelay): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "manifest-src 'self'",
    `connect-src ${relays.join(" ")}`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}

/** The headers of every file of the page. With `relays` (origins) it can talk to those and to nobody else. */
export function pageHeaders({
  relays,
}: {
  readonly relays?: readonly string[];
} = {}): Record<string, string> {
  return {
    "content-security-policy": `${contentPolicy(relays)}; frame-ancestors 'none'`,
    "x-frame-options": "DENY",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy":
      "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), display-capture=(), publickey-credentials-create=(self), publickey-credentials-get=(self)",
  };
}
