/** What the relay says, under the names and with the numbers of Noxy's SDKs. */
import { type GuardError, VerificationError } from "@guard/core";

/** Whom to ask: wallet (0x…), email, phone number, user id; whatever the devices registered with. */
export type NoxyIdentityId = string;

/** What became of one device's copy. */
export const NoxyDeliveryStatus = { DELIVERED: 0, QUEUED: 1, NO_DEVICES: 2, REJECTED: 3, ERROR: 4 } as const;
export type NoxyDeliveryStatus = (typeof NoxyDeliveryStatus)[keyof typeof NoxyDeliveryStatus];

/** What the person said. Only `APPROVED` lets anything go on. */
export const NoxyHumanDecisionOutcome = { PENDING: 0, APPROVED: 1, REJECTED: 2, EXPIRED: 3 } as const;
export type NoxyHumanDecisionOutcome =
  (typeof NoxyHumanDecisionOutcome)[keyof typeof NoxyHumanDecisionOutcome];

export const NoxyQuotaStatus = { QUOTA_ACTIVE: 0, QUOTA_SUSPENDED: 1, QUOTA_DELETED: 2 } as const;
export type NoxyQuotaStatus = (typeof NoxyQuotaStatus)[keyof typeof NoxyQuotaStatus];

export interface NoxyDeliveryOutcome {
  readonly deviceId: string;
  readonly status: NoxyDeliveryStatus;
  /** Empty where the relay never answered. */
  readonly requestId: string;
  /** What to wait for; empty where the relay did not take the decision for this device. */
  readonly decisionId: string;
  /** With the status `ERROR`: why this device's copy could not be sealed or sent. */
  readonly error?: GuardError;
}

export interface NoxyGetDecisionOutcomeResponse {
  readonly requestId: string;
  /** Whether an answer may still come. */
  readonly pending: boolean;
  readonly outcome: NoxyHumanDecisionOutcome;
}

export interface NoxyGetQuotaResponse {
  readonly requestId: string;
  readonly appName: string;
  /** Decisions a month; rounded past 2^53. */
  readonly quotaTotal: number;
  readonly quotaRemaining: number;
  readonly status: NoxyQuotaStatus;
}

export interface NoxyIdentityDevice {
  readonly deviceId: string;
  /** Ed25519, 32 bytes; nothing is sealed to it. */
  readonly publicKey: Uint8Array;
  /** ML-KEM-768, 1184 bytes: what decisions are sealed to. */
  readonly pqPublicKey: Uint8Array;
}

/** Whether the person's word is final: approved, rejected or expired. */
export function isTerminalHumanOutcome(outcome: number): boolean {
  return (
    outcome === NoxyHumanDecisionOutcome.APPROVED ||
    outcome === NoxyHumanDecisionOutcome.REJECTED ||
    outcome === NoxyHumanDecisionOutcome.EXPIRED
  );
}

/** The number as one of those that the wire has. @throws VerificationError: a later meaning is nothing to guess at */
export function known<T extends number>(values: Readonly<Record<string, T>>, value: number, what: string): T {
  const found = Object.values(values).find((other) => other === value);
  if (found !== undefined) return found;
  throw new VerificationError(
    `The relay answered with the ${what} ${value}, which this version does not know. It counts as no approval.`,
  );
}
