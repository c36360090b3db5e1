/**
 * A statement: one device's signed answer to one request. It names the digests of exactly what was shown, so
 * it cannot be moved to another request, another action or another reply.
 */
import * as z from "zod/mini";
import type { Json } from "../action/canonical.ts";
import {
  digestSchema,
  type Head,
  headSchema,
  readBody,
  readSigned,
  type Signed,
  timeSchema,
} from "../crypto/signed.ts";
import type { ForeignWire } from "../roster/entry.ts";

export interface Statement {
  readonly type: "guard/v1/statement";
  readonly app: string;
  readonly request: string;
  readonly requestDigest: string;
  readonly actionDigest: string;
  /** Digest of the action that may run: the asked one, or the edited one. */
  readonly effective: string;
  readonly decision: "approve" | "reject";
  /** SHA-256 of the sealed reply (reason, edited arguments), or null where there is none. */
  readonly response: string | null;
  readonly identity: string;
  readonly device: string;
  /** The roster head that the device knew. */
  readonly roster: Head;
  readonly time: number;
}

const statementSchema = z.strictObject({
  type: z.literal("guard/v1/statement"),
  app: digestSchema,
  request: digestSchema,
  requestDigest: digestSchema,
  actionDigest: digestSchema,
  effective: digestSchema,
  decision: z.enum(["approve", "reject"]),
  response: z.nullable(digestSchema),
  identity: z.string(),
  device: digestSchema,
  roster: headSchema,
  time: timeSchema,
}) as unknown as z.ZodMiniType<Statement>;

/** Reads a statement; its signature is checked by {@link verifyStatement}. @throws VerificationError */
export function readStatement(signed: Signed): Statement {
  return readSigned(statementSchema, "guard/v1/statement", signed);
}

/**
 * An answer that somebody gave over another system's wire, as that system's relay told it. Nobody signed it but the agent
 * that asked, which writes down what it heard; it counts only where the request's terms accept that wire.
 */
export interface UnsignedAnswer {
  readonly type: "guard/v1/unsigned";
  readonly app: string;
  readonly request: string;
  readonly requestDigest: string;
  readonly actionDigest: string;
  /** The asked action: nothing can be edited over such a wire. */
  readonly effective: string;
  readonly decision: "approve" | "reject";
  readonly response: null;
  readonly identity: string;
  readonly wire: ForeignWire;
  /** What the wire calls the question. */
  readonly reference: string;
  /** The roster head that the agent knew. */
  readonly roster: Head;
  readonly time: number;
}

const unsignedSchema = z.strictObject({
  type: z.literal("guard/v1/unsigned"),
  app: digestSchema,
  request: digestSchema,
  requestDigest: digestSchema,
  actionDigest: digestSchema,
  effective: digestSchema,
  decision: z.enum(["approve", "reject"]),
  response: z.null(),
  identity: z.string(),
  wire: z.literal("noxy"),
  reference: z.string().check(z.minLength(1), z.maxLength(200)),
  roster: headSchema,
  time: timeSchema,
}) as unknown as z.ZodMiniType<UnsignedAnswer>;

/** @throws VerificationError */
export function readUnsigned(signed: Signed): UnsignedAnswer {
  return readSigned(unsignedSchema, "guard/v1/unsigned", signed);
}

/** What is counted: a device's own statement, or what an agent was told over another system's wire. */
export type Answered = Statement | UnsignedAnswer;

/** @throws VerificationError */
export function readAnswer(signed: Signed): Answered {
  // Only where to look: whichever reader it is judges all of it.
  return signed.body.includes('"type":"guard/v1/unsigned"') ? readUnsigned(signed) : readStatement(signed);
}

/** What an approver adds, sealed to the agent. */
export interface Reply {
  readonly type: "guard/v1/reply";
  readonly request: string;
  readonly reason: string | null;
  /** Present where the approver edited: the arguments that may run instead. */
  readonly edit: { readonly args: Json } | null;
}

const replySchema = z.strictObject({
  type: z.literal("guard/v1/reply"),
  request: digestSchema,
  reason: z.nullable(z.string().check(z.maxLength(4000))),
  edit: z.nullable(z.strictObject({ args: z.unknown() as z.ZodMiniType<Json> })),
}) as unknown as z.ZodMiniType<Reply>;

/** Parses a reply's canonical text. @throws VerificationError */
export function readReply(text: string): Reply {
  return readBody(replySchema, "guard/v1/reply", text);
}

/** A sealed reply on the wire; both members are base64url. */
export interface SealedReply {
  readonly enc: string;
  readonly ciphertext: string;
}

export const sealedReplySchema = z.strictObject({
  enc: z.string().check(z.maxLength(2000)),
  ciphertext: z.string(),
});

/** A statement with the sealed reply that it signs for, as the relay passes them on. */
export interface Answer {
  /** A {@link Statement}, or an {@link UnsignedAnswer}. */
  readonly statement: Signed;
  readonly reply: SealedReply | null;
}
