/** How the domain says no: a code of the API and a message for people. It knows no status numbers. */
import { type ApiErrorCode, isGuardError } from "@guard/core";

export class Refusal extends Error {
  readonly code: ApiErrorCode;
  /** Milliseconds after which trying again makes sense. */
  readonly retryAfter: number | null;

  constructor(code: ApiErrorCode, message: string, options: { cause?: unknown; retryAfter?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Refusal";
    this.code = code;
    this.retryAfter = options.retryAfter ?? null;
  }
}

export function refuse(code: ApiErrorCode, message: string): never {
  throw new Refusal(code, message);
}

/** What another app, or nobody, has: always the same words (cross-tenant). */
export function notFound(): never {
  return refuse("not_found", "There is nothing here that this token may see.");
}

/** Runs a reader of `@guard/core`; what it will not read is `invalid`. */
export function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (isGuardError(error, "verification_failed") || isGuardError(error, "validation")) {
      throw new Refusal("invalid", error.message, { cause: error });
    }
    throw error;
  }
}
