/**
 * The relay's HTTP API as both ends see it: paths, shapes and error codes. Everything is JSON; every call
 * but the public ones carries `Authorization: Bearer <token>`, and the token names the app, so a call can
 * only ever touch its own app (what belongs to another one does not exist).
 *
 * | call | who | body → reply |
 * |---|---|---|
 * | `GET  /v1/relay` | anyone | → {@link RelayInfo} |
 * | `POST /v1/apps` | operator | {@link NewApp} → 201 {@link Head} |
 * | `GET  /v1/roster?from=N&wanted=IDENTITY…` | any token | → {@link RosterPage} |
 * | `POST /v1/roster` | owner | {entry: Signed} → 201 {@link Head}; 409 `roster_conflict` |
 * | `POST /v1/tokens` | owner | {grant: Signed TokenGrant} → 201 {} |
 * | `POST /v1/invites` | owner | {invite: Signed Invite} → 201 {} |
 * | `GET  /v1/enrolments/TOKENHASH` | owner, that invitation | → {@link EnrolmentView} |
 * | `POST /v1/enrolments` | invitation | {enrolment: Signed} → 201 {} |
 * | `POST /v1/requests` | agent | {@link NewRequest} → 201 or (joined by key id) 200 {@link RequestView} |
 * | `GET  /v1/requests/ID?wait=SECONDS&version=N` | its agent, its devices | → {@link RequestView} |
 * | `GET  /v1/requests?state=open\|closed&before=ID` | agent, device | → {@link RequestList} |
 * | `POST /v1/requests/ID/statements` | its devices | {@link Answer} → {@link RequestView} |
 * | `POST /v1/requests/ID/unsigned` | its agent | {unsigned: Signed UnsignedAnswer} → {@link RequestView} |
 * | `POST /v1/requests/ID/consume` | its agent | {consume: Signed} → {@link Consumed} |
 * | `POST /v1/requests/ID/report` | its agent | {report: Signed} → {@link RequestView} |
 * | `POST /v1/requests/ID/cancel` | its agent | {cancel: Signed} → {@link RequestView} |
 * | `POST /v1/foreign` | owner | {app: Signed ForeignApp} → 201 {} |
 * | `GET  /v1/foreign` | owner | → {app: Signed ForeignApp or null} |
 * | `GET  /v1/foreign/devices` | owner | → {@link ForeignDeviceView}s |
 * | `GET  /v1/stream` | agent, device | → server-sent events, {@link StreamEvent} |
 * | `GET  /health`, `/ready`, `/openapi.json` | anyone | |
 */
import * as z from "zod/mini";
import type { Envelope } from "../approval/request.ts";
import { type Answer, sealedReplySchema } from "../approval/statement.ts";
import { type SigningKey, signingKeySchema } from "../crypto/signature.ts";
import {
  countSchema,
  digestSchema,
  type Head,
  headSchema,
  type Signed,
  signedSchema,
  timeSchema,
} from "../crypto/signed.ts";

/** What a request is to the relay. `executing`: consumed, not reported yet. */
export type RequestState =
  | "pending"
  | "approved"
  | "rejected"
  | "expired"
  | "cancelled"
  | "superseded"
  | "executing"
  | "completed"
  | "unknown";

export const requestStates = [
  "pending",
  "approved",
  "rejected",
  "expired",
  "cancelled",
  "superseded",
  "executing",
  "completed",
  "unknown",
] as const satisfies readonly RequestState[];

/** What `GET /v1/relay` tells anyone; `key` signs receipts and belongs on the roster. */
export interface RelayInfo {
  readonly protocol: 1;
  readonly key: SigningKey;
  readonly time: number;
}
export const relayInfoSchema = z.object({
  protocol: z.literal(1),
  key: signingKeySchema,
  time: timeSchema,
}) as unknown as z.ZodMiniType<RelayInfo>;

/** Registers an app: its first roster entry, and the hash of the owner's token. */
export interface NewApp {
  readonly root: Signed;
  readonly tokenHash: string;
}

export interface RosterPage {
  readonly entries: readonly Signed[];
  /** The relay's newest head; more pages follow while the last entry is below it. */
  readonly head: Head;
}
export const rosterPageSchema: z.ZodMiniType<RosterPage> = z.object({
  entries: z.array(signedSchema),
  head: headSchema,
});

export interface EnrolmentView {
  readonly invite: Signed;
  /** Null until the device posted. */
  readonly enrolment: Signed | null;
}
export const enrolmentViewSchema: z.ZodMiniType<EnrolmentView> = z.object({
  invite: signedSchema,
  enrolment: z.nullable(signedSchema),
});

export interface NewRequest extends Envelope {
  readonly header: Signed;
}

/** A request as its agent or one of its devices sees it. */
export interface RequestView {
  readonly request: string;
  readonly state: RequestState;
  /** Grows with every change; `?wait=` returns once it is above the given one. */
  readonly version: number;
  readonly header: Signed;
  readonly ciphertext: string;
  /** For a device: the content key wrapped for it. Null for the agent. */
  readonly wrap: { readonly enc: string; readonly ciphertext: string } | null;
  /** The answers that led to the state, oldest first; later ones are recorded but not passed on. */
  readonly answers: readonly Answer[];
  /** The relay's roster head: whoever knows a lower one fetches up to it. */
  readonly roster: Head;
}
const answerSchema: z.ZodMiniType<Answer> = z.object({
  statement: signedSchema,
  reply: z.nullable(sealedReplySchema),
});
export const requestViewSchema: z.ZodMiniType<RequestView> = z.object({
  request: digestSchema,
  state: z.enum(requestStates),
  version: countSchema,
  header: signedSchema,
  ciphertext: z.string(),
  wrap: z.nullable(z.object({ enc: z.string(), ciphertext: z.string() })),
  answers: z.array(answerSchema),
  roster: headSchema,
});

export interface RequestList {
  readonly requests: readonly {
    readonly request: string;
    readonly state: RequestState;
    readonly version: number;
  }[];
  readonly roster: Head;
}
const requestStateSchema = z.object({
  request: digestSchema,
  state: z.enum(requestStates),
  version: countSchema,
});
export const requestListSchema: z.ZodMiniType<RequestList> = z.object({
  requests: z.array(requestStateSchema),
  roster: headSchema,
});

/** Reply to a consume: the receipt of this attempt. Another attempt's consume is a 409 (see {@link ApiErrorCode}). */
export interface Consumed {
  readonly receipt: Signed;
}
export const consumedSchema: z.ZodMiniType<Consumed> = z.object({ receipt: signedSchema });

/**
 * Events of the stream. The first is always `state`: everything open for this token. Then `request` for each
 * change of a request, `roster` for each new head; comments keep the connection alive every 30 s.
 */
export type StreamEvent =
  | ({ readonly event: "state" } & RequestList)
  | {
      readonly event: "request";
      readonly request: string;
      readonly state: RequestState;
      readonly version: number;
    }
  | { readonly event: "roster"; readonly seq: number; readonly hash: string };

export const streamEventSchemas = {
  state: requestListSchema,
  request: requestStateSchema,
  roster: headSchema,
} as const;

/** Error bodies are `{error: {code, message}}`. */
export type ApiErrorCode =
  | "invalid" // 400: malformed, not canonical, signature or digest wrong
  | "unauthorized" // 401: no token, or an unknown or revoked one
  | "forbidden" // 403: the token is of another kind, or the agent is suspended
  | "suspended" // 403: the agent is suspended by the roster
  | "not_found" // 404
  | "clock_skew" // 400: createdAt or time is more than five minutes off the relay's clock
  | "no_device" // 400: a recipient is not an active device of an approver
  | "roster_conflict" // 409: the entry does not follow the head
  | "roster_behind" // 409: the caller's head is not the relay's roster (fork) or is above it
  | "already_decided" // 409: the request is not pending any more
  | "expired" // 409: past expiresAt or useBy by the relay's clock
  | "not_approved" // 409: consume of a request that is not approved, or for another effective action
  | "in_progress" // 409: consumed by another attempt, running
  | "completed" // 409: consumed by another attempt, ended
  | "unknown" // 409: consumed by another attempt, which never reported
  | "round_conflict" // 409: the round does not follow the key's last one, or that one was consumed
  | "too_large" // 413
  | "rate_limited" // 429, with Retry-After
  | "too_many_open" // 429: the agent has too many open requests
  | "internal" // 500
  | "unavailable"; // 503: shutting down

export interface ApiErrorBody {
  readonly error: { readonly code: ApiErrorCode; readonly message: string };
}
export const apiErrorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
