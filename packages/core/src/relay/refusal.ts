/** What the relay's refusals, and its being away, are to a caller: one of our errors, by the code that it gave. */
import type { HTTPError } from "ky";
import * as z from "zod/mini";
import {
  AlreadyExecutedError,
  ClockSkewError,
  ConfigurationError,
  DeniedError,
  ExpiredError,
  type GuardError,
  InProgressError,
  isGuardError,
  NoDeviceError,
  RateLimitedError,
  UnavailableError,
  UnknownStateError,
  ValidationError,
} from "../errors.ts";
import { type ApiErrorCode, apiErrorSchema } from "./api.ts";
import { retryAfterOf } from "./backoff.ts";

export function isHttpError(error: unknown): error is HTTPError {
  return error instanceof Error && error.name === "HTTPError";
}

/** The error for a call of `path` that failed, naming the request that the path is about. */
export async function errorOf(error: unknown, origin: string, path: string): Promise<GuardError> {
  if (isGuardError(error)) return error;
  if (!isHttpError(error)) {
    const away = new UnavailableError(`The relay at ${origin} cannot be reached. Is it running?`, {
      cause: error,
    });
    away.relayCode = "unreachable";
    return away;
  }
  const { status, headers } = error.response;
  let body: unknown;
  try {
    body = JSON.parse(await error.response.text());
  } catch {
    body = undefined; // A proxy's page, say: the status alone tells.
  }
  const parsed = z.safeParse(apiErrorSchema, body);
  const code = parsed.success ? parsed.data.error.code : "";
  const message = parsed.success
    ? `The relay refused: ${parsed.data.error.message.slice(0, 500)}`
    : `The relay at ${origin} answered with status ${status}.`;
  const made = refusal(code, status, message, {
    request: /^\/v1\/requests\/([\w-]{43})(?=[/?]|$)/.exec(path)?.[1],
    retryAfter: retryAfterOf(headers),
  });
  made.relayCode = code;
  return made;
}

function refusal(
  code: string,
  status: number,
  message: string,
  { request, retryAfter }: { request: string | undefined; retryAfter: number | null },
): GuardError {
  switch (code as ApiErrorCode) {
    case "unauthorized":
    case "forbidden":
      return new ConfigurationError(`${message} Is the token the newest one, and of the right kind?`, {
        request,
      });
    case "suspended":
      return new DeniedError(message, { request, reasons: ["the agent is suspended"] });
    case "invalid":
    case "too_large":
      return new ValidationError(message, { request });
    case "clock_skew":
      return new ClockSkewError(message, { request });
    case "no_device":
      return new NoDeviceError(message, { request, identities: [] });
    case "expired":
      return new ExpiredError(message, { request });
    case "not_approved":
      return new DeniedError(message, { request });
    case "in_progress":
      return new InProgressError(message, { request });
    case "completed":
      return new AlreadyExecutedError(message, { request });
    case "unknown":
      return new UnknownStateError(message, { request });
    case "rate_limited":
    case "too_many_open":
      return new RateLimitedError(message, { request, retryAfter });
    default:
      if (status === 429) return new RateLimitedError(message, { request, retryAfter });
      return new UnavailableError(message, { request, retryAfter });
  }
}
