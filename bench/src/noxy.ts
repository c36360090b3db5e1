/**
 * What the Noxy figures share: calls and devices on bare HTTP/2, so that what is measured is the relay and not
 * a client library, and messages of the sizes that a sealed action of 1 KiB has.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import type { Owner } from "@guard/core";
import { deviceService, device as wire } from "@guard/wires/noxy";

/** Switches the wire on; every device that registers is active, since no figure is about who may. */
export const enable = (owner: Owner): Promise<void> =>
  owner.setForeign({
    wire: "noxy",
    name: "shop",
    signingSecret: null,
    open: true,
    quota: null,
    suspended: false,
  });

export async function openSession(url: string): Promise<ClientHttp2Session> {
  const session = connect(url);
  await once(session, "connect");
  return session;
}

/** A message as gRPC frames it: not compressed, and its length. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

const headersOf = (path: string) => ({
  ":method": "POST",
  ":path": path,
  "content-type": "application/grpc",
  te: "trailers",
});

/** One unary call; resolves with the answer's frame. */
export function callOnce(
  session: ClientHttp2Session,
  call: { readonly path: string; readonly token: string; readonly frame: Buffer },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ...headersOf(call.path), authorization: `Bearer ${call.token}` });
    const chunks: Buffer[] = [];
    let status: unknown;
    const readStatus = (headers: { readonly [name: string]: unknown }) => {
      if (headers["grpc-status"] !== undefined) status = headers["grpc-status"];
    };
    stream.on("response", readStatus);
    stream.on("trailers", readStatus);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () =>
      Number(status) === 0
        ? resolve(Buffer.concat(chunks))
        : reject(new Error(`The call ended with status ${status}.`)),
    );
    stream.end(call.frame);
  });
}

type Payload = Exclude<wire.DeviceRequest["payload"], { readonly case: undefined }>;

export interface NoxyDevice {
  readonly device: string;
  send(payload: Payload): void;
}

/** Authenticates, registers and subscribes as published clients do; `pushed` gets the ids of decisions. */
export async function subscribedDevice(
  session: ClientHttp2Session,
  as: { readonly app: string; readonly identity: string; readonly pqPublicKey?: Uint8Array },
  pushed: (decision: string) => void = () => {},
): Promise<NoxyDevice> {
  const { path, requestSerialize, responseDeserialize } = deviceService.handleMessage;
  const stream = session.request(headersOf(path));
  const answers: ((response: wire.DeviceResponse) => void)[] = [];
  eachFrame(stream, (message) => {
    const response = responseDeserialize(message);
    if (response.payload.case === "decisionEvent") pushed(response.messageId ?? "");
    else answers.shift()?.(response);
  });
  let ids: Pick<wire.DeviceRequest, "deviceId" | "sessionId"> = {};
  function send(payload: Payload): void {
    const message: wire.DeviceRequest = {
      $typeName: "noxy.device.DeviceRequest",
      requestId: randomUUID(),
      appId: as.app,
      ...ids,
      timestamp: BigInt(Date.now()),
      nonce: Uint8Array.from(randomBytes(12)),
      payload,
    };
    stream.write(framed(requestSerialize(message)));
  }
  async function ask<C extends Payload["case"]>(payload: Payload & { readonly case: C }) {
    const answered = new Promise<wire.DeviceResponse>((resolve, reject) => {
      answers.push(resolve);
      stream.once("error", reject);
    });
    send(payload);
    const { payload: said } = await answered;
    if (said.case !== payload.case) {
      throw new Error(said.case === "error" ? said.value.message : `The relay answered with ${said.case}.`);
    }
    return said.value;
  }
  const devicePubkeys: wire.DevicePublicKeys = {
    $typeName: "noxy.device.DevicePublicKeys",
    publicKey: Uint8Array.from(randomBytes(32)),
    pqPublicKey: as.pqPublicKey ?? Uint8Array.from(randomBytes(1184)),
  };
  await ask({ case: "authenticate", value: { $typeName: "noxy.device.Authenticate", devicePubkeys } });
  const registered = (await ask({
    case: "registerDevice",
    value: {
      $typeName: "noxy.device.RegisterDevice",
      devicePubkeys,
      identityType: wire.IdentityType.EMAIL,
      identityId: as.identity,
      type: "desktop",
      signature: new Uint8Array(),
      deviceSignature: new Uint8Array(),
    },
  })) as wire.RegisterDeviceResponse;
  ids = { deviceId: registered.deviceId, sessionId: registered.sessionId };
  await ask({
    case: "subscribeDecisions",
    value: { $typeName: "noxy.device.SubscribeDecisions", subscribe: true },
  });
  return { device: registered.deviceId, send };
}

/** Cuts what a stream carries into messages. */
function eachFrame(stream: ClientHttp2Stream, take: (message: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1);
      take(rest.subarray(5, end));
      rest = rest.subarray(end);
    }
  });
}
