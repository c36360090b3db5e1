/** For tests: a relay on a socket with small gRPC services and an echoing WebSocket, and clients that speak to it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type IncomingMessage, request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TLSSocket, type ConnectionOptions as TlsOptions, connect as tlsConnect } from "node:tls";
import { create } from "@bufbuild/protobuf";
import {
  Client,
  type ClientDuplexStream,
  credentials,
  type Metadata,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { agent, agentService, device, deviceService } from "@guard/wires/noxy";
import { type ClientOptions, WebSocket } from "ws";
import { limitsOf } from "../domain/limits.ts";
import { type Limits, type ServeOptions, serveRelay } from "../index.ts";
import { callerOf, openRpc } from "../server/rpc.ts";
import { webSockets } from "../server/websockets.ts";
import { office } from "./fixture.ts";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Of localhost, signed by itself. */
export function certificate(): Certificate {
  const directory = mkdtempSync(join(tmpdir(), "guard-tls-"));
  try {
    const [cert, key] = [join(directory, "cert.pem"), join(directory, "key.pem")];
    execFileSync(
      "openssl",
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout ${key} -out ${cert}`.split(
        " ",
      ),
      { stdio: "ignore" },
    );
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

type Request = device.DeviceRequest;
type Response = device.DeviceResponse;

interface Options extends ServeOptions {
  readonly limits?: Partial<Limits>;
  readonly allowedOrigins?: readonly string[];
  readonly pingEvery?: number;
}

export async function port(options: Options = {}) {
  const { limits: some, allowedOrigins = [], pingEvery, ...serve } = options;
  const place = await office(some ? { limits: some } : {});
  const limits = limitsOf(some);
  const rpc = openRpc(limits);
  const { arrivesWithin } = serve;
  const sockets = webSockets({
    limits,
    allowedOrigins,
    logger: null,
    ...(pingEvery ? { pingEvery } : {}),
    ...(arrivesWithin ? { arrivesWithin } : {}),
  });
  /** Unary calls wait for this one. */
  const held = { until: Promise.resolve() as Promise<unknown>, arrived: () => {} };
  const streams = new Set<ServerDuplexStream<Request, Response>>();

  rpc.server.addService(agentService, {
    async getQuota(
      call: ServerUnaryCall<agent.GetQuotaRequest, agent.GetQuotaResponse>,
      done: sendUnaryData<agent.GetQuotaResponse>,
    ) {
      held.arrived();
      await held.until;
      done(null, create(agent.GetQuotaResponseSchema, { appName: callerOf(call), quotaTotal: 7n }));
    },
  });
  rpc.server.addService(deviceService, {
    handleMessage(call: ServerDuplexStream<Request, Response>) {
      streams.add(call);
      call.on("data", (message: Request) =>
        call.write(create(device.DeviceResponseSchema, { requestId: message.requestId })),
      );
      call.on("end", () => call.end());
      call.on("cancelled", () => streams.delete(call));
      call.on("error", () => streams.delete(call));
    },
  });
  sockets.at("/echo", (socket, peer) => {
    socket.on("message", (data) => socket.send(`${peer.address}: ${String(data)}`));
  });
  sockets.at("/broken", () => {
    throw new Error("a wire that fails");
  });

  const served = {
    fetch: place.relay.fetch,
    grpc: rpc.server,
    upgrade: sockets.upgrade,
    release() {
      place.relay.release();
      sockets.release();
    },
  };
  const listening = await serveRelay(served, serve);
  return {
    ...place,
    ...clients(listening.url, serve.tls?.cert ?? null),
    listening,
    served,
    rpc,
    sockets,
    held,
    streams,
  };
}

/** Everything that speaks to a relay at `url`, whose certificate is `ca`. */
export function clients(url: string, ca: string | null) {
  const { port, protocol } = new URL(url);
  const trust = ca === null ? {} : { ca };
  const made: Client[] = [];

  function rpcClient(): Client {
    const secure = ca === null ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca));
    const client = new Client(`localhost:${port}`, secure, { "grpc.use_local_subchannel_pool": 1 });
    made.push(client);
    return client;
  }
  return {
    port: Number(port),
    rpcClient,
    /** Ends the gRPC clients. */
    leave: () => {
      for (const client of made) client.close();
    },
    get(path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
      const send = protocol === "https:" ? tlsRequest : plainRequest;
      return new Promise((resolve, reject) => {
        send(`${url}${path}`, { headers, ...trust }, resolve)
          .on("error", reject)
          .end();
      });
    },
    quota(client: Client, metadata?: Metadata): Promise<agent.GetQuotaResponse> {
      const { path, requestSerialize, responseDeserialize } = agentService.getQuota;
      const ask = create(agent.GetQuotaRequestSchema, { requestId: "r" });
      return new Promise((resolve, reject) => {
        const done = (error: Error | null, answer?: agent.GetQuotaResponse) =>
          answer ? resolve(answer) : reject(error);
        if (metadata)
          client.makeUnaryRequest(path, requestSerialize, responseDeserialize, ask, metadata, done);
        else client.makeUnaryRequest(path, requestSerialize, responseDeserialize, ask, done);
      });
    },
    session(client: Client): ClientDuplexStream<Request, Response> {
      const { path, requestSerialize, responseDeserialize } = deviceService.handleMessage;
      return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    },
    webSocket(path: string, more: ClientOptions = {}): WebSocket {
      return new WebSocket(`${url.replace("http", "ws")}${path}`, { ...trust, ...more });
    },
    raw: (): Socket => connect(Number(port), "127.0.0.1"),
    rawTls: (more: TlsOptions = {}): TLSSocket =>
      tlsConnect({ port: Number(port), host: "localhost", ...trust, ...more }),
  };
}

/** What comes back until the other side hangs up. */
export function heard(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    socket.on("data", (data) => {
      text += data.toString("latin1");
    });
    // A reset is one way to hang up.
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
  });
}
