/**
 * A simulated Noxy device, on either leg: it does what the published clients do, and whatever else a test makes it
 * do. Its requests have no timeout, as theirs have none.
 */
import { create, fromJson, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { Client, type ServiceError } from "@grpc/grpc-js";
import { deviceService, device as wire } from "@guard/wires/noxy";
import { WebSocket } from "ws";
import { credentialsFor, type Target } from "./agent.fixture.ts";
import { type DeviceKeys, newDeviceKeys } from "./seal.fixture.ts";

export type Payload = NonNullable<MessageInitShape<typeof wire.DeviceRequestSchema>["payload"]>;
export type Fields = Partial<
  Omit<MessageInitShape<typeof wire.DeviceRequestSchema>, "$typeName" | "payload">
>;

/** How a connection ended: a gRPC status, or a WebSocket's close code. */
export interface Ended {
  readonly code: number;
  readonly reason: string;
}

interface Line {
  send(request: wire.DeviceRequest): void;
  /** Anything at all, in place of a request. */
  raw(bytes: Uint8Array): void;
  /** The same in a text frame, where there are such. */
  text(text: string): void;
  /** Ends this side. */
  finish(): void;
  /** Stops reading, or goes on. */
  read(on: boolean): void;
  close(): void;
}

interface Events {
  readonly open: () => void;
  readonly response: (response: wire.DeviceResponse, text?: string) => void;
  readonly end: (ended: Ended) => void;
}

export type LegName = "stream" | "browser";
type Dial = (target: Target, events: Events) => Line;

/** The path by which gRPC clients reach the service, with bytes as they are. */
const { path, requestSerialize, responseDeserialize } = deviceService.handleMessage;

const stream: Dial = (target, events) => {
  const client = new Client(target.address, credentialsFor(target), { "grpc.use_local_subchannel_pool": 1 });
  const call = client.makeBidiStreamRequest(
    path,
    (message: wire.DeviceRequest | Uint8Array) =>
      message instanceof Uint8Array ? Buffer.from(message) : requestSerialize(message),
    responseDeserialize,
  );
  call.on("data", (response) => events.response(response));
  call.on("error", () => {});
  call.on("status", ({ code, details }: ServiceError) => {
    client.close();
    events.end({ code, reason: details });
  });
  call.on("metadata", events.open);
  return {
    send: (request) => void call.write(request),
    raw: (bytes) => void call.write(bytes),
    text: (text) => void call.write(Buffer.from(text)),
    finish: () => call.end(),
    read: (on) => void (on ? call.resume() : call.pause()),
    close: () => call.cancel(),
  };
};

const base64 = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("base64");

/** What the browser client makes of a payload. */
function untagged({ payload }: wire.DeviceRequest): object {
  const keys = (found: wire.DevicePublicKeys | undefined) => ({
    publicKey: base64(found?.publicKey),
    pqPublicKey: base64(found?.pqPublicKey),
  });
  switch (payload.case) {
    case "authenticate":
      return { devicePubkeys: keys(payload.value.devicePubkeys) };
    case "registerDevice": {
      const { devicePubkeys, walletAddress, identityId, signature, type } = payload.value;
      return {
        devicePubkeys: keys(devicePubkeys),
        walletAddress: walletAddress ?? identityId,
        signature: base64(signature),
        type,
      };
    }
    case "subscribeDecisions":
      return { subscribe: payload.value.subscribe ?? true };
    case "decisionAck":
      return { messageId: payload.value.decisionId, receivedAt: Date.now() };
    case "decisionOutcome": {
      const { decisionId, outcome } = payload.value;
      return { decisionId, outcome: wire.DecisionOutcomeValue[outcome], receivedAt: Date.now() };
    }
    case "rotateDeviceKeys":
      return { newPubkeys: keys(payload.value.newPubkeys), walletAddress: "0x", signature: "" };
    case "revokeDevice":
      return { walletAddress: payload.value.walletAddress, signature: "" };
    default:
      return {};
  }
}

export function frameOf(request: wire.DeviceRequest): object {
  const { requestId, appId, deviceId, sessionId, timestamp, nonce } = request;
  const ids = { ...(deviceId !== undefined && { deviceId }), ...(sessionId !== undefined && { sessionId }) };
  return {
    requestId,
    appId,
    ...ids,
    timestamp: Number(timestamp),
    nonce: base64(nonce),
    payload: untagged(request),
  };
}

const browser: Dial = ({ address, ca }, events) => {
  const socket = new WebSocket(
    `${ca === undefined ? "ws" : "wss"}://${address}/noxy`,
    ca === undefined ? {} : { ca },
  );
  const before: (Buffer | string)[] = [];
  const send = (bytes: Buffer | string) => {
    if (socket.readyState === WebSocket.CONNECTING) before.push(bytes);
    else socket.send(bytes);
  };
  socket.on("open", () => {
    for (const bytes of before) socket.send(bytes);
    events.open();
  });
  socket.on("message", (data: Buffer) => {
    const text = data.toString("utf8");
    events.response(fromJson(wire.DeviceResponseSchema, JSON.parse(text)), text);
  });
  socket.on("error", () => {});
  socket.on("close", (code, reason) => events.end({ code, reason: reason.toString("utf8") }));
  return {
    // Binary frames that hold JSON, as the browser client sends them.
    send: (request) => send(Buffer.from(JSON.stringify(frameOf(request)))),
    raw: (bytes) => send(Buffer.from(bytes)),
    text: send,
    finish: () => socket.close(),
    read: (on) => (on ? socket.resume() : socket.pause()),
    close: () => socket.terminate(),
  };
};

const legs: Readonly<Record<LegName, Dial>> = { stream, browser };

export interface DeviceOptions {
  readonly app: string;
  readonly target: Target;
  readonly leg?: LegName;
  readonly keys?: DeviceKeys;
  readonly now?: () => number;
}

/** Connects. What is pushed is kept in order, for `next`. */
export function connectDevice({
  app,
  target,
  leg = "stream",
  keys = newDeviceKeys(),
  now = Date.now,
}: DeviceOptions) {
  const asked = new Map<string, (response: wire.DeviceResponse) => void>();
  const pushed: wire.DeviceResponse[] = [];
  const wanting: ((response: wire.DeviceResponse) => void)[] = [];
  const frames: wire.DeviceResponse[] = [];
  const texts: string[] = [];
  let count = 0;
  let opened = () => {};
  let finish = (_: Ended) => {};
  const open = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const ended = new Promise<Ended>((resolve) => {
    finish = resolve;
  });
  const line = legs[leg](target, {
    open: opened,
    response(response, text) {
      frames.push(response);
      if (text !== undefined) texts.push(text);
      const done = asked.get(response.requestId);
      if (done) {
        asked.delete(response.requestId);
        done(response);
        return;
      }
      const want = wanting.shift();
      if (want) want(response);
      else pushed.push(response);
    },
    end: finish,
  });

  function request(payload: Payload | undefined, over: Fields = {}): wire.DeviceRequest {
    return create(wire.DeviceRequestSchema, {
      requestId: `r${++count}`,
      appId: app,
      timestamp: BigInt(Math.trunc(now())),
      nonce: crypto.getRandomValues(new Uint8Array(12)),
      ...(payload && { payload }),
      ...over,
    });
  }
  /** Sends a request as it is; resolves with its response. */
  function sendRequest(message: wire.DeviceRequest): Promise<wire.DeviceResponse> {
    const answer = new Promise<wire.DeviceResponse>((resolve) => asked.set(message.requestId, resolve));
    line.send(message);
    return answer;
  }
  const ask = (payload: Payload | undefined, over?: Fields) => sendRequest(request(payload, over));
  const devicePubkeys = { publicKey: keys.publicKey, pqPublicKey: keys.pqPublicKey };

  return {
    app,
    keys,
    open,
    ended,
    /** Everything that came, in order. */
    frames,
    /** The same as it came on the browser leg. */
    texts: () => texts,
    /** How many requests were made. */
    asked: () => count,
    /** How many pushes nobody has taken with `next`. */
    waiting: () => pushed.length,
    request,
    sendRequest,
    ask,
    raw: line.raw,
    text: line.text,
    finish: line.finish,
    read: line.read,
    close: line.close,
    authenticate: (over?: Fields) => ask({ case: "authenticate", value: { devicePubkeys } }, over),
    register(
      identity: string,
      more: Partial<Omit<MessageInitShape<typeof wire.RegisterDeviceSchema>, "$typeName">> = {},
      over?: Fields,
    ) {
      const value = { devicePubkeys, walletAddress: identity, type: "browser", ...more };
      return ask({ case: "registerDevice", value }, over);
    },
    subscribe: (subscribe = true, over?: Fields) =>
      ask({ case: "subscribeDecisions", value: { subscribe } }, over),
    answer: (decisionId: string, outcome: "APPROVE" | "REJECT", over?: Fields) =>
      ask(
        { case: "decisionOutcome", value: { decisionId, outcome: wire.DecisionOutcomeValue[outcome] } },
        over,
      ),
    ack: (decisionId: string, over?: Fields) => ask({ case: "decisionAck", value: { decisionId } }, over),
    rotate: (to: DeviceKeys, over?: Fields) =>
      ask(
        {
          case: "rotateDeviceKeys",
          value: { newPubkeys: { publicKey: to.publicKey, pqPublicKey: to.pqPublicKey } },
        },
        over,
      ),
    revoke: (over?: Fields) => ask({ case: "revokeDevice", value: { walletAddress: "me" } }, over),
    /** The next push that nobody took. */
    next(): Promise<wire.DeviceResponse> {
      const there = pushed.shift();
      return there ? Promise.resolve(there) : new Promise((resolve) => wanting.push(resolve));
    },
    /** The next decision: its id, and what it says. */
    async decision() {
      const { messageId = "", payload } = await this.next();
      if (payload.case !== "decisionEvent") throw new Error(`Pushed instead of a decision: ${payload.case}`);
      return { decision: messageId, text: keys.open(payload.value) };
    },
  };
}
export type SimulatedDevice = ReturnType<typeof connectDevice>;

/** The error of a response, by name. @throws Error where it is none */
export function errorOf({ status: given, payload }: wire.DeviceResponse) {
  if (given !== wire.ResponseStatus.ERROR || payload.case !== "error") {
    throw new Error(`This is no error: ${JSON.stringify({ given, payload: payload.case })}`);
  }
  const { code, message, retryable } = payload.value;
  return { code: wire.ErrorCode[code], message, retryable };
}

type Given = Exclude<wire.DeviceResponse["payload"], { case: undefined }>;
type ValueOf<C> = Given extends infer P ? (P extends { case: C; value: infer V } ? V : never) : never;

/** The payload of a response of this kind. @throws Error where it is another one */
export function payloadOf<C extends Given["case"]>(response: wire.DeviceResponse, kind: C): ValueOf<C> {
  const { payload } = response;
  if (payload.case !== kind) {
    throw new Error(`Instead of ${kind}: ${JSON.stringify(toJson(wire.DeviceResponseSchema, response))}`);
  }
  return payload.value as ValueOf<C>;
}
