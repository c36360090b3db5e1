/**
 * How a person gets to the page: an address with the invitation behind `#`, which browsers send to nobody, as text, as
 * a QR code, or opened at once.
 */
import { formatInvitation, type Invitation } from "@guard/core";
import { renderUnicodeCompact } from "uqr";
import { loopback } from "./page.ts";

/** Where whoever has `invitation` enrols a browser. `page` is the page's folder, as `pageUrl` gives it. */
export function linkTo(page: URL, invitation: Invitation): string {
  const relay = new URL(invitation.relay);
  const here = loopback.test(page.hostname) && loopback.test(relay.hostname);
  // To a browser 127.0.0.1 and localhost are two origins, and a page that this relay serves talks to its own.
  const own = here && page.protocol === relay.protocol && page.port === relay.port;
  return `${page.href}#${formatInvitation(own ? { ...invitation, relay: page.origin } : invitation)}`;
}

/** A QR code for a terminal, dark on light whatever its colours are. */
export function qrCode(text: string): string {
  const lines = renderUnicodeCompact(text, { ecc: "L", border: 2 }).split("\n");
  return lines.map((line) => `\u001b[97;40m${line}\u001b[0m`).join("\n");
}

/** Whether a page at `origin` may talk to the relay. Null where the relay does not answer. */
export async function letsIn(relay: string, origin: string): Promise<boolean | null> {
  if (new URL(relay).origin === origin) return true;
  try {
    const { headers } = await fetch(`${relay}/health`, {
      headers: { origin },
      signal: AbortSignal.timeout(5000),
    });
    return headers.get("access-control-allow-origin") === origin;
  } catch {
    return null;
  }
}

/** Opens `address` in the browser of whoever sits here, where there is one. `onFailed` is told why that did not work. */
export async function openBrowser(address: string, onFailed: (why: string) => void): Promise<void> {
  const { CI, DISPLAY, WAYLAND_DISPLAY, WSL_DISTRO_NAME } = process.env;
  if (CI || (process.platform === "linux" && !DISPLAY && !WAYLAND_DISPLAY && !WSL_DISTRO_NAME)) return;
  const failed = (error: Error) => onFailed(`No browser could be opened (${error.message}).`);
  try {
    const { default: open } = await import("open");
    (await open(address)).once("error", failed);
  } catch (error) {
    failed(error as Error);
  }
}
