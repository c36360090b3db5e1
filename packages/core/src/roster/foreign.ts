/**
 * Another system's wire, switched on for one app: what its owner signs for the relay. The relay judges what comes over
 * that wire, so it has the app's secret there; no statement, roster entry or receipt is made with it.
 */
import * as z from "zod/mini";
import { bytesSchema } from "../crypto/bytes-schema.ts";
import { countSchema, digestSchema, readSigned, type Signed, timeSchema } from "../crypto/signed.ts";
import { type ForeignWire, kemKeyLength } from "./entry.ts";

export interface ForeignApp {
  readonly type: "guard/v1/foreign-app";
  readonly app: string;
  readonly wire: ForeignWire;
  /** As its clients show it. */
  readonly name: string;
  /** What registering devices prove that they know; null where the owner confirms each one. */
  readonly signingSecret: string | null;
  /** Whether anybody who knows the app's id may register as anybody: for trying things out. */
  readonly open: boolean;
  /** Decisions a month (UTC); null where nobody counts. */
  readonly quota: number | null;
  readonly suspended: boolean;
  readonly time: number;
  /** `root` or an admin. */
  readonly by: string;
}

const foreignAppSchema: z.ZodMiniType<ForeignApp> = z.strictObject({
  type: z.literal("guard/v1/foreign-app"),
  app: digestSchema,
  wire: z.literal("noxy"),
  name: z.string().check(z.minLength(1), z.maxLength(100)),
  signingSecret: z.nullable(z.string().check(z.minLength(16), z.maxLength(500))),
  open: z.boolean(),
  quota: z.nullable(countSchema),
  suspended: z.boolean(),
  time: timeSchema,
  by: z.string(),
});

/** @throws VerificationError */
export const readForeignApp = (signed: Signed): ForeignApp =>
  readSigned(foreignAppSchema, "guard/v1/foreign-app", signed);

/** A device of another system as the relay has it: what an owner looks at before confirming it. */
export interface ForeignDeviceView {
  readonly device: string;
  readonly identity: string;
  readonly wire: ForeignWire;
  readonly publicKey: string;
  readonly kemKey: string;
  /** What it says it is: browser, ios, telegram and so on. */
  readonly type: string;
  readonly state: "waiting" | "active" | "revoked";
  /** Milliseconds since 1970. */
  readonly registeredAt: number;
}

/** `GET /v1/foreign/devices`: newest first. */
export const foreignDevicesSchema: z.ZodMiniType<{ readonly devices: readonly ForeignDeviceView[] }> =
  z.object({
    devices: z.array(
      z.object({
        device: digestSchema,
        identity: z.string(),
        wire: z.literal("noxy"),
        publicKey: bytesSchema(32),
        kemKey: bytesSchema(kemKeyLength),
        type: z.string(),
        state: z.enum(["waiting", "active", "revoked"]),
        registeredAt: timeSchema,
      }),
    ),
  });
