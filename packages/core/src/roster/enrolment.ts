/**
 * Enrolment: how a new device's keys get onto the roster without the relay being able to swap them.
 *
 * The inviter makes a 128-bit code that never reaches the relay. Both sides derive from it a token (so the
 * device may talk to the relay) and a key (so the inviter knows that whoever had the code sent these keys).
 */
import * as z from "zod/mini";
import { canonicalJson } from "../action/canonical.ts";
import { bytesSchema } from "../crypto/bytes-schema.ts";
import { base64url, equalBytes, fromBase64url, fromUtf8, randomBytes, utf8 } from "../crypto/encoding.ts";
import { digestOf, hkdf, hmacSha256 } from "../crypto/hash.ts";
import { type SigningKey, signingKeySchema } from "../crypto/signature.ts";
import {
  digestSchema,
  readBody,
  readSigned,
  type Signed,
  timeSchema,
  verifySigned,
} from "../crypto/signed.ts";
import { isGuardError, VerificationError } from "../errors.ts";
import { encryptionKeyLength } from "./entry.ts";

/** What the owner or an admin posts, signed: "a device of this identity may enrol with this token". */
export interface Invite {
  readonly type: "guard/v1/invite";
  readonly app: string;
  /** SHA-256 of the invitation's token; also the invitation's id. */
  readonly tokenHash: string;
  readonly identity: string;
  readonly expiresAt: number;
  readonly time: number;
  readonly by: string;
}

/** What the device posts, signed by its own key as proof of possession. */
export interface Enrolment {
  readonly type: "guard/v1/enrolment";
  readonly app: string;
  readonly identity: string;
  readonly expiresAt: number;
  readonly key: SigningKey;
  readonly encryptionKey: string;
  readonly name: string;
  readonly origin: string;
  /** SHA-256 of the token that the device made for itself. */
  readonly tokenHash: string;
  /** HMAC(code; all of the above). */
  readonly mac: string;
}

/** What an admin posts, signed: "this token is this agent's". */
export interface TokenGrant {
  readonly type: "guard/v1/token";
  readonly app: string;
  readonly agent: string;
  readonly tokenHash: string;
  readonly time: number;
  readonly by: string;
}

const inviteSchema: z.ZodMiniType<Invite> = z.strictObject({
  type: z.literal("guard/v1/invite"),
  app: digestSchema,
  tokenHash: digestSchema,
  identity: z.string(),
  expiresAt: timeSchema,
  time: timeSchema,
  by: z.string(),
});

const enrolmentSchema = z.strictObject({
  type: z.literal("guard/v1/enrolment"),
  app: digestSchema,
  identity: z.string(),
  expiresAt: timeSchema,
  key: signingKeySchema,
  encryptionKey: bytesSchema(encryptionKeyLength),
  name: z.string().check(z.minLength(1), z.maxLength(100)),
  origin: z.string().check(z.minLength(1), z.maxLength(300)),
  tokenHash: digestSchema,
  mac: bytesSchema(32),
}) as unknown as z.ZodMiniType<Enrolment>;

const tokenGrantSchema: z.ZodMiniType<TokenGrant> = z.strictObject({
  type: z.literal("guard/v1/token"),
  app: digestSchema,
  agent: z.string(),
  tokenHash: digestSchema,
  time: timeSchema,
  by: z.string(),
});

/** @throws VerificationError */
export const readInvite = (signed: Signed): Invite => readSigned(inviteSchema, "guard/v1/invite", signed);
/** @throws VerificationError */
export const readEnrolment = (signed: Signed): Enrolment =>
  readSigned(enrolmentSchema, "guard/v1/enrolment", signed);
/** @throws VerificationError */
export const readTokenGrant = (signed: Signed): TokenGrant =>
  readSigned(tokenGrantSchema, "guard/v1/token", signed);

/** How the relay keeps tokens: base64url of SHA-256 over their UTF-8. */
export function tokenHash(token: string): string {
  return digestOf(token);
}

/** A new token: 32 random bytes, base64url. */
export function newToken(): string {
  return base64url(randomBytes(32));
}

/** The secret of an invitation as it is passed to a person (link fragment, QR code, paste). */
export interface Invitation {
  readonly version: 1;
  /** Base URL of the relay. */
  readonly relay: string;
  /** The app id, which pins its first root key. */
  readonly app: string;
  readonly identity: string;
  readonly expiresAt: number;
  /** 16 random bytes, base64url. */
  readonly code: string;
}

const invitationSchema: z.ZodMiniType<Invitation & { type: "guard/v1/invitation" }> = z.strictObject({
  type: z.literal("guard/v1/invitation"),
  version: z.literal(1),
  relay: z.string(),
  app: digestSchema,
  identity: z.string(),
  expiresAt: timeSchema,
  code: bytesSchema(16),
});

export function newInvitationCode(): string {
  return base64url(randomBytes(16));
}

/** One pasteable word that holds an invitation. */
export function formatInvitation(invitation: Invitation): string {
  return `guard-invite-${base64url(utf8(canonicalJson({ type: "guard/v1/invitation", ...invitation })))}`;
}

/** @throws VerificationError with a message that says what to do. */
export function parseInvitation(text: string): Invitation {
  const match = /guard-invite-([A-Za-z0-9_-]+)/.exec(text);
  if (!match) throw new VerificationError('Not an invitation. Paste all of what "guard invite" printed.');
  try {
    const body = fromUtf8(fromBase64url(match[1] as string));
    const { type: _, ...invitation } = readBody(invitationSchema, "guard/v1/invitation", body);
    return invitation;
  } catch (cause) {
    if (!isGuardError(cause)) throw cause;
    throw new VerificationError(
      'The invitation is damaged or incomplete. Paste all of what "guard invite" printed.',
      { cause },
    );
  }
}

/** The token with which whoever has the code talks to the relay. */
export function invitationToken(code: string): string {
  return base64url(hkdf(fromBase64url(code, 16), "guard/v1/invite/token", 32));
}

/** HMAC over everything in an enrolment but the MAC itself, under a key derived from the code. */
export function enrolmentMac(code: string, enrolment: Omit<Enrolment, "mac">): string {
  const key = hkdf(fromBase64url(code, 16), "guard/v1/invite/mac", 32);
  return base64url(hmacSha256(key, utf8(canonicalJson(enrolment))));
}

/**
 * Checks what a device posted: the code's MAC, proof of possession, expiry and that it fits the invitation.
 * @throws VerificationError (enrolment-mitm)
 */
export async function verifyEnrolment(
  invitation: Invitation,
  signed: Signed,
  now: number,
): Promise<Enrolment> {
  const enrolment = readEnrolment(signed);
  const { mac, ...rest } = enrolment;
  const expected = enrolmentMac(invitation.code, rest);
  if (!equalBytes(fromBase64url(mac), fromBase64url(expected))) {
    throw new VerificationError(
      "The device's keys do not come from whoever has the invitation: they were changed on their way. Invite again.",
    );
  }
  for (const name of ["app", "identity", "expiresAt"] as const) {
    if (enrolment[name] !== invitation[name])
      throw new VerificationError(`The enrolment is for another ${name}.`);
  }
  if (now > invitation.expiresAt) throw new VerificationError("The invitation has expired. Invite again.");
  // A passkey's possession is shown by the MAC: its ceremony signs other bytes than these.
  if (enrolment.key.kind !== "webauthn" && !(await verifySigned(enrolment.key, signed))) {
    throw new VerificationError("The device did not show that it holds its key. Invite again.");
  }
  return enrolment;
}

/** What both people compare: 3 groups of 4 digits from the digest of the device's keys (about 40 bits). */
export function fingerprint(device: string): string {
  const bytes = fromBase64url(digestOf(device));
  const number = bytes.subarray(0, 6).reduce((sum, byte) => sum * 256 + byte, 0) % 1e12;
  return String(number)
    .padStart(12, "0")
    .replace(/(\d{4})(?=\d)/g, "$1 ");
}
