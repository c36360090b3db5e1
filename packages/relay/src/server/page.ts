/**
 * Serves the approvers' page, for convenience: such a page is as trusted as this relay, and says so. It is read and
 * never asked to do anything: whatever these paths are called with changes nothing (link-prefetch).
 */
import type { Hono } from "hono";

/** A page as files; `readPage` of `@guard/approver` gives one. */
export interface RelayPage {
  /** By path: `/index.html` and so on. `/` answers with `/index.html`. */
  readonly files: ReadonlyMap<string, { readonly type: string; readonly body: Uint8Array }>;
  /** What every file is served with. */
  headers(): Record<string, string>;
}

/** Adds the page's paths; `admit` is called with each request, and throws where that is refused. */
export function servePage<E extends { Bindings: object }>(
  app: Hono<E>,
  page: RelayPage,
  admit: (bindings: E["Bindings"]) => void,
): void {
  const headers = page.headers();
  for (const [path, { type, body }] of page.files) {
    const bytes = new Uint8Array(body);
    for (const at of path === "/index.html" ? ["/", path] : [path]) {
      app.get(at, (c) => {
        admit(c.env);
        return new Response(bytes, { headers: { ...headers, "content-type": type } });
      });
    }
  }
}
