/** Which HTTP status a refusal has, and the one shape of an error body. */
import type { ApiErrorBody, ApiErrorCode } from "@guard/core";
import type { Refusal } from "../domain/refusal.ts";

const statuses: Readonly<Record<ApiErrorCode, number>> = {
  invalid: 400,
  clock_skew: 400,
  no_device: 400,
  unauthorized: 401,
  forbidden: 403,
  suspended: 403,
  not_found: 404,
  roster_conflict: 409,
  roster_behind: 409,
  already_decided: 409,
  expired: 409,
  not_approved: 409,
  in_progress: 409,
  completed: 409,
  unknown: 409,
  round_conflict: 409,
  too_large: 413,
  rate_limited: 429,
  too_many_open: 429,
  internal: 500,
  unavailable: 503,
};

export function errorReply({
  code,
  message,
  retryAfter,
}: Pick<Refusal, "code" | "message" | "retryAfter">): Response {
  const body: ApiErrorBody = { error: { code, message } };
  const headers = new Headers({ "content-type": "application/json", "cache-control": "no-store" });
  // Whoever is told to slow down is told for how long.
  const after = retryAfter ?? (statuses[code] === 429 ? 30_000 : null);
  if (after !== null) headers.set("retry-after", String(Math.max(1, Math.ceil(after / 1000))));
  if (code === "unauthorized") headers.set("www-authenticate", "Bearer");
  return new Response(JSON.stringify(body), { status: statuses[code], headers });
}

export function jsonReply(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}
