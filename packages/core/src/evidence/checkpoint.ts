/**
 * A checkpoint: the agent's signature over one event of its chain, and so over all events up to it. What a
 * checkpoint covers cannot be changed, left out or cut off without the agent's key.
 */
import * as z from "zod/mini";
import { parseCanonical } from "../action/canonical.ts";
import { bytesSchema } from "../crypto/bytes-schema.ts";
import {
  countSchema,
  digestSchema,
  type Head,
  headSchema,
  readSigned,
  type Signed,
  signedSchema,
  timeSchema,
} from "../crypto/signed.ts";
import { VerificationError } from "../errors.ts";
import { checkpointPayloadSchema } from "./payloads.ts";

export interface Checkpoint {
  readonly type: "guard/v1/checkpoint";
  readonly app: string;
  readonly agent: string;
  /** Id of the chain: base64url of 16 random bytes. */
  readonly chain: string;
  /** The event that it covers; null in a chain's first event, which covers nothing. */
  readonly seq: number | null;
  /** That event's hash, 64 hex digits; null with `seq`. */
  readonly hash: string | null;
  readonly roster: Head;
  readonly time: number;
}

const checkpointSchema: z.ZodMiniType<Checkpoint> = z
  .strictObject({
    type: z.literal("guard/v1/checkpoint"),
    app: digestSchema,
    agent: z.string().check(z.minLength(1)),
    chain: bytesSchema(16),
    seq: z.nullable(countSchema),
    hash: z.nullable(z.string().check(z.regex(/^[0-9a-f]{64}$/, "64 hex digits"))),
    roster: headSchema,
    time: timeSchema,
  })
  .check(z.refine((c) => (c.seq === null) === (c.hash === null), { error: "seq and hash come together" }));

/** Reads a checkpoint without verifying its signature. @throws VerificationError */
export const readCheckpoint = (signed: Signed): Checkpoint =>
  readSigned(checkpointSchema, "guard/v1/checkpoint", signed);

/** The checkpoint that a CHECKPOINT_CREATED event holds. @throws VerificationError */
export function checkpointOf(payload: unknown): Signed {
  const parsed = z.safeParse(checkpointPayloadSchema, payload);
  if (!parsed.success) throw new VerificationError("A CHECKPOINT_CREATED event holds no signed checkpoint.");
  return parsed.data.checkpoint;
}

/** Reads a checkpoint that was kept as text: canonical JSON of a signed object. @throws VerificationError */
export function parseCheckpoint(text: string): Signed {
  let value: unknown;
  try {
    value = parseCanonical(text.trimEnd());
  } catch (cause) {
    throw new VerificationError("The kept checkpoint is damaged: it is not canonical JSON.", { cause });
  }
  const parsed = z.safeParse(signedSchema, value);
  if (!parsed.success)
    throw new VerificationError("The kept checkpoint is damaged: it is not a signed object.");
  return parsed.data;
}
