/**
 * The relay on a socket. Plaintext is served on loopback only, unless a proxy in front ends TLS: tokens never
 * cross a network in the clear.
 */
import { createServer as createPlain } from "node:http";
import { createServer as createTls } from "node:https";
import type { AddressInfo } from "node:net";
import { ConfigurationError } from "@guard/core";
import { getRequestListener } from "@hono/node-server";
import type { Relay } from "../relay.ts";

export interface ServeOptions {
  /** By default 127.0.0.1. */
  readonly host?: string;
  /** By default 0: any free one. */
  readonly port?: number;
  /** PEM texts. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** A proxy in front ends TLS and adds the caller's address to `X-Forwarded-For`. */
  readonly behindProxy?: boolean;
  /** Milliseconds for a request to arrive in full, from its first byte. By default 30,000. */
  readonly arrivesWithin?: number;
}

export interface Listening {
  /** With the port that was taken. */
  readonly url: string;
  /** Stops listening, ends streams, and lets what is in flight finish. The relay stays open. */
  close(): Promise<void>;
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/;
const graceForConnections = 5000;

/** @throws ConfigurationError where tokens would travel in the clear, or the port cannot be taken */
export async function serveRelay(
  relay: Pick<Relay, "fetch" | "release">,
  options: ServeOptions = {},
): Promise<Listening> {
  const { host = "127.0.0.1", port = 0, tls, behindProxy = false, arrivesWithin = 30_000 } = options;
  if (!tls && !behindProxy && !loopback.test(host)) {
    throw new ConfigurationError(
      `Serving ${host} without TLS would send tokens in the clear. Give a certificate and key, or say that a proxy in front ends TLS.`,
    );
  }
  const listener = getRequestListener(
    (request, { incoming }) => {
      const socket = incoming.socket?.remoteAddress ?? "unknown";
      return relay.fetch(request, { address: behindProxy ? (forwarded(request) ?? socket) : socket });
    },
    { overrideGlobalObjects: false },
  );
  // A socket that sends byte by byte is given up, so that nobody holds the relay's sockets for nothing.
  const slow = {
    headersTimeout: arrivesWithin,
    requestTimeout: arrivesWithin,
    connectionsCheckingInterval: Math.min(arrivesWithin, 5_000),
  };
  const server = tls
    ? createTls({ ...slow, cert: tls.cert, key: tls.key, minVersion: "TLSv1.2" }, listener)
    : createPlain(slow, listener);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new ConfigurationError(`The relay cannot listen on ${host}:${port} (${cause.message}).`, { cause }),
      ),
    );
    server.listen(port, host, resolve);
  });
  const taken = (server.address() as AddressInfo).port;
  const name = host.includes(":") ? `[${host}]` : host;
  return {
    url: `${tls ? "https" : "http"}://${name}:${taken}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      relay.release();
      // Connections become idle one after the other, as what they carry ends.
      const idle = setInterval(() => server.closeIdleConnections(), 20);
      const late = setTimeout(() => server.closeAllConnections(), graceForConnections);
      await closed;
      clearInterval(idle);
      clearTimeout(late);
    },
  };
}

/** The last hop is the one that our own proxy wrote; what is before it, anyone could have. */
function forwarded(request: Request): string | null {
  return request.headers.get("x-forwarded-for")?.split(",").at(-1)?.trim() || null;
}
