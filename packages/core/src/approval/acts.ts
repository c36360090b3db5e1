/**
 * The agent's signed acts on a request after it was asked (consume, report, cancel), and the relay's signed
 * receipt for a consume.
 */
import * as z from "zod/mini";
import { bytesSchema } from "../crypto/bytes-schema.ts";
import {
  countSchema,
  digestSchema,
  type Head,
  headSchema,
  readSigned,
  type Signed,
  timeSchema,
} from "../crypto/signed.ts";

/** "I am about to run this, as this attempt." Repeating an attempt returns the same receipt. */
export interface Consume {
  readonly type: "guard/v1/consume";
  readonly app: string;
  readonly request: string;
  readonly requestDigest: string;
  readonly effective: string;
  /** 16 random bytes for each process and call. */
  readonly attempt: string;
  /** Milliseconds after which an unreported run counts as unknown. */
  readonly executionTimeout: number;
  readonly roster: Head;
}

/** The relay's word that this attempt, and no other, may run. */
export interface Receipt {
  readonly type: "guard/v1/receipt";
  readonly app: string;
  readonly relay: string;
  readonly request: string;
  readonly requestDigest: string;
  readonly effective: string;
  readonly attempt: string;
  readonly roster: Head;
  readonly time: number;
}

/** How the run ended. `failed` means that the tool threw: it ran, and is not run again. */
export interface Report {
  readonly type: "guard/v1/report";
  readonly app: string;
  readonly request: string;
  readonly attempt: string;
  readonly status: "completed" | "failed";
  readonly time: number;
}

/** The agent withdraws a request that was not used. */
export interface Cancel {
  readonly type: "guard/v1/cancel";
  readonly app: string;
  readonly request: string;
  readonly time: number;
}

const consumeSchema: z.ZodMiniType<Consume> = z.strictObject({
  type: z.literal("guard/v1/consume"),
  app: digestSchema,
  request: digestSchema,
  requestDigest: digestSchema,
  effective: digestSchema,
  attempt: bytesSchema(16),
  executionTimeout: countSchema.check(z.gte(1000), z.lte(7 * 86_400_000)),
  roster: headSchema,
});

const receiptSchema: z.ZodMiniType<Receipt> = z.strictObject({
  type: z.literal("guard/v1/receipt"),
  app: digestSchema,
  relay: z.string(),
  request: digestSchema,
  requestDigest: digestSchema,
  effective: digestSchema,
  attempt: bytesSchema(16),
  roster: headSchema,
  time: timeSchema,
});

const reportSchema: z.ZodMiniType<Report> = z.strictObject({
  type: z.literal("guard/v1/report"),
  app: digestSchema,
  request: digestSchema,
  attempt: bytesSchema(16),
  status: z.enum(["completed", "failed"]),
  time: timeSchema,
});

const cancelSchema: z.ZodMiniType<Cancel> = z.strictObject({
  type: z.literal("guard/v1/cancel"),
  app: digestSchema,
  request: digestSchema,
  time: timeSchema,
});

/** @throws VerificationError */
export const readConsume = (signed: Signed): Consume => readSigned(consumeSchema, "guard/v1/consume", signed);
/** @throws VerificationError */
export const readReceipt = (signed: Signed): Receipt => readSigned(receiptSchema, "guard/v1/receipt", signed);
/** @throws VerificationError */
export const readReport = (signed: Signed): Report => readSigned(reportSchema, "guard/v1/report", signed);
/** @throws VerificationError */
export const readCancel = (signed: Signed): Cancel => readSigned(cancelSchema, "guard/v1/cancel", signed);
