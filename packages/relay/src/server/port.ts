/**
 * One port for everything: what opens with HTTP/2 goes to gRPC, what does not goes to HTTP/1.1, where browsers are.
 * Under TLS the two sides agree on it (ALPN, RFC 7301); without, the first bytes tell. A connection that does not
 * say in time what it is, costs a socket until then and nothing after.
 */
import type { Server, Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** What every HTTP/2 connection opens with (RFC 9113 §3.4). No method of HTTP/1.1 is called PRI. */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

interface PortOptions {
  readonly tls: boolean;
  /** Serves one HTTP/2 connection. */
  readonly rpc: (socket: Socket) => void;
  /** Milliseconds for a connection to say what it is. */
  readonly saysWithin: number;
}

interface Port {
  /** Hangs up on the connections that have not said yet what they are, whenever they do. */
  hangUp(): void;
}

/**
 * Takes the HTTP/2 connections out of those that an HTTP server accepts. That server itself listens, so that its time
 * limits, its idle connections and its close() go on as they are; who serves a connection is all that changes.
 */
export function sharePort(server: Server, options: PortOptions): Port {
  const event = options.tls ? "secureConnection" : "connection";
  const own = server.listeners(event);
  const undecided = new Set<Socket>();
  let closed = false;
  const serve = (socket: Socket, http2: boolean | null) => {
    if (closed || http2 === null) socket.destroy();
    else if (http2) options.rpc(socket);
    else for (const http of own) http.call(server, socket);
  };
  server.removeAllListeners(event);
  server.on(event, (socket: Socket | TLSSocket) => {
    if ("alpnProtocol" in socket) return serve(socket, socket.alpnProtocol === "h2");
    undecided.add(socket);
    firstBytes(socket, options.saysWithin, (http2) => {
      undecided.delete(socket);
      // The HTTP server lets a socket be half closed; HTTP/2 has no use for one.
      if (http2) socket.allowHalfOpen = false;
      serve(socket, http2);
    });
  });
  return {
    hangUp() {
      closed = true;
      for (const socket of undecided) socket.destroy();
    },
  };
}

/** Of what a client offers. Browsers offer both, and fetch, streams and WebSockets are at HTTP/1.1. */
export function protocolOf({ protocols }: { protocols: string[] }): string | undefined {
  return ["http/1.1", "h2"].find((protocol) => protocols.includes(protocol));
}

/** Whether a connection opens with HTTP/2; null where it ends, or is silent too long, before that is clear. */
function firstBytes(socket: Socket, within: number, decide: (http2: boolean | null) => void): void {
  let seen = Buffer.alloc(0);
  const decided = (http2: boolean | null) => {
    clearTimeout(timer);
    socket.off("readable", read).off("end", gone).off("error", gone).off("close", gone);
    // Whoever serves it reads from the first byte on.
    if (http2 !== null) socket.unshift(seen);
    decide(http2);
  };
  const gone = () => decided(null);
  const read = () => {
    const more: Buffer | null = socket.read();
    if (more === null) return;
    seen = Buffer.concat([seen, more]);
    const known = Math.min(seen.length, preface.length);
    const alike = seen.subarray(0, known).equals(preface.subarray(0, known));
    if (!alike || known === preface.length) decided(alike);
  };
  const timer = setTimeout(gone, within);
  socket.on("readable", read).on("end", gone).on("error", gone).on("close", gone);
}
