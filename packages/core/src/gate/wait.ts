/**
 * Waiting for an answer: until the request is settled, the caller stops, or the request expires. An outage of
 * the relay only makes it wait longer; silence ends in expiry (withheld-answer, timeout-allow), also where the
 * clock is set back meanwhile (clock-rollback).
 */
import { expiryGrace } from "../approval/outcome.ts";
import { isGuardError, WaitTimeoutError } from "../errors.ts";
import { type RequestView, requestViewSchema } from "../relay/api.ts";
import { isPassing, newBackoff, retryAfterIn } from "../relay/backoff.ts";
import type { Asked } from "./ask.ts";
import { unwound } from "./clock.ts";
import type { Context } from "./context.ts";
import { hearForeign } from "./foreign.ts";
import { type Settled, settle } from "./settle.ts";
import type { RunOptions } from "./types.ts";

/** Longest timer that runtimes take. */
const longestTimer = 2 ** 31 - 1;

/** @throws GuardError for every end but an approval (or a request for other arguments). */
export async function waitFor(
  context: Context,
  asked: Asked,
  options: Pick<RunOptions, "signal" | "timeout">,
): Promise<Exclude<Settled, { status: "pending" }>> {
  const { header } = asked;
  const now = unwound(context.now);
  const stop = new AbortController();
  const timer =
    options.timeout === undefined
      ? undefined
      : setTimeout(() => stop.abort(), Math.min(options.timeout, longestTimer));
  const abort = () => stop.abort();
  options.signal?.addEventListener("abort", abort);
  if (options.signal?.aborted) stop.abort();
  const ended = new AbortController();
  const heard = AbortSignal.any([stop.signal, ended.signal]);
  // What is answered elsewhere comes back as a change of the request. What cannot be heard at all ends the wait.
  let deaf: { readonly error: unknown } | null = null;
  void hearForeign(context, asked, heard).catch((error: unknown) => {
    deaf = { error };
    stop.abort();
  });
  const requireHearing = () => {
    if (deaf !== null && !options.signal?.aborted) throw deaf.error;
  };
  try {
    const backoff = newBackoff();
    let view = asked.view;
    for (;;) {
      const settled = await settle({ ...context, now }, asked, view).catch(pendingWhileAway);
      if (settled.status !== "pending") return settled;
      requireHearing();
      if (stop.signal.aborted) throw stopped(asked, options.signal);
      const left = header.expiresAt + expiryGrace - now();
      await change(context, header.request, view.version, { left, stop: stop.signal });
      requireHearing();
      if (stop.signal.aborted) throw stopped(asked, options.signal);
      const { newer, away } = await read(context, header.request, stop.signal);
      // Whoever stopped meanwhile expects that nothing runs, whatever the answer is by now.
      if (stop.signal.aborted) throw stopped(asked, options.signal);
      // Woken for nothing: a relay whose stream is ahead of its requests, or one that lies.
      if (newer && newer.version > view.version) backoff.reset();
      else await backoff.pause(stop.signal, away);
      view = newer ?? view;
    }
  } finally {
    ended.abort();
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", abort);
  }
}

/** An outage while statements are verified makes the wait longer, and ends nothing. */
function pendingWhileAway(error: unknown): Settled {
  if (isGuardError(error, "unavailable") && error.relayCode === "unreachable") return { status: "pending" };
  throw error;
}

function stopped(asked: Asked, signal: AbortSignal | undefined): WaitTimeoutError {
  const { request, expiresAt } = asked.header;
  const why = signal?.aborted ? "The caller stopped waiting" : "The wait's own timeout is over";
  return new WaitTimeoutError(
    `${why}; the request stays open until ${new Date(expiresAt).toISOString()} and nothing ran.`,
    { request, cause: signal?.reason },
  );
}

/** Resolves at a change, when the caller stops, or when the request is certainly over. */
async function change(
  context: Context,
  request: string,
  version: number,
  until: { left: number; stop: AbortSignal },
): Promise<void> {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), Math.min(Math.max(until.left, 0) + 1, longestTimer));
  try {
    await context.watcher.changed(request, version, AbortSignal.any([until.stop, over.signal]));
  } catch (error) {
    if (!until.stop.aborted && !over.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Reads a request; where the relay cannot be reached, says for how long it asked to be left alone (ms). A relay that
 * never ends its answer keeps nobody who has stopped.
 */
async function read(
  context: Context,
  request: string,
  stop: AbortSignal,
): Promise<{ newer: RequestView | null; away: number }> {
  try {
    const { value } = await context.client.call("GET", `/v1/requests/${request}`, {
      schema: requestViewSchema,
      repeat: false,
      signal: stop,
    });
    return { newer: value, away: 0 };
  } catch (error) {
    if (stop.aborted) return { newer: null, away: 0 };
    if (!isPassing(error)) throw error;
    context.logger.warn(
      { request, code: error.code },
      "the relay cannot be asked about a request; waiting goes on",
    );
    return { newer: null, away: retryAfterIn(error) };
  }
}
