/** What a gRPC status is to a caller: one of our errors, by its code alone. What the relay wrote goes into the message. */

import { type ServiceError, status } from "@grpc/grpc-js";
import {
  ConfigurationError,
  DeniedError,
  type GuardError,
  RateLimitedError,
  UnavailableError,
  ValidationError,
} from "@guard/core";

/** For how long the relay asks to be left alone (our relay's trailer), in milliseconds; null where it does not. */
export function retryAfterOf(error: ServiceError): number | null {
  const [text] = error.metadata?.get("retry-after-ms") ?? [];
  return typeof text === "string" && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

export function refusalOf(error: ServiceError, address: string): GuardError {
  const made = errorOf(error, address);
  made.relayCode = status[error.code] ?? String(error.code);
  return made;
}

function errorOf(cause: ServiceError, address: string): GuardError {
  const said = `The relay refused: ${cause.details.slice(0, 500)}`;
  switch (cause.code) {
    case status.UNAUTHENTICATED:
      return new ConfigurationError(`${said} Is authToken the app token, and the newest one?`, { cause });
    case status.UNIMPLEMENTED:
      return new ConfigurationError(
        `At ${address} is something else than a Noxy relay. Check the endpoint.`,
        {
          cause,
        },
      );
    case status.PERMISSION_DENIED:
      return new DeniedError(said, { cause });
    case status.INVALID_ARGUMENT:
    case status.NOT_FOUND:
    case status.FAILED_PRECONDITION:
    case status.OUT_OF_RANGE:
      return new ValidationError(said, { cause });
    case status.RESOURCE_EXHAUSTED:
      return new RateLimitedError(said, { cause, retryAfter: retryAfterOf(cause) });
    case status.UNAVAILABLE:
      return new UnavailableError(
        `The relay at ${address} cannot be used: ${cause.details.slice(0, 500)}. Is it running? If its certificate ` +
          "is of an authority of your own, name that in tls.ca or GRPC_DEFAULT_SSL_ROOTS_FILE_PATH.",
        { cause, retryAfter: retryAfterOf(cause) },
      );
    default:
      return new UnavailableError(
        `The relay at ${address} failed (${status[cause.code] ?? cause.code}): ${cause.details.slice(0, 500)}`,
        { cause, retryAfter: retryAfterOf(cause) },
      );
  }
}
