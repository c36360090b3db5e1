/**
 * Sending a decision to a person's devices. Guarantees: one reading of the decision and one decision id for all of them;
 * each gets a copy that only it can open; one device that fails keeps none of the others from being asked.
 */
import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { isGuardError, ValidationError } from "@guard/core";
import { agent, agentService } from "@guard/wires/noxy";
import { sealDecision } from "./crypto.ts";
import { encodeDecision } from "./json.ts";
import { checkText } from "./options.ts";
import type { Calling, Transport } from "./transport.ts";
import { known, type NoxyDeliveryOutcome, NoxyDeliveryStatus, type NoxyIdentityDevice } from "./types.ts";

/** Devices that one sending routes to at once. */
const routedAtOnce = 8;

export interface Sending extends Calling {
  /** How long it may be answered. */
  readonly ttlSeconds: number;
  /** The same id for the same device is one sending, at our relay as at Noxy's. Default: a new one. */
  readonly decisionId?: string;
  /** Which of the devices that the relay names are sealed to. Default: all. */
  readonly isMeant?: (device: NoxyIdentityDevice) => boolean;
}

export interface Sender {
  devicesOf(identityId: string, calling: Calling): Promise<readonly NoxyIdentityDevice[]>;
  /** @throws the first device's error where no copy could be sealed and sent */
  send(identityId: string, actionable: unknown, sending: Sending): Promise<readonly NoxyDeliveryOutcome[]>;
}

export function newSender(transport: Transport): Sender {
  async function devicesOf(identityId: string, calling: Calling): Promise<readonly NoxyIdentityDevice[]> {
    checkText("getIdentityDevices", "identityId", identityId);
    const { devices } = await transport.call(
      agentService.getIdentityDevices,
      (requestId) => create(agent.GetIdentityDevicesRequestSchema, { requestId, identityId }),
      calling,
    );
    return devices.map(({ deviceId, publicKey, pqPublicKey }) => ({ deviceId, publicKey, pqPublicKey }));
  }

  async function route(
    device: NoxyIdentityDevice,
    decisionId: string,
    plaintext: Uint8Array,
    sending: Sending,
  ): Promise<NoxyDeliveryOutcome> {
    const { deviceId } = device;
    const sealed = await sealDecision(device.pqPublicKey, plaintext).catch((cause: Error) => {
      throw new ValidationError(`Nothing can be sealed to device ${deviceId}. ${cause.message}`, { cause });
    });
    const answer = await transport.call(
      agentService.routeDecision,
      (requestId) =>
        create(agent.RouteDecisionRequestSchema, {
          requestId,
          decisionId,
          targetDeviceId: deviceId,
          ttlSeconds: sending.ttlSeconds,
          kyberCt: sealed.kemCiphertext,
          nonce: sealed.nonce,
          ciphertext: sealed.ciphertext,
        }),
      sending,
    );
    const status = known(NoxyDeliveryStatus, answer.status, "delivery status");
    return { deviceId, status, requestId: answer.requestId, decisionId: answer.decisionId };
  }

  async function send(
    identityId: string,
    actionable: unknown,
    sending: Sending,
  ): Promise<readonly NoxyDeliveryOutcome[]> {
    const { decisionId = randomUUID(), isMeant = () => true } = sending;
    const plaintext = encodeDecision(actionable); // At once: what the caller changes later changes nothing.
    const devices = (await devicesOf(identityId, sending)).filter(isMeant);
    const deliveries = await inParallel(devices, async (device): Promise<NoxyDeliveryOutcome> => {
      const { deviceId } = device;
      try {
        const delivery = await route(device, decisionId, plaintext, sending);
        return accepted(delivery) ? { ...delivery, decisionId: delivery.decisionId || decisionId } : delivery;
      } catch (error) {
        sending.signal?.throwIfAborted();
        if (!isGuardError(error)) throw error;
        return { deviceId, status: NoxyDeliveryStatus.ERROR, requestId: "", decisionId: "", error };
      }
    });
    const failures = deliveries.flatMap(({ error }) => error ?? []);
    if (failures[0] && failures.length === deliveries.length) throw failures[0];
    return deliveries;
  }

  return { devicesOf, send };
}

/** Whether a device has it, or will have it when it comes back. */
export function accepted({ status }: NoxyDeliveryOutcome): boolean {
  return status === NoxyDeliveryStatus.DELIVERED || status === NoxyDeliveryStatus.QUEUED;
}

/** Why there is nothing to wait for. */
export function noDecision(identityId: string, deliveries: readonly NoxyDeliveryOutcome[]): string {
  if (deliveries.length === 0) {
    return `${identityId} has no device at the relay, so nobody was asked. Register one, under this very name.`;
  }
  const names = Object.entries(NoxyDeliveryStatus);
  const said = deliveries.map(({ deviceId, status }) => {
    const [name] = names.find(([, value]) => value === status) ?? [];
    return `${deviceId} ${name}`;
  });
  return `The relay gave the decision to none of the devices of ${identityId}, so nobody was asked: ${said.slice(0, 10).join(", ")}.`;
}

/** What `each` gives, in the items' order, for `routedAtOnce` of them at a time; the first rejection ends it. */
async function inParallel<T, R>(items: readonly T[], each: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const rest = items.entries(); // Shared: each worker takes the next one.
  const worker = async () => {
    for (const [at, item] of rest) results[at] = await each(item);
  };
  await Promise.all(Array.from({ length: routedAtOnce }, worker));
  return results;
}
