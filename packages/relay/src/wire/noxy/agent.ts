/**
 * AgentService: what Noxy's agents call. The app token is the token of a Guard agent, so what suspends or revokes
 * the agent on the roster stops it here too. Every answer repeats the call's request id.
 */
import { create } from "@bufbuild/protobuf";
import { type handleUnaryCall, type Metadata, type ServerUnaryCall, status } from "@grpc/grpc-js";
import { agent as wire } from "@guard/wires/noxy";
import type { AgentPrincipal, Principal } from "../../domain/context.ts";
import {
  type DeliveryStatus,
  decisionOutcome,
  devicesOf,
  type Outcome,
  quotaOf,
  routeDecision,
} from "../../domain/decisions.ts";
import { refuse } from "../../domain/refusal.ts";
import { authenticate } from "../../domain/tokens.ts";
import { callerOf } from "../../server/rpc.ts";
import { greeting, grpcError } from "./codes.ts";
import { pay, type Wire } from "./wire.ts";

const longestWait = 55_000;

const statuses: Readonly<Record<DeliveryStatus, wire.DeliveryStatus>> = {
  delivered: wire.DeliveryStatus.DELIVERED,
  queued: wire.DeliveryStatus.QUEUED,
  no_devices: wire.DeliveryStatus.NO_DEVICES,
};
const outcomes: Readonly<Record<Outcome, wire.DecisionOutcome>> = {
  pending: wire.DecisionOutcome.PENDING,
  approved: wire.DecisionOutcome.APPROVED,
  rejected: wire.DecisionOutcome.REJECTED,
  expired: wire.DecisionOutcome.EXPIRED,
};

export function agentHandlers(shared: Wire) {
  const { context } = shared;
  return {
    routeDecision: unary<wire.RouteDecisionRequest, wire.DeliveryOutcome>(
      shared,
      async (principal, request) => {
        const { requestId, kyberCt: kemCiphertext, nonce, ciphertext, ttlSeconds } = request;
        const { status: given, decision } = await routeDecision(context, principal, {
          device: request.targetDeviceId,
          decision: request.decisionId,
          ttlSeconds,
          kemCiphertext,
          nonce,
          ciphertext,
        });
        return create(wire.DeliveryOutcomeSchema, {
          requestId,
          status: statuses[given],
          decisionId: decision,
        });
      },
    ),

    getDecisionOutcome: unary<wire.GetDecisionOutcomeRequest, wire.GetDecisionOutcomeResponse>(
      shared,
      async (principal, { requestId, decisionId: decision, identityId: identity }, call) => {
        const wait = waitOf(call.metadata);
        const outcome = await decisionOutcome(context, principal, {
          decision,
          identity,
          ...(wait > 0 && { wait, signal: cancelled(call) }),
        });
        return create(wire.GetDecisionOutcomeResponseSchema, {
          requestId,
          pending: outcome === "pending",
          outcome: outcomes[outcome],
        });
      },
    ),

    getQuota: unary<wire.GetQuotaRequest, wire.GetQuotaResponse>(shared, async (principal, { requestId }) => {
      const { name, total, remaining, status: given } = await quotaOf(context, principal);
      return create(wire.GetQuotaResponseSchema, {
        requestId,
        appName: name,
        quotaTotal: BigInt(total),
        quotaRemaining: BigInt(remaining),
        status: given === "active" ? wire.QuotaStatus.QUOTA_ACTIVE : wire.QuotaStatus.QUOTA_SUSPENDED,
      });
    }),

    getIdentityDevices: unary<wire.GetIdentityDevicesRequest, wire.GetIdentityDevicesResponse>(
      shared,
      async (principal, { requestId, identityId }) => {
        const found = await devicesOf(context, principal, identityId);
        const devices = found.map(({ device: deviceId, publicKey, kemKey: pqPublicKey }) => ({
          deviceId,
          publicKey,
          pqPublicKey,
        }));
        return create(wire.GetIdentityDevicesResponseSchema, { requestId, devices });
      },
    ),
  };
}

type Unary<I, O> = (principal: AgentPrincipal, request: I, call: ServerUnaryCall<I, O>) => Promise<O>;

function unary<I extends { readonly requestId: string }, O>(
  shared: Wire,
  answer: Unary<I, O>,
): handleUnaryCall<I, O> {
  return async (call, callback) => {
    const started = performance.now();
    call.sendMetadata(greeting());
    let principal: Principal | null = null;
    let code = status.OK;
    try {
      principal = await admit(shared, call);
      callback(null, await answer(agentOnly(principal), call.request, call));
    } catch (error) {
      const failed = grpcError(error, shared.logger);
      code = failed.code;
      callback(failed);
    }
    const ms = Math.round(performance.now() - started);
    const { app, kind } = principal ?? {};
    shared.logger?.info({ wire: "noxy", route: call.getPath(), status: code, ms, app, as: kind }, "call");
  };
}

async function admit<I, O>(shared: Wire, call: ServerUnaryCall<I, O>): Promise<Principal> {
  const token = bearer(call.metadata);
  const principal = token === null ? null : await authenticate(shared.context, token);
  if (principal === null) {
    pay(shared.rates.address, callerOf(call));
    return refuse("unauthorized", "An app token is needed: that of an agent which is on the roster.");
  }
  const { request } = call;
  const bytes =
    typeof request === "object" && request !== null && "ciphertext" in request ? request.ciphertext : null;
  pay(shared.rates.app, principal.app, bytes instanceof Uint8Array ? bytes.length : 0);
  return principal;
}

function agentOnly(principal: Principal): AgentPrincipal {
  return principal.kind === "agent"
    ? principal
    : refuse("forbidden", "This call is for the token of an agent.");
}

/** Tokens are taken from the metadata alone. */
function bearer(metadata: Metadata): string | null {
  const given = metadata.get("authorization");
  const match = given.length === 1 ? /^Bearer ([\x21-\x7e]{1,500})$/i.exec(String(given[0])) : null;
  return match?.[1] ?? null;
}

/** How long a caller of ours wants to be held, in milliseconds; published clients ask again by themselves. */
function waitOf(metadata: Metadata): number {
  const [given = "0"] = metadata.get("guard-wait-ms");
  if (!/^\d{1,6}$/.test(String(given))) refuse("invalid", "guard-wait-ms is a number of milliseconds.");
  return Math.min(Number(given), longestWait);
}

function cancelled<I, O>(call: ServerUnaryCall<I, O>): AbortSignal {
  const controller = new AbortController();
  if (call.cancelled) controller.abort();
  else call.once("cancelled", () => controller.abort());
  return controller.signal;
}
