/**
 * The relay on a socket: HTTP, gRPC and WebSockets on one port. Plaintext is served on loopback only, unless a proxy
 * in front ends TLS: tokens never cross a network in the clear.
 */
import { createServer as createPlain, type IncomingMessage } from "node:http";
import { createServer as createTls } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { ConfigurationError } from "@guard/core";
import { getRequestListener } from "@hono/node-server";
import type { Relay } from "../relay.ts";
import { protocolOf, sharePort } from "./port.ts";
import { rpcConnections } from "./rpc.ts";

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
  /** Milliseconds for a connection to say what it is: its first bytes, or its TLS handshake. By default 5,000. */
  readonly saysWithin?: number;
}

export interface Listening {
  /** With the port that was taken. */
  readonly url: string;
  /** Stops listening, ends streams, and lets what is in flight finish. The relay stays open. */
  close(): Promise<void>;
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/;
const graceForConnections = 5000;

/** What is served. A relay without `grpc` and `upgrade` is served over HTTP alone. */
type Served = Pick<Relay, "fetch" | "release"> & Partial<Pick<Relay, "grpc" | "upgrade">>;

/** @throws ConfigurationError where tokens would travel in the clear, or the port cannot be taken */
export async function serveRelay(relay: Served, options: ServeOptions = {}): Promise<Listening> {
  const { host = "127.0.0.1", port = 0, tls, behindProxy = false } = options;
  const { arrivesWithin = 30_000, saysWithin = 5_000 } = options;
  if (!tls && !behindProxy && !loopback.test(host)) {
    throw new ConfigurationError(
      `Serving ${host} without TLS would send tokens in the clear. Give a certificate and key, or say that a proxy in front ends TLS.`,
    );
  }
  const peerOf = ({ headers, socket }: Pick<IncomingMessage, "headers" | "socket">) => ({
    address: (behindProxy && lastHop(headers["x-forwarded-for"])) || (socket.remoteAddress ?? "unknown"),
  });
  const listener = getRequestListener((request, { incoming }) => relay.fetch(request, peerOf(incoming)), {
    overrideGlobalObjects: false,
  });
  // A socket that sends byte by byte is given up, so that nobody holds the relay's sockets for nothing.
  const settings = {
    headersTimeout: arrivesWithin,
    requestTimeout: arrivesWithin,
    connectionsCheckingInterval: Math.min(arrivesWithin, 5_000),
    // Whatever else a caller would rather speak (h2c), it gets its answer in HTTP/1.1 (RFC 9110 §7.8).
    shouldUpgradeCallback: ({ headers }: IncomingMessage) =>
      relay.upgrade !== undefined && headers.upgrade?.toLowerCase() === "websocket",
  };
  const server = tls
    ? createTls(
        {
          ...settings,
          cert: tls.cert,
          key: tls.key,
          minVersion: "TLSv1.2",
          handshakeTimeout: saysWithin,
          ...(relay.grpc ? { ALPNCallback: protocolOf } : {}),
        },
        listener,
      )
    : createPlain(settings, listener);
  const rpc = relay.grpc && rpcConnections(relay.grpc, { behindProxy, arrivesWithin });
  const shared =
    rpc &&
    sharePort(server, { tls: Boolean(tls), saysWithin, rpc: (socket) => rpc.injectConnection(socket) });
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  if (relay.upgrade) {
    const { upgrade } = relay;
    server.on("upgrade", (request, socket, head) => upgrade(request, socket, head, peerOf(request)));
  }
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
      shared?.hangUp();
      rpc?.destroy();
      // Connections become idle one after the other, as what they carry ends.
      const idle = setInterval(() => server.closeIdleConnections(), 20);
      const late = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceForConnections);
      await closed;
      clearInterval(idle);
      clearTimeout(late);
    },
  };
}

/** It is the one that our own proxy wrote; what is before it, anyone could have. */
function lastHop(forwarded: string | string[] | undefined): string | undefined {
  return forwarded?.toString().split(",").at(-1)?.trim();
}
