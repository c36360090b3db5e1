/**
 * The page on an origin of its own, as a static host serves it: the built files with the headers that
 * `guard page` names. `localhost`, because passkeys need a domain.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Page as BuiltPage, readPage } from "../files/index.ts";

export interface PageHost {
  readonly origin: string;
  /** Serves other bytes from now on, as a host that was taken over would. */
  replace(path: string, body: Uint8Array): void;
  /** Every path that was asked for, in order. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

export async function hostPage(built?: BuiltPage): Promise<PageHost> {
  const page = built ?? (await readPage());
  const replaced = new Map<string, Uint8Array>();
  const asked: string[] = [];
  const headers = page.headers();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const path = pathname === "/" ? "/index.html" : pathname;
    asked.push(`${request.method} ${path}`);
    const file = page.files.get(path);
    if (!file) return response.writeHead(404).end();
    response.writeHead(200, { ...headers, "content-type": file.type }).end(replaced.get(path) ?? file.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    asked,
    replace: (path, body) => void replaced.set(path, body),
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}
