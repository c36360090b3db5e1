/**
 * gRPC beside HTTP: one server, to which wires add their services, and which `serveRelay` brings connections. No
 * caller holds more of it than HTTP would give: a message has a size and a time to arrive, a connection has so many
 * calls, and one that is dead or idle is closed.
 */
import type { Http2Server, ServerHttp2Stream } from "node:http2";
import {
  type ConnectionInjector,
  experimental,
  type Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  status,
} from "@grpc/grpc-js";
import type { Limits } from "../domain/limits.ts";

interface Rpc {
  readonly server: Server;
  /** Refuses calls from now on, and resolves when those in flight are done, or were cut after `grace` ms. */
  close(grace: number): Promise<void>;
}

const minute = 60_000;
/** Calls whose first message is not there in whole. With the largest messages that is 128 MiB. */
const arrivingAtOnce = 256;

export function openRpc(limits: Limits): Rpc {
  let closing = false;
  let inFlight = 0;
  let idle: (() => void) | null = null;
  const whileOpen: ServerInterceptor = (_, call) => {
    if (closing) {
      call.sendStatus({ code: status.UNAVAILABLE, details: "The relay is shutting down." });
      return new ServerInterceptingCall(call);
    }
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        inFlight++;
        next(metadata);
      })
      // However a call ends, this is what comes last.
      .withOnCancel(() => {
        inFlight--;
        if (inFlight === 0) idle?.();
      })
      .build();
    return new ServerInterceptingCall(call, { start: (next) => next(listener) });
  };
  const server = new Server({
    interceptors: [whileOpen],
    "grpc.max_receive_message_length": limits.body,
    // As many as one token may hold; a client with more of them waits for its own.
    "grpc.max_concurrent_streams": limits.waits,
    // In megabytes, of one connection; what a client does not read piles up in it.
    "grpc-node.max_session_memory": 32,
    "grpc.keepalive_time_ms": minute / 2,
    "grpc.keepalive_timeout_ms": minute / 3,
    // Clients come back when they have something to ask.
    "grpc.max_connection_idle_ms": 5 * minute,
  });
  return {
    server,
    async close(grace) {
      closing = true;
      // It tells clients to take their next calls elsewhere. That they are done, it says too early.
      server.tryShutdown(() => {});
      if (inFlight === 0) return;
      const done = new Promise<void>((resolve) => {
        idle = resolve;
      });
      for (const each of injectors.get(server) ?? []) each.drain(grace);
      await done;
    },
  };
}

interface RpcConnections {
  /** The last hop of `x-forwarded-for` is the caller's address. */
  readonly behindProxy: boolean;
  /** Milliseconds for what a call asks to arrive. */
  readonly arrivesWithin: number;
}

/** What takes over accepted connections. It expects TLS to be ended already. */
export function rpcConnections(server: Server, options: RpcConnections): ConnectionInjector {
  const credentials = experimental.createServerCredentialsWithInterceptors(
    ServerCredentials.createInsecure(),
    [arriving(options)],
  );
  const connections = server.createConnectionInjector(credentials);
  passLiveStreams(server);
  injectors.set(server, [...(injectors.get(server) ?? []), connections]);
  return connections;
}

/**
 * What grpc-js 1.14 does not offer it refuses without a look at whether the stream is still there; where a caller has
 * reset it meanwhile, that throws where nobody can catch it. So it is shown only streams that are there.
 */
function passLiveStreams(server: Server): void {
  const { http2Servers } = server as unknown as { readonly http2Servers: ReadonlyMap<Http2Server, unknown> };
  for (const http2 of http2Servers.keys()) {
    const own = http2.listeners("stream");
    http2.removeAllListeners("stream");
    http2.on("stream", (stream: ServerHttp2Stream, ...more: unknown[]) => {
      if (!stream.destroyed && !stream.closed) for (const serve of own) serve.call(http2, stream, ...more);
      // How a stream ended that nobody serves, concerns nobody.
      else stream.on("error", () => {});
    });
  }
}

const injectors = new WeakMap<Server, ConnectionInjector[]>();
const callers = new WeakMap<Metadata, string>();

/** The address of a call's caller, as HTTP knows it. No metadata of the caller's own can say otherwise. */
export function callerOf(call: { readonly metadata: Metadata }): string {
  return callers.get(call.metadata) ?? "unknown";
}

/**
 * Notes who calls, and gives up a call that is not there in time. While many are on their way, the slow ones have a
 * tenth of that time: what has arrived of them is kept in memory before anybody knows whose it is.
 */
function arriving({ behindProxy, arrivesWithin }: RpcConnections): ServerInterceptor {
  const onTheirWay = new Map<(details: string) => void, number>();
  /** The oldest first. */
  const dropSlow = (now: number) => {
    for (const [giveUp, since] of onTheirWay) {
      if (onTheirWay.size <= arrivingAtOnce || now - since < arrivesWithin / 10) return;
      giveUp("Too many calls are on their way. Try again.");
    }
  };
  return ({ requestStream }, call) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const giveUp = (details: string) => {
      arrived();
      call.sendStatus({ code: status.RESOURCE_EXHAUSTED, details });
    };
    const arrived = () => {
      clearTimeout(timer);
      onTheirWay.delete(giveUp);
    };
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        callers.set(metadata, (behindProxy && lastHop(metadata)) || addressIn(call.getPeer()));
        timer = setTimeout(giveUp, arrivesWithin, "This call did not arrive in time.");
        onTheirWay.set(giveUp, performance.now());
        dropSlow(performance.now());
        next(metadata);
      })
      .withOnReceiveMessage((message, next) => {
        if (requestStream) arrived();
        next(message);
      })
      .withOnReceiveHalfClose((next) => {
        arrived();
        next();
      })
      .withOnCancel(arrived)
      .build();
    return new ServerInterceptingCall(call, { start: (next) => next(listener) });
  };
}

function lastHop(metadata: Metadata): string | undefined {
  return metadata.get("x-forwarded-for").at(-1)?.toString().split(",").at(-1)?.trim();
}

/** `address:port` without the port. */
function addressIn(peer: string): string {
  return peer.replace(/:\d+$/, "");
}
