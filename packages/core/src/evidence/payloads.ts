/**
 * What the gate writes into a chain: one payload shape for each event type that it uses. `call` is the random
 * id of one pass through the gate and joins the events of that pass.
 *
 * These are type aliases, not interfaces, so that they are plain JSON objects to the compiler as well.
 */
import * as z from "zod/mini";
import type { Json, JsonObject } from "../action/canonical.ts";
import { digestSchema, type Head, headSchema, type Signed, signedSchema } from "../crypto/signed.ts";
import type { EventType } from "./envelope.ts";

export type ProposedPayload = {
  readonly call: string;
  readonly tool_name: string;
  readonly call_id: string | null;
  readonly action_digest: string;
  /** The arguments, only where capture was asked for. */
  readonly args?: Json;
};
export type PolicyPayload = {
  readonly call: string;
  readonly outcome: "allow" | "deny" | "require_approval";
  readonly rule: string;
  readonly version: string;
  readonly reasons: readonly string[];
};
export type RequestedPayload = {
  readonly call: string;
  readonly request: string;
  readonly header: Signed;
};
export type DecidedPayload = {
  readonly call: string;
  readonly request: string;
  readonly outcome: "approved" | "rejected" | "expired" | "cancelled" | "superseded" | "verification_failed";
  /** Digest of the action that may run; null where none may. */
  readonly effective: string | null;
  readonly statements: readonly Signed[];
};
export type AllowedPayload = {
  readonly call: string;
  /** Null where policy allowed the call by itself. */
  readonly request: string | null;
  readonly action_digest: string;
  readonly effective: string;
  readonly consume: Signed | null;
  readonly receipt: Signed | null;
  /** The roster by which the gate judged. */
  readonly roster: Head;
};
export type DeniedPayload = {
  readonly call: string;
  readonly request: string | null;
  readonly code: string;
  readonly reasons: readonly string[];
};
/** Written, and made durable, before the tool starts. */
export type ExecutedPayload = {
  readonly call: string;
  readonly request: string | null;
  readonly execution_id: string;
  readonly effective: string;
};
export type ResultPayload = {
  readonly call: string;
  readonly request: string | null;
  readonly execution_id: string;
  readonly status: "ok" | "error";
  readonly result_digest: string | null;
  readonly error: string | null;
};
export type ErrorPayload = {
  readonly call: string;
  readonly code: string;
  readonly message: string;
};

/** The payloads of the event types that Guard itself writes. */
export type Payloads = {
  readonly TOOL_CALL_PROPOSED: ProposedPayload;
  readonly POLICY_DECISION: PolicyPayload;
  readonly APPROVAL_REQUESTED: RequestedPayload;
  readonly APPROVAL_DECIDED: DecidedPayload;
  readonly TOOL_CALL_ALLOWED: AllowedPayload;
  readonly TOOL_CALL_DENIED: DeniedPayload;
  readonly TOOL_CALL_EXECUTED: ExecutedPayload;
  readonly TOOL_RESULT: ResultPayload;
  readonly ERROR_RAISED: ErrorPayload;
};

type Event<T extends EventType, P> = {
  readonly type: T;
  /** The session that it belongs to; null where it belongs to none. */
  readonly session: string | null;
  readonly payload: P;
};

/** What may be appended to a chain. Checkpoints are the chain's own. */
export type ChainEvent =
  | { [T in keyof Payloads]: Event<T, Payloads[T]> }[keyof Payloads]
  | Event<Exclude<EventType, keyof Payloads | "CHECKPOINT_CREATED">, JsonObject>;

const request = z.nullable(digestSchema);
const texts = z.array(z.string());
const call = z.string().check(z.minLength(1));

export const checkpointPayloadSchema = z.strictObject({ checkpoint: signedSchema });

/** How the payloads are read back. Unknown members are refused: a verifier must not pass what it cannot judge. */
export const payloadSchemas = {
  TOOL_CALL_PROPOSED: z.strictObject({
    call,
    tool_name: z.string(),
    call_id: z.nullable(z.string()),
    action_digest: digestSchema,
    args: z.optional(z.unknown()),
  }),
  POLICY_DECISION: z.strictObject({
    call,
    outcome: z.enum(["allow", "deny", "require_approval"]),
    rule: z.string(),
    version: z.string(),
    reasons: texts,
  }),
  APPROVAL_REQUESTED: z.strictObject({ call, request: digestSchema, header: signedSchema }),
  APPROVAL_DECIDED: z.strictObject({
    call,
    request: digestSchema,
    outcome: z.enum(["approved", "rejected", "expired", "cancelled", "superseded", "verification_failed"]),
    effective: z.nullable(digestSchema),
    statements: z.array(signedSchema),
  }),
  TOOL_CALL_ALLOWED: z.strictObject({
    call,
    request,
    action_digest: digestSchema,
    effective: digestSchema,
    consume: z.nullable(signedSchema),
    receipt: z.nullable(signedSchema),
    roster: headSchema,
  }),
  TOOL_CALL_DENIED: z.strictObject({ call, request, code: z.string(), reasons: texts }),
  TOOL_CALL_EXECUTED: z.strictObject({ call, request, execution_id: z.string(), effective: digestSchema }),
  TOOL_RESULT: z.strictObject({
    call,
    request,
    execution_id: z.string(),
    status: z.enum(["ok", "error"]),
    result_digest: z.nullable(digestSchema),
    error: z.nullable(z.string()),
  }),
  ERROR_RAISED: z.strictObject({ call, code: z.string(), message: z.string() }),
} as unknown as { readonly [T in keyof Payloads]: z.ZodMiniType<Payloads[T]> };
