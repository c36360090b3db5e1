/**
 * The request for an approval: the paper (what is asked, in full, sealed) and the header (what the relay may
 * see, signed by the agent). Paper and header must agree; the digests bind the one to the other.
 */
import * as z from "zod/mini";
import { canonicalJson, type Json, type JsonObject } from "../action/canonical.ts";
import { bytesSchema } from "../crypto/bytes-schema.ts";
import { digestOf } from "../crypto/hash.ts";
import {
  countSchema,
  digestSchema,
  type Head,
  headSchema,
  readBody,
  readSigned,
  type Signed,
  timeSchema,
} from "../crypto/signed.ts";
import { type Terms, termsSchema } from "./terms.ts";

export type Risk = "low" | "medium" | "high" | "critical";

/** What the application knows about an action beside its arguments. `title` and `summary` are the agent's words. */
export interface Facts {
  readonly risk?: Risk;
  readonly operation?: string;
  readonly sensitivity?: string;
  readonly systems?: readonly string[];
  readonly title?: string;
  readonly summary?: string;
  readonly metadata?: JsonObject;
}

/** What the agent is about to do. `args` is the snapshot; `schemaDigest` pins the tool as the model saw it. */
export interface Action {
  readonly tool: string;
  readonly args: Json;
  readonly schemaDigest: string | null;
}

const text = (length: number) => z.string().check(z.maxLength(length));
const json = z.unknown() as z.ZodMiniType<Json>;
// Not z.record, which leaves out a member called __proto__: what is signed has to be what is shown.
const jsonObject = z.unknown().check(
  z.refine((value) => typeof value === "object" && value !== null && !Array.isArray(value), {
    error: "an object",
  }),
) as unknown as z.ZodMiniType<JsonObject>;

export const factsSchema: z.ZodMiniType<Facts> = z.strictObject({
  risk: z.optional(z.enum(["low", "medium", "high", "critical"])),
  operation: z.optional(text(200)),
  sensitivity: z.optional(text(200)),
  systems: z.optional(z.array(text(200)).check(z.maxLength(50))),
  title: z.optional(text(300)),
  summary: z.optional(text(4000)),
  metadata: z.optional(jsonObject),
}) as unknown as z.ZodMiniType<Facts>;

/** The canonical plaintext of a request. */
export interface Paper {
  readonly type: "guard/v1/paper";
  /** 32 random bytes: two papers never have one digest. */
  readonly nonce: string;
  readonly action: Action;
  /** Makes digests unguessable for the relay; travels only sealed. */
  readonly salt: string;
  readonly facts: Facts;
  /** JSON Schema of the arguments, for editing; null where the tool has none. */
  readonly schema: Json;
  readonly callId: string | null;
  readonly session: string | null;
  readonly terms: Terms;
  readonly policy: { readonly version: string; readonly rule: string; readonly reasons: readonly string[] };
  readonly createdAt: number;
  /** Until when it may be answered. */
  readonly expiresAt: number;
  /** Until when an approval may be used. */
  readonly useBy: number;
  readonly round: number;
  /** The request that this one replaces; null in round 0. */
  readonly supersedes: string | null;
  readonly roster: Head;
}

const actionSchema = z.strictObject({
  tool: text(200).check(z.minLength(1)),
  args: json,
  schemaDigest: z.nullable(digestSchema),
});

const paperSchema = z.strictObject({
  type: z.literal("guard/v1/paper"),
  nonce: bytesSchema(32),
  action: actionSchema,
  salt: bytesSchema(32),
  facts: factsSchema,
  schema: json,
  callId: z.nullable(text(500)),
  session: z.nullable(text(500)),
  terms: termsSchema,
  policy: z.strictObject({
    version: text(100),
    rule: text(500),
    reasons: z.array(text(1000)).check(z.maxLength(20)),
  }),
  createdAt: timeSchema,
  expiresAt: timeSchema,
  useBy: timeSchema,
  round: countSchema,
  supersedes: z.nullable(digestSchema),
  roster: headSchema,
}) as unknown as z.ZodMiniType<Paper>;

/** What the relay sees of a request, signed by the agent. */
export interface Header {
  readonly type: "guard/v1/request";
  readonly app: string;
  readonly agent: string;
  /** HMAC of the caller's idempotency key: the relay joins duplicates on it without learning the key. */
  readonly keyId: string;
  readonly round: number;
  /** The request id: HMAC(agent secret; key id, round). */
  readonly request: string;
  readonly nonce: string;
  /** SHA-256 of the paper. */
  readonly requestDigest: string;
  readonly actionDigest: string;
  readonly terms: Terms;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly useBy: number;
  readonly ciphertextHash: string;
  readonly recipients: readonly { readonly device: string; readonly wrapHash: string }[];
}

export const headerSchema = z
  .strictObject({
    type: z.literal("guard/v1/request"),
    app: digestSchema,
    agent: text(100).check(z.minLength(1)),
    keyId: digestSchema,
    round: countSchema,
    request: digestSchema,
    nonce: bytesSchema(32),
    requestDigest: digestSchema,
    actionDigest: digestSchema,
    terms: termsSchema,
    createdAt: timeSchema,
    expiresAt: timeSchema,
    useBy: timeSchema,
    ciphertextHash: digestSchema,
    recipients: z
      .array(z.strictObject({ device: digestSchema, wrapHash: digestSchema }))
      .check(z.maxLength(200)),
  })
  .check(
    z.refine((h) => h.recipients.length > 0 || h.terms.unsigned !== undefined, {
      error: "it is sealed to nobody",
    }),
    z.refine((h) => h.createdAt < h.expiresAt && h.expiresAt <= h.useBy, {
      error: "createdAt, expiresAt and useBy are out of order",
    }),
    z.refine((h) => new Set(h.recipients.map((r) => r.device)).size === h.recipients.length, {
      error: "a device is named twice",
    }),
  ) as unknown as z.ZodMiniType<Header>;

/** What goes to the relay besides the header: one ciphertext, and its content key wrapped for each device. */
export interface Envelope {
  /** base64url of AES-256-GCM output. */
  readonly ciphertext: string;
  readonly wraps: readonly { readonly device: string; readonly enc: string; readonly ciphertext: string }[];
}

/** Salted digest of an action: what approvers sign for. */
export function actionDigest(app: string, agent: string, action: Action, salt: string): string {
  const { tool, args, schemaDigest } = action;
  return digestOf(canonicalJson({ type: "guard/v1/action", app, agent, tool, schemaDigest, args, salt }));
}

/** Digest of a tool as the model saw it: name, description and input JSON Schema. */
export function schemaDigest(tool: { name: string; description: string | null; inputSchema: Json }): string {
  const { name, description, inputSchema } = tool;
  return digestOf(canonicalJson({ name, description, inputSchema }));
}

/** Parses a paper's canonical text. @throws VerificationError */
export function readPaper(text: string): Paper {
  return readBody(paperSchema, "guard/v1/paper", text);
}

/** Reads a header; its signature has to be checked with the agent's key. @throws VerificationError */
export function readHeader(signed: Signed): Header {
  return readSigned(headerSchema, "guard/v1/request", signed);
}

/**
 * Where paper and header disagree, or null where they agree. A device shows nothing and an agent runs nothing
 * for a request whose halves disagree.
 */
export function disagreement(paper: Paper, paperText: string, header: Header): string | null {
  const same = (a: unknown, b: unknown) => canonicalJson(a) === canonicalJson(b);
  if (digestOf(paperText) !== header.requestDigest) return "requestDigest";
  if (actionDigest(header.app, header.agent, paper.action, paper.salt) !== header.actionDigest)
    return "actionDigest";
  if (paper.nonce !== header.nonce) return "nonce";
  if (!same(paper.terms, header.terms)) return "terms";
  for (const name of ["round", "createdAt", "expiresAt", "useBy"] as const) {
    if (paper[name] !== header[name]) return name;
  }
  return null;
}
