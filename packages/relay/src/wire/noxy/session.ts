/**
 * One device's session, on whatever carries it: a request in, a response with the same id out, and decisions pushed
 * once the device has subscribed. It decides nothing: what a device may do is the domain's.
 *
 * Guarantees: every request is answered, in order, before it is known who sends it and after it was revoked too; a
 * session acts for the one device that it authenticated, whatever ids a request carries (cross-tenant); nothing is
 * pushed before a subscription, and the response to it comes first.
 */
import { randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { device as wire } from "@guard/wires/noxy";
import { undelivered } from "../../domain/decision-answers.ts";
import type { Delivery, EndReason } from "../../domain/deliveries.ts";
import { type AdmittedDevice, authenticateDevice, registerDevice } from "../../domain/foreign-devices.ts";
import { Refusal } from "../../domain/refusal.ts";
import { rates } from "../../server/rates.ts";
import { acknowledged, answered, revoked, rotated } from "./acts.ts";
import { DeviceRefusal, errorResponse } from "./codes.ts";
import { seenNonces } from "./fresh.ts";
import { newOutbox, type Outbox } from "./outbox.ts";
import { invalid, keysOf, registrationOf } from "./registration.ts";
import { noncesOf, pay, type Wire } from "./wire.ts";

/** What carries a session. */
export interface Leg {
  /** Of the device's end. */
  readonly address: string;
  /** Puts a response behind those before it; resolves when there is room for more, or nobody left to send to. */
  send(response: wire.DeviceResponse): Promise<void>;
  /** Ends the connection behind what was sent. */
  end(): void;
}

export interface Session {
  /** Answers one request of so many bytes; resolves when the answer is on its way. Further ones wait for it. */
  take(request: wire.DeviceRequest, bytes: number): Promise<void>;
  /** Answers what could not be read as a request, in its turn. */
  refuse(requestId: string, error: DeviceRefusal): Promise<void>;
  /** The connection is gone. */
  close(): void;
}

type Response = Omit<MessageInitShape<typeof wire.DeviceResponseSchema>, "$typeName">;
type Payload = NonNullable<Response["payload"]>;

/** The device that a session is for. */
interface Admitted {
  readonly device: AdmittedDevice;
  readonly session: string;
  readonly leave: () => void;
  /** There while the device is subscribed. */
  outbox: Outbox | null;
  /** Whether it was told that it waits for the owner. */
  refused: boolean;
}

const { ErrorCode, ResponseStatus } = wire;

const endings: Readonly<Record<EndReason, DeviceRefusal>> = {
  revoked: new DeviceRefusal(ErrorCode.DEVICE_REVOKED, "This device was revoked. Register a new one."),
  waiting: new DeviceRefusal(ErrorCode.UNAUTHORIZED, "This device waits for the owner's confirmation.", true),
};
const renewed = new DeviceRefusal(
  ErrorCode.UNAUTHORIZED,
  "This device has new keys. Authenticate and register with them.",
  true,
);

export function openSession(shared: Wire, leg: Leg): Session {
  const { context, logger } = shared;
  const { limits } = context;
  const connection = rates(limits.foreignConnectionRate);
  const nonces = seenNonces(noncesOf(limits.foreignConnectionRate));
  let admitted: Admitted | null = null;
  /** Why there is no device any more, once there was one. */
  let former: DeviceRefusal | null = null;
  let last = Promise.resolve();
  let closed = false;

  function send(response: Response): Promise<void> {
    const timestamp = BigInt(Math.trunc(context.clock()));
    return leg.send(create(wire.DeviceResponseSchema, { timestamp, ...response }));
  }
  const push = ({ decision, kemCiphertext: kyberCt, nonce, ciphertext }: Delivery) =>
    // Published clients answer with the message's id as the decision's.
    send({ messageId: decision, payload: { case: "decisionEvent", value: { kyberCt, nonce, ciphertext } } });
  const sendError = (requestId: string, error: unknown) =>
    send({
      requestId,
      status: ResponseStatus.ERROR,
      payload: { case: "error", value: errorResponse(error, logger) },
    });

  /** From now on the session is for this device. Nothing may be awaited between its admission and this. */
  function admit(device: AdmittedDevice): Admitted {
    leave(null);
    const disconnect = context.deliveries.connect(device, {
      send(delivery) {
        found.outbox?.push(delivery);
        return found.outbox !== null;
      },
      activated() {
        // Coming back it is let in, whatever its client makes of the refusal.
        if (found.refused) void inTurn("", async () => leg.end());
      },
      end(reason) {
        const subscribed = found.outbox !== null;
        if (admitted === found) leave(endings[reason]);
        if (subscribed) void sendError("", endings[reason]);
        void inTurn("", async () => leg.end());
      },
    });
    const exit = shared.enter(device, open);
    const found: Admitted = {
      device,
      session: randomUUID(),
      outbox: null,
      refused: false,
      leave() {
        disconnect();
        exit();
      },
    };
    admitted = found;
    // Nobody would end what was admitted after its connection had gone.
    if (closed) leave(null);
    return found;
  }

  function leave(why: DeviceRefusal | null): void {
    admitted?.leave();
    admitted?.outbox?.close();
    admitted = null;
    former = why;
  }

  /** Before a device is known: anybody may send this. */
  async function enter(request: wire.DeviceRequest, bytes: number): Promise<Payload> {
    const { payload, appId } = request;
    // An app's id has 43 characters; nobody makes the relay remember more.
    pay(shared.rates.first, `${appId.slice(0, 50)} ${leg.address}`, bytes);
    const registration = payload.case === "registerDevice" ? registrationOf(payload.value) : null;
    const keys =
      registration ?? keysOf(payload.case === "authenticate" ? payload.value.devicePubkeys : undefined);
    const known = await authenticateDevice(context, appId, keys);
    // Now, because apps that there are not leave no trace here.
    shared.firstNonces(appId).check(request, context.clock());
    if (registration) {
      // Its answer says what it is now.
      if (admitted) admitted.refused = false;
      const { registeredAt, ...device } = await registerDevice(context, appId, registration);
      const { session: sessionId } = admit(device);
      const value = { deviceId: device.device, registeredAt: BigInt(registeredAt), sessionId };
      return { case: "registerDevice", value };
    }
    if (known === null) {
      leave(null);
      return { case: "authenticate", value: { requiresRegistration: true } };
    }
    const { session: sessionId } = admit(known);
    return {
      case: "authenticate",
      value: { deviceId: known.device, requiresRegistration: false, sessionId },
    };
  }

  /** The device that a request is from. */
  function sender(request: wire.DeviceRequest, bytes: number): Admitted {
    if (former) throw former;
    if (!admitted) {
      throw new DeviceRefusal(ErrorCode.UNAUTHORIZED, "Authenticate or register on this stream first.");
    }
    const { device, session } = admitted;
    const { appId, deviceId = device.device, sessionId = session } = request;
    if (appId !== device.app || deviceId !== device.device || sessionId !== session) {
      throw new DeviceRefusal(
        ErrorCode.UNAUTHORIZED,
        "This is not the app, the device or the session of this stream. Authenticate again.",
      );
    }
    pay(shared.rates.app, device.app, bytes);
    nonces.check(request, context.clock());
    return admitted;
  }

  async function subscribe(from: Admitted, requestId: string, wanted: boolean): Promise<void> {
    from.outbox?.close();
    from.outbox = null;
    const respond = () =>
      send({ requestId, payload: { case: "subscribeDecisions", value: { subscribed: wanted } } });
    if (!wanted) return respond();
    from.refused = true;
    const queued = await undelivered(context, from.device);
    from.refused = false;
    const outbox = newOutbox({
      send: push,
      most: limits.streamBuffer,
      failed(error) {
        if (!(error instanceof Refusal)) logger?.error({ err: error, wire: "noxy" }, "delivery failed");
        leg.end();
      },
    });
    if (admitted === from) from.outbox = outbox;
    else outbox.close();
    const sent = respond();
    outbox.start(queued);
    return sent;
  }

  async function answer(request: wire.DeviceRequest, bytes: number): Promise<void> {
    pay(connection, "", bytes);
    const { payload, requestId } = request;
    const respond = (payload: Payload) => send({ requestId, payload });
    switch (payload.case) {
      case "authenticate":
      case "registerDevice":
        return respond(await enter(request, bytes));
      case "subscribeDecisions":
        return subscribe(sender(request, bytes), requestId, payload.value.subscribe ?? true);
      case "decisionOutcome":
        return respond(await answered(context, sender(request, bytes).device, payload.value));
      case "decisionAck":
        return respond(await acknowledged(context, sender(request, bytes).device, payload.value));
      case "rotateDeviceKeys": {
        const { device } = sender(request, bytes);
        const keys = keysOf(payload.value.newPubkeys);
        leave(null);
        const done = await rotated(context, device, keys);
        leave(renewed);
        return respond(done);
      }
      case "revokeDevice": {
        const { device } = sender(request, bytes);
        leave(null);
        const done = await revoked(context, device);
        leave(endings.revoked);
        return respond(done);
      }
      default:
        return invalid("This request holds nothing that this relay knows.");
    }
  }

  function inTurn(requestId: string, work: () => Promise<void>): Promise<void> {
    last = last.then(work).catch((error) => sendError(requestId, error));
    return last;
  }
  const open = { end: leg.end, idle: () => last };
  shared.sessions.add(open);
  return {
    take: (request, bytes) => inTurn(request.requestId, () => answer(request, bytes)),
    refuse: (requestId, error) =>
      inTurn(requestId, async () => {
        pay(connection, "");
        throw error;
      }),
    close() {
      closed = true;
      leave(null);
      void last.then(() => shared.sessions.delete(open));
    },
  };
}
