/**
 * `@guard/compat/noxy`: Noxy's agent SDK for our relay and for Noxy's own. Outcomes on this wire are unsigned: they are
 * what the relay says. For approvals that are proven, use `createGuard` of `@guard/core`.
 */
export { initNoxyAgentClient, type NoxyAgentClient } from "./client.ts";
export { openDecision, type SealedDecision, type SealingOptions, sealDecision } from "./crypto.ts";
export { SendDecisionAndWaitNoDecisionIdError, WaitForDecisionOutcomeTimeoutError } from "./errors.ts";
export { guardBridge } from "./guard-bridge.ts";
export { type NoxyRelayOptions, noxyRelay } from "./guard-relay.ts";
export { decodeDecision, encodeDecision } from "./json.ts";
export type {
  CallOptions,
  NoxyConfig,
  SendDecisionAndWaitOptions,
  WaitForDecisionOutcomeOptions,
} from "./options.ts";
export { type Asking, type FetchOutcome, pollDecisionOutcomeLoop } from "./poll.ts";
export {
  isTerminalHumanOutcome,
  type NoxyDeliveryOutcome,
  NoxyDeliveryStatus,
  type NoxyGetDecisionOutcomeResponse,
  type NoxyGetQuotaResponse,
  NoxyHumanDecisionOutcome,
  type NoxyIdentityDevice,
  type NoxyIdentityId,
  NoxyQuotaStatus,
} from "./types.ts";
