/** How the relay's refusals read over this wire: gRPC statuses for agents, error codes for devices. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { ApiErrorCode } from "@guard/core";
import { device } from "@guard/wires/noxy";
import type { Logger } from "pino";
import { type ForeignReason, ForeignRefusal } from "../../domain/foreign-refusal.ts";
import { Refusal } from "../../domain/refusal.ts";

const { ErrorCode } = device;
type ErrorCode = device.ErrorCode;

/** A refusal with a code that only this wire has. */
export class DeviceRefusal extends Error {
  readonly code: ErrorCode;
  /** Whether the same may work later, as the client is told. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, retryable = false) {
    super(message);
    this.name = "DeviceRefusal";
    this.code = code;
    this.retryable = retryable;
  }
}

const statuses: Partial<Record<ApiErrorCode, status>> = {
  unauthorized: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  suspended: status.PERMISSION_DENIED,
  not_found: status.NOT_FOUND,
  invalid: status.INVALID_ARGUMENT,
  too_large: status.INVALID_ARGUMENT,
  rate_limited: status.RESOURCE_EXHAUSTED,
  too_many_open: status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  internal: status.INTERNAL,
};

const deviceCodes: Partial<Record<ApiErrorCode, ErrorCode>> = {
  unauthorized: ErrorCode.UNAUTHORIZED,
  forbidden: ErrorCode.UNAUTHORIZED,
  suspended: ErrorCode.UNAUTHORIZED,
  rate_limited: ErrorCode.RATE_LIMITED,
  too_many_open: ErrorCode.RATE_LIMITED,
  internal: ErrorCode.INTERNAL_ERROR,
  unavailable: ErrorCode.INTERNAL_ERROR,
};

const reasons: Readonly<Record<ForeignReason, { code: ErrorCode; retryable: boolean }>> = {
  no_app: { code: ErrorCode.APP_NOT_FOUND, retryable: false },
  no_device: { code: ErrorCode.DEVICE_NOT_FOUND, retryable: false },
  waiting: { code: ErrorCode.UNAUTHORIZED, retryable: true },
  revoked: { code: ErrorCode.DEVICE_REVOKED, retryable: false },
  mac: { code: ErrorCode.INVALID_SIGNATURE, retryable: false },
  quota: { code: ErrorCode.APP_QUOTA_EXCEEDED, retryable: true },
};

const retried: readonly ApiErrorCode[] = ["rate_limited", "too_many_open", "unavailable"];
const failed = "The relay failed to do this. Its log says why.";

/** The first metadata of every answer: it says that the relay is one of ours. */
export function greeting(): Metadata {
  const metadata = new Metadata();
  metadata.set("guard-relay", "1");
  return metadata;
}

/** What an agent gets. Published clients try again on RESOURCE_EXHAUSTED and UNAVAILABLE. */
export function grpcError(
  error: unknown,
  logger: Logger | null,
): Pick<ServiceError, "code" | "details" | "metadata"> {
  const metadata = new Metadata();
  if (!(error instanceof Refusal)) {
    logger?.error({ err: error, wire: "noxy" }, "internal error");
    return { code: status.INTERNAL, details: failed, metadata };
  }
  if (error.retryAfter !== null) metadata.set("retry-after-ms", String(error.retryAfter));
  return { code: statuses[error.code] ?? status.INVALID_ARGUMENT, details: error.message, metadata };
}

/** What a device gets. */
export function errorResponse(
  error: unknown,
  logger: Logger | null,
): MessageInitShape<typeof device.ErrorResponseSchema> {
  if (error instanceof DeviceRefusal) {
    const { code, message, retryable } = error;
    return { code, message, retryable };
  }
  if (error instanceof ForeignRefusal) return { ...reasons[error.reason], message: error.message };
  if (error instanceof Refusal) {
    const code = deviceCodes[error.code] ?? ErrorCode.INVALID_REQUEST;
    return { code, message: error.message, retryable: retried.includes(error.code) };
  }
  logger?.error({ err: error, wire: "noxy" }, "internal error");
  return { code: ErrorCode.INTERNAL_ERROR, message: failed, retryable: true };
}
