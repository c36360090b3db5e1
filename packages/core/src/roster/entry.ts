/**
 * The entries of a roster: who may do what in one app, each signed by the root or an admin and linked to the
 * entry before it. This file says what they look like; roster.ts says who may sign what and what follows.
 */
import * as z from "zod/mini";
import { bytesSchema } from "../crypto/bytes-schema.ts";
import { type SigningKey, signingKeySchema } from "../crypto/signature.ts";
import { countSchema, digestSchema, readSigned, type Signed, timeSchema } from "../crypto/signed.ts";

/** Length in bytes of a public encryption key: ML-KEM-768 (1184) and X25519 (32). */
export const encryptionKeyLength = 1216;
/** Length in bytes of a public ML-KEM-768 key (FIPS 203, table 3). */
export const kemKeyLength = 1184;

interface Link {
  readonly type: "guard/v1/roster";
  /** SHA-256 of the app's first root key; see {@link appOf}. */
  readonly app: string;
  readonly seq: number;
  /** Digest of the entry before; null for the first. */
  readonly prev: string | null;
  readonly time: number;
  /** Who signs: `root`, or the name of an admin. */
  readonly by: string;
}

/** What an entry says. Keys are base64url; `name`s are for people. */
export type Change =
  /** First entry: the app's root key. Later: rotation; `possession` is the new key's signature over {@link possessionText}. */
  | { readonly kind: "root"; readonly key: SigningKey; readonly possession: string }
  | { readonly kind: "admin"; readonly admin: string; readonly key: SigningKey }
  | { readonly kind: "identity"; readonly identity: string }
  | {
      readonly kind: "agent";
      readonly agent: string;
      readonly key: SigningKey;
      readonly encryptionKey: string;
    }
  | { readonly kind: "relay"; readonly relay: string; readonly key: SigningKey }
  | {
      readonly kind: "device";
      readonly device: string;
      readonly identity: string;
      readonly key: SigningKey;
      readonly encryptionKey: string;
      readonly name: string;
      /** `terminal`, or the origin of the page on which it decides. */
      readonly origin: string;
    }
  /** A device of another system, confirmed by the owner: agents may ask on it, and it signs nothing that counts. */
  | {
      readonly kind: "foreign";
      readonly device: string;
      readonly identity: string;
      readonly wire: ForeignWire;
      /** Ed25519, 32 bytes. */
      readonly publicKey: string;
      /** ML-KEM-768, 1184 bytes: what is sealed to it is sealed to this. */
      readonly kemKey: string;
      readonly name: string;
    }
  | { readonly kind: "revoke"; readonly target: Target; readonly reason: string | null }
  | { readonly kind: "suspend"; readonly agent: string; readonly reason: string | null }
  | { readonly kind: "lift"; readonly agent: string }
  | { readonly kind: "renew" };

/** The systems whose devices can be on a roster. */
export type ForeignWire = "noxy";

/** What can be revoked, for good. */
export interface Target {
  readonly kind: "admin" | "identity" | "agent" | "relay" | "device" | "foreign";
  readonly id: string;
}

export type RosterEntry = Link & { readonly change: Change };

const text = (length: number) => z.string().check(z.minLength(1), z.maxLength(length));
const name = z
  .string()
  .check(z.regex(/^[a-z0-9][a-z0-9._-]{0,62}$/i, "1 to 63 letters, digits, dots, dashes"));
const softwareKey = signingKeySchema.check(
  z.refine((key) => key.kind !== "webauthn", { error: "a passkey can only be a device's key" }),
);

const changeSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("root"), key: softwareKey, possession: bytesSchema(64) }),
  z.strictObject({ kind: z.literal("admin"), admin: name, key: softwareKey }),
  z.strictObject({ kind: z.literal("identity"), identity: text(320) }),
  z.strictObject({
    kind: z.literal("agent"),
    agent: name,
    key: softwareKey,
    encryptionKey: bytesSchema(encryptionKeyLength),
  }),
  z.strictObject({ kind: z.literal("relay"), relay: name, key: softwareKey }),
  z.strictObject({
    kind: z.literal("device"),
    device: digestSchema,
    identity: text(320),
    key: signingKeySchema,
    encryptionKey: bytesSchema(encryptionKeyLength),
    name: text(100),
    origin: text(300),
  }),
  z.strictObject({
    kind: z.literal("foreign"),
    device: digestSchema,
    identity: text(320),
    wire: z.literal("noxy"),
    publicKey: bytesSchema(32),
    kemKey: bytesSchema(kemKeyLength),
    name: text(100),
  }),
  z.strictObject({
    kind: z.literal("revoke"),
    target: z.strictObject({
      kind: z.enum(["admin", "identity", "agent", "relay", "device", "foreign"]),
      id: text(320),
    }),
    reason: z.nullable(text(500)),
  }),
  z.strictObject({ kind: z.literal("suspend"), agent: name, reason: z.nullable(text(500)) }),
  z.strictObject({ kind: z.literal("lift"), agent: name }),
  z.strictObject({ kind: z.literal("renew") }),
]);

const entrySchema = z.strictObject({
  type: z.literal("guard/v1/roster"),
  app: digestSchema,
  seq: countSchema,
  prev: z.nullable(digestSchema),
  time: timeSchema,
  by: name,
  change: changeSchema,
}) as unknown as z.ZodMiniType<RosterEntry>;

/** Reads an entry without judging it. @throws VerificationError */
export function readEntry(signed: Signed): RosterEntry {
  return readSigned(entrySchema, "guard/v1/roster", signed);
}
