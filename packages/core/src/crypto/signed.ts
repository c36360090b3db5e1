/**
 * Signed objects: how everything that is signed travels. `body` is the canonical JSON text itself, so the
 * bytes that were signed are the bytes that are checked; `signature` is over its UTF-8.
 *
 * Guarantees of {@link readSigned}: the text is its own canonical form, `type` is checked before anything
 * else, unknown members are refused. It does not verify: {@link verifySigned} does, with a key that the
 * caller took from the roster.
 */
import * as z from "zod/mini";
import { canonicalJson, parseCanonical } from "../action/canonical.ts";
import { isGuardError, VerificationError } from "../errors.ts";
import { bytesSchema } from "./bytes-schema.ts";
import { utf8 } from "./encoding.ts";
import { digestOf } from "./hash.ts";
import {
  type Signature,
  type Signer,
  type SigningKey,
  signatureSchema,
  verifySignature,
} from "./signature.ts";

/** A signed object on the wire: canonical JSON text and the signature over it. */
export interface Signed {
  readonly body: string;
  readonly signature: Signature;
}

export const signedSchema = z.strictObject({ body: z.string(), signature: signatureSchema });

/** A SHA-256 digest: 43 characters of base64url. */
export const digestSchema = bytesSchema(32);
/** Milliseconds since 1970-01-01T00:00:00Z, an integer that a Date can hold (ECMA-262 §21.4.1.1): screens write it as a date. */
export const timeSchema = z.int().check(z.nonnegative(), z.lte(8.64e15));
/** A count or sequence number. */
export const countSchema = z.int().check(z.nonnegative());
/** A roster head: the last entry's sequence number and digest. */
export const headSchema = z.strictObject({ seq: countSchema, hash: digestSchema });
export type Head = { readonly seq: number; readonly hash: string };

type Body = { readonly type: string };

/** Signs `value`'s canonical form. */
export async function signObject<T extends Body>(signer: Signer, value: T): Promise<Signed> {
  const body = canonicalJson(value);
  return { body, signature: await signer.sign(utf8(body)) };
}

/** The id of a signed object: the digest of the object, not of its signature. */
export function idOf(signed: Signed): string {
  return digestOf(signed.body);
}

/**
 * Reads a signed object without verifying its signature.
 * @throws VerificationError where it is malformed, not canonical, of another type or has unknown members.
 */
export function readSigned<T extends Body>(schema: z.ZodMiniType<T>, type: T["type"], signed: Signed): T {
  return readBody(schema, type, signed.body);
}

/** {@link readSigned} for a canonical text that is not signed (papers, replies). */
export function readBody<T extends Body>(schema: z.ZodMiniType<T>, type: T["type"], text: string): T {
  let value: unknown;
  try {
    value = parseCanonical(text);
  } catch (cause) {
    if (!isGuardError(cause, "validation")) throw cause;
    throw new VerificationError(`A ${type} is malformed: ${cause.message}`, { cause });
  }
  const found = (value as { type?: unknown } | null)?.type;
  if (found !== type) {
    throw new VerificationError(
      `Expected a ${type}, got ${typeof found === "string" ? found.slice(0, 60) : "none"}.`,
    );
  }
  const parsed = z.safeParse(schema, value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const place = issue?.path.length ? ` at ${issue.path.join(".")}` : "";
    throw new VerificationError(`A ${type} is malformed${place}: ${issue?.message ?? "unknown shape"}.`);
  }
  return parsed.data;
}

/** Whether `signed` carries `key`'s signature. */
export function verifySigned(key: SigningKey, signed: Signed): Promise<boolean> {
  return verifySignature(key, utf8(signed.body), signed.signature);
}
