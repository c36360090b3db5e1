/**
 * The client of a Noxy relay, ours or Noxy's own, under the names of Noxy's SDKs. Guarantees: the relay sees ciphertext
 * only; one decision id for all devices of one sending; an outcome that the wire does not know is an error and never an
 * approval. What it cannot guarantee: outcomes on this wire are unsigned, the relay's word is all there is.
 */
import { create } from "@bufbuild/protobuf";
import { agent, agentService } from "@guard/wires/noxy";
import { SendDecisionAndWaitNoDecisionIdError } from "./errors.ts";
import { newListener } from "./listen.ts";
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
import { accepted, newSender, noDecision } from "./send.ts";
import { openTransport } from "./transport.ts";
import {
  known,
  type NoxyDeliveryOutcome,
  type NoxyGetDecisionOutcomeResponse,
  type NoxyGetQuotaResponse,
  type NoxyIdentityDevice,
  type NoxyIdentityId,
  NoxyQuotaStatus,
} from "./types.ts";

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
  const { devicesOf, send } = newSender(transport);

  const ttlSeconds = config.decisionTtlSeconds;
  const { outcomeOf, waitFor } = newListener(transport);

  async function wait(
    options: WaitForDecisionOutcomeOptions,
    answered: boolean,
  ): Promise<NoxyGetDecisionOutcomeResponse> {
    const checked = checkWait("waitForDecisionOutcome", options, ["decisionId", "identityId"]);
    const { decisionId, identityId } = options;
    return waitFor({ ...checked, decisionId, identityId, answered });
  }

  return {
    async sendDecision(identityId, actionable, options = {}) {
      checkCall("sendDecision", options);
      return send(identityId, actionable, { ...options, ttlSeconds });
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
      const deliveries = await send(identityId, actionable, { signal: options.signal, ttlSeconds });
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
