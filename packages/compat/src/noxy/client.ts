/**
 * The client of a Noxy relay, ours or Noxy's own, under the names of Noxy's SDKs. Guarantees: the relay sees ciphertext
 * only; one decision id for all devices of one sending; an outcome that the wire does not know is an error and never an
 * approval. What it cannot guarantee: outcomes on this wire are unsigned, the relay's word is all there is.
 */
import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { isGuardError, ValidationError, VerificationError } from "@guard/core";
import { agent, agentService } from "@guard/wires/noxy";
import { sealDecision } from "./crypto.ts";
import { SendDecisionAndWaitNoDecisionIdError } from "./errors.ts";
import { encodeDecision } from "./json.ts";
import {
  type CallOptions,
  checkCall,
  checkConfig,
  checkText,
  checkWait,
  type NoxyConfig,
  type SendDecisionAndWaitOptions,
  type WaitForDecisionOutcomeOptions,
} from "./options.ts";
import { type Asking, pollLoop } from "./poll.ts";
import { type Calling, openTransport } from "./transport.ts";
import {
  type NoxyDeliveryOutcome,
  NoxyDeliveryStatus,
  type NoxyGetDecisionOutcomeResponse,
  type NoxyGetQuotaResponse,
  NoxyHumanDecisionOutcome,
  type NoxyIdentityDevice,
  type NoxyIdentityId,
  NoxyQuotaStatus,
} from "./types.ts";

/** Devices that one sending routes to at once. */
const routedAtOnce = 8;
/** For how long our relay holds a question, in milliseconds: below what proxies allow a silent call. */
const longestHold = 55_000;

export interface NoxyAgentClient {
  /**
   * Seals `actionable` (anything that JSON can say; BigInts keep their digits) to each device of the identity and
   * routes it, several devices at a time. A device that cannot be reached has the status `ERROR` and an `error`.
   *
   * @returns what became of each device's copy, in the relay's order; empty where the identity has no device
   * @throws the first device's error where no copy could be sealed and sent
   */
  sendDecision(
    identityId: NoxyIdentityId,
    actionable: unknown,
    options?: CallOptions,
  ): Promise<readonly NoxyDeliveryOutcome[]>;
  /** What the person has said so far. */
  getDecisionOutcome(
    decisionId: string,
    identityId: NoxyIdentityId,
    options?: CallOptions,
  ): Promise<NoxyGetDecisionOutcomeResponse>;
  /**
   * Waits until the person has answered or the decision has expired. Noxy's relay is asked again and again; ours holds
   * the question and answers when the person does.
   *
   * @throws WaitForDecisionOutcomeTimeoutError after `maxWaitMs`
   */
  waitForDecisionOutcome(options: WaitForDecisionOutcomeOptions): Promise<NoxyGetDecisionOutcomeResponse>;
  /**
   * Both in one: sends, then waits.
   *
   * @throws SendDecisionAndWaitNoDecisionIdError where no device got it; WaitForDecisionOutcomeTimeoutError after `maxWaitMs`
   */
  sendDecisionAndWaitForOutcome(
    identityId: NoxyIdentityId,
    actionable: unknown,
    options?: SendDecisionAndWaitOptions,
  ): Promise<NoxyGetDecisionOutcomeResponse>;
  getQuota(options?: CallOptions): Promise<NoxyGetQuotaResponse>;
  getIdentityDevices(
    identityId: NoxyIdentityId,
    options?: CallOptions,
  ): Promise<readonly NoxyIdentityDevice[]>;
  /** Ends what is under way, and the connection. */
  close(): void;
  [Symbol.dispose](): void;
}

/**
 * Makes a client. It connects with its first call.
 *
 * @throws ConfigurationError where an option is missing, unknown or impossible
 */
export function initNoxyAgentClient(config: NoxyConfig): NoxyAgentClient {
  checkConfig(config);
  const transport = openTransport(config);

  async function devicesOf(identityId: string, calling: Calling): Promise<readonly NoxyIdentityDevice[]> {
    checkText("getIdentityDevices", "identityId", identityId);
    const { devices } = await transport.call(
      agentService.getIdentityDevices,
      (requestId) => create(agent.GetIdentityDevicesRequestSchema, { requestId, identityId }),
      calling,
    );
    return devices.map(({ deviceId, publicKey, pqPublicKey }) => ({ deviceId, publicKey, pqPublicKey }));
  }

  async function outcomeOf(
    decisionId: string,
    identityId: string,
    calling: Calling,
  ): Promise<NoxyGetDecisionOutcomeResponse> {
    const { requestId, pending, outcome } = await transport.call(
      agentService.getDecisionOutcome,
      (requestId) => create(agent.GetDecisionOutcomeRequestSchema, { requestId, decisionId, identityId }),
      calling,
    );
    return { requestId, pending, outcome: known(NoxyHumanDecisionOutcome, outcome, "outcome") };
  }

  async function route(
    device: NoxyIdentityDevice,
    decisionId: string,
    plaintext: Uint8Array,
    calling: Calling,
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
          ttlSeconds: config.decisionTtlSeconds,
          kyberCt: sealed.kemCiphertext,
          nonce: sealed.nonce,
          ciphertext: sealed.ciphertext,
        }),
      calling,
    );
    const status = known(NoxyDeliveryStatus, answer.status, "delivery status");
    return { deviceId, status, requestId: answer.requestId, decisionId: answer.decisionId };
  }

  async function send(
    identityId: string,
    actionable: unknown,
    calling: Calling,
  ): Promise<readonly NoxyDeliveryOutcome[]> {
    const plaintext = encodeDecision(actionable); // At once: what the caller changes later changes nothing.
    const devices = await devicesOf(identityId, calling);
    const decisionId = randomUUID();
    const deliveries = await inParallel(devices, async (device): Promise<NoxyDeliveryOutcome> => {
      const { deviceId } = device;
      try {
        const delivery = await route(device, decisionId, plaintext, calling);
        return accepted(delivery) ? { ...delivery, decisionId: delivery.decisionId || decisionId } : delivery;
      } catch (error) {
        calling.signal?.throwIfAborted();
        if (!isGuardError(error)) throw error;
        return { deviceId, status: NoxyDeliveryStatus.ERROR, requestId: "", decisionId: "", error };
      }
    });
    const failures = deliveries.flatMap(({ error }) => error ?? []);
    if (failures[0] && failures.length === deliveries.length) throw failures[0];
    return deliveries;
  }

  async function wait(
    options: WaitForDecisionOutcomeOptions,
    answered: boolean,
  ): Promise<NoxyGetDecisionOutcomeResponse> {
    const checked = checkWait("waitForDecisionOutcome", options, ["decisionId", "identityId"]);
    const { decisionId, identityId } = options;
    const signal = transport.ending(options.signal);
    const ask = ({ left }: Asking) =>
      outcomeOf(decisionId, identityId, {
        signal,
        hold: transport.holds() ? Math.min(longestHold, Math.floor(left)) : 0,
      });
    return pollLoop(ask, { ...checked, decisionId, signal, answered, holds: transport.holds });
  }

  return {
    async sendDecision(identityId, actionable, options = {}) {
      checkCall("sendDecision", options);
      return send(identityId, actionable, options);
    },
    async getDecisionOutcome(decisionId, identityId, options = {}) {
      checkText("getDecisionOutcome", "decisionId", decisionId);
      checkText("getDecisionOutcome", "identityId", identityId);
      checkCall("getDecisionOutcome", options);
      return outcomeOf(decisionId, identityId, options);
    },
    waitForDecisionOutcome: (options) => wait(options, false),
    async sendDecisionAndWaitForOutcome(identityId, actionable, options = {}) {
      checkWait("sendDecisionAndWaitForOutcome", options);
      const deliveries = await send(identityId, actionable, { signal: options.signal });
      const delivery = deliveries.find(accepted);
      if (delivery) return wait({ ...options, decisionId: delivery.decisionId, identityId }, true);
      throw new SendDecisionAndWaitNoDecisionIdError(noDecision(identityId, deliveries), {
        identities: [identityId],
        deliveries,
      });
    },
    async getQuota(options = {}) {
      checkCall("getQuota", options);
      const quota = await transport.call(
        agentService.getQuota,
        (requestId) => create(agent.GetQuotaRequestSchema, { requestId }),
        options,
      );
      return {
        requestId: quota.requestId,
        appName: quota.appName,
        quotaTotal: Number(quota.quotaTotal),
        quotaRemaining: Number(quota.quotaRemaining),
        status: known(NoxyQuotaStatus, quota.status, "quota status"),
      };
    },
    async getIdentityDevices(identityId, options = {}) {
      checkCall("getIdentityDevices", options);
      return devicesOf(identityId, options);
    },
    close: transport.close,
    [Symbol.dispose]: transport.close,
  };
}

/** Whether a device has it, or will have it when it comes back. */
function accepted({ status }: NoxyDeliveryOutcome): boolean {
  return status === NoxyDeliveryStatus.DELIVERED || status === NoxyDeliveryStatus.QUEUED;
}

/** The number as one of those that the wire has. @throws VerificationError: a later meaning is nothing to guess at */
function known<T extends number>(values: Readonly<Record<string, T>>, value: number, what: string): T {
  const found = Object.values(values).find((other) => other === value);
  if (found !== undefined) return found;
  throw new VerificationError(
    `The relay answered with the ${what} ${value}, which this version does not know. It counts as no approval.`,
  );
}

function noDecision(identityId: string, deliveries: readonly NoxyDeliveryOutcome[]): string {
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
