/**
 * The browser leg's JSON, to and from the messages of the gRPC leg. A payload has no tag: it is told by its keys.
 * Binary fields are standard base64 (RFC 4648 §4), times are numbers.
 */
import { create, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { device as wire } from "@guard/wires/noxy";
import * as z from "zod/mini";

type Payload = NonNullable<MessageInitShape<typeof wire.DeviceRequestSchema>["payload"]>;

/** What a frame holds; its id alone where the rest is not what this wire has. */
export type Frame =
  | { readonly request: wire.DeviceRequest }
  | { readonly requestId: string; readonly wrong: string };

const text = z.string().check(z.maxLength(1000));
const bytes = z.pipe(
  z
    .string()
    .check(z.maxLength(8000), z.regex(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/)),
  z.transform((value) => new Uint8Array(Buffer.from(value, "base64"))),
);
const time = z.pipe(
  z.int().check(z.minimum(0)),
  z.transform((value) => BigInt(value)),
);
// Wallets' signatures have several spellings, and this relay can check none of them. A MAC is base64.
const signature = z.pipe(
  z.optional(z.unknown()),
  z.transform((value) => bytes.safeParse(value).data ?? new Uint8Array()),
);
const optionalText = z.pipe(
  z.nullish(text),
  z.transform((value) => value ?? undefined),
);
const keys = z.object({ publicKey: bytes, pqPublicKey: bytes });
const outcome = z.pipe(
  z.enum(["APPROVE", "REJECT"]),
  z.transform((name) => wire.DecisionOutcomeValue[name]),
);

const shapes = {
  authenticate: z.object({ devicePubkeys: keys }),
  registerDevice: z.object({ devicePubkeys: keys, walletAddress: text, signature, type: text }),
  subscribeDecisions: z.object({ subscribe: z.boolean() }),
  decisionOutcome: z.object({ decisionId: text, outcome }),
  decisionAck: z.object({ messageId: text }),
  rotateDeviceKeys: z.object({ newPubkeys: keys }),
  revokeDevice: z.object({ walletAddress: text }),
};

/** @throws ZodError where a payload is not what its keys say */
function payloadOf(value: object): Payload | null {
  const has = (key: string) => Object.hasOwn(value, key);
  if (has("devicePubkeys")) {
    return has("walletAddress")
      ? { case: "registerDevice", value: shapes.registerDevice.parse(value) }
      : { case: "authenticate", value: shapes.authenticate.parse(value) };
  }
  if (has("subscribe")) return { case: "subscribeDecisions", value: shapes.subscribeDecisions.parse(value) };
  if (has("outcome")) return { case: "decisionOutcome", value: shapes.decisionOutcome.parse(value) };
  if (has("messageId")) {
    return { case: "decisionAck", value: { decisionId: shapes.decisionAck.parse(value).messageId } };
  }
  if (has("newPubkeys")) return { case: "rotateDeviceKeys", value: shapes.rotateDeviceKeys.parse(value) };
  if (has("walletAddress")) return { case: "revokeDevice", value: shapes.revokeDevice.parse(value) };
  return null;
}

const head = z.object({ requestId: text });
const request = z.object({
  requestId: text,
  appId: text,
  sessionId: optionalText,
  deviceId: optionalText,
  timestamp: time,
  nonce: bytes,
  payload: z.record(z.string(), z.unknown()),
});

/** Null where not even the request's id can be read. */
export function readFrame(frame: string): Frame | null {
  let json: unknown;
  try {
    json = JSON.parse(frame);
  } catch {
    return null;
  }
  const named = head.safeParse(json);
  if (!named.success) return null;
  const { requestId } = named.data;
  const found = request.safeParse(json);
  if (!found.success) return { requestId, wrong: wrongIn(found.error, "request") };
  const { payload: given, sessionId, deviceId, ...rest } = found.data;
  try {
    const payload = payloadOf(given);
    if (payload === null) return { requestId, wrong: "This relay knows no payload with these keys." };
    const ids = {
      ...(sessionId !== undefined && { sessionId }),
      ...(deviceId !== undefined && { deviceId }),
    };
    return { request: create(wire.DeviceRequestSchema, { ...rest, ...ids, payload }) };
  } catch (error) {
    if (error instanceof z.core.$ZodError) return { requestId, wrong: wrongIn(error, "payload") };
    throw error;
  }
}

function wrongIn({ issues }: z.core.$ZodError, what: string): string {
  const [{ path, message } = { path: [], message: "unreadable" }] = issues;
  return `The ${what} is not readable at ${JSON.stringify(path.join("."))}: ${message}.`;
}

const times = ["timestamp", "registeredAt", "rotatedAt"];

/** Times, which Protobuf's JSON has as text, are numbers here as in requests. */
export function writeFrame(response: wire.DeviceResponse): string {
  const json = toJson(wire.DeviceResponseSchema, response, { alwaysEmitImplicit: true });
  return JSON.stringify(json, (key, value) => (times.includes(key) ? Number(value) : value));
}
