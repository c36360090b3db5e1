/**
 * WebSockets beside HTTP, for the wires that speak over them: at the paths of a wire and nowhere else, from pages
 * that may call this relay, in messages of a limited size. A peer that is dead is dropped.
 */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Logger } from "pino";
import { type WebSocket, WebSocketServer } from "ws";
import type { Limits } from "../domain/limits.ts";
import type { Peer } from "./app.ts";
import { rates } from "./rates.ts";

export interface WebSockets {
  /** Gives the WebSockets at `path` to `open`. */
  at(path: string, open: (socket: WebSocket, peer: Peer) => void): void;
  /** Makes a WebSocket of a request that asks for one, or refuses it. `head` is what came after the request. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, peer?: Peer): void;
  /** Ends all WebSockets that there are; clients come back. */
  release(): void;
  /** Releases and takes no more; resolves when all are gone, or were cut after `grace` ms. */
  close(grace: number): Promise<void>;
}

interface WebSocketsOptions {
  readonly limits: Limits;
  readonly allowedOrigins: readonly string[];
  readonly logger: Logger | null;
  /** Milliseconds between pings; a peer that answered none is dropped at the next. By default 30,000. */
  readonly pingEvery?: number;
  /** Milliseconds for the first message to arrive. By default 30,000. */
  readonly arrivesWithin?: number;
}

/** RFC 6455 §7.4.1 */
const goingAway = 1001;
const policyViolation = 1008;
const internalError = 1011;

export function webSockets(options: WebSocketsOptions): WebSockets {
  const { limits, allowedOrigins, logger, pingEvery = 30_000, arrivesWithin = 30_000 } = options;
  const server = new WebSocketServer({ noServer: true, maxPayload: limits.body, perMessageDeflate: false });
  const doors = new Map<string, (socket: WebSocket, peer: Peer) => void>();
  const callers = rates(limits.addressRate);
  const alive = new WeakSet<WebSocket>();
  let closing = false;
  const timer = setInterval(() => {
    for (const socket of server.clients) {
      if (!alive.delete(socket)) socket.terminate();
      else socket.ping();
    }
  }, pingEvery);
  timer.unref();
  const release = () => {
    for (const socket of server.clients) socket.close(goingAway, "The relay is going away. Come back.");
  };

  function greet(socket: WebSocket, peer: Peer, open: (socket: WebSocket, peer: Peer) => void): void {
    alive.add(socket);
    socket.on("pong", () => alive.add(socket));
    const silent = setTimeout(() => {
      socket.close(policyViolation, "Nothing arrived here in time.");
    }, arrivesWithin);
    socket.once("message", () => clearTimeout(silent));
    socket.once("close", () => clearTimeout(silent));
    // What a peer does wrong is told to the peer, by the code that it is closed with.
    socket.on("error", (error) => logger?.debug({ err: error }, "websocket error"));
    try {
      open(socket, peer);
    } catch (error) {
      logger?.error({ err: error }, "internal error");
      socket.close(internalError, "The relay failed to do this. Its log says why.");
    }
  }

  return {
    at: (path, open) => void doors.set(path, open),
    upgrade(request, socket, head, peer = { address: "local" }) {
      socket.on("error", () => socket.destroy());
      const path = request.url?.split("?")[0] ?? "";
      const open = doors.get(path);
      const { origin } = request.headers;
      if (closing) return refuse(socket, 503, "The relay is shutting down.");
      if (callers.take(peer.address, performance.now()) > 0)
        return refuse(socket, 429, "Too many calls. Slow down.");
      if (open === undefined) return refuse(socket, 404, "There is no WebSocket here.");
      // Without it any page that somebody visits could speak with this relay. Programs send no origin.
      if (origin !== undefined && !allowedOrigins.includes(origin))
        return refuse(
          socket,
          403,
          "This page may not call this relay. Allow its origin where the relay starts.",
        );
      server.handleUpgrade(request, socket, head, (accepted) => greet(accepted, peer, open));
    },
    release,
    async close(grace) {
      closing = true;
      clearInterval(timer);
      release();
      const late = setTimeout(() => {
        for (const socket of server.clients) socket.terminate();
      }, grace);
      await new Promise<void>((resolve) => server.close(() => resolve()));
      clearTimeout(late);
    },
  };
}

/** What asked for a WebSocket reads a status; the words are for whoever looks for the reason. */
function refuse(socket: Duplex, code: number, message: string): void {
  socket.end(
    `HTTP/1.1 ${code} ${STATUS_CODES[code]}\r\nconnection: close\r\ncontent-type: text/plain\r\n` +
      `content-length: ${Buffer.byteLength(message)}\r\n\r\n${message}`,
  );
}
