/**
 * What changes at the relay: the event stream while it works, polls where it does not. What it says is a
 * wake-up: whoever hears it reads again.
 *
 * The stream is read with its limits: the first event within 3 s, and never more than 75 s of silence (the
 * relay sends a comment every 30 s). All who lost one relay come back over 3 s, and one whose streams end as
 * soon as they begin is left alone for longer each time (retry-storm).
 */
import * as z from "zod/mini";
import { UnavailableError } from "../errors.ts";
import { type StreamEvent, streamEventSchemas } from "./api.ts";
import { newBackoff, retryAfterIn } from "./backoff.ts";
import type { RelayClient } from "./client.ts";

const firstEventWithin = 3_000;
const silenceAfter = 75_000;
/** Over how long those come back who lost a stream at one moment. */
const spread = 3_000;
/** A round that took this long shows that the relay works. */
const provenAfter = 30_000;

/**
 * Yields changes until `signal` aborts, through all outages. Where the stream says nothing, `poll` is called
 * instead: it is one attempt and not repeated, and yields what it finds.
 * @throws what `poll` throws
 */
export async function* followChanges(options: {
  client: RelayClient;
  signal: AbortSignal;
  poll: (signal: AbortSignal) => Promise<StreamEvent | null>;
  onProblem?: ((error: unknown) => void) | undefined;
}): AsyncGenerator<StreamEvent> {
  const { client, signal, poll, onProblem } = options;
  const backoff = newBackoff();
  while (!signal.aborted) {
    const began = performance.now();
    let heard = false;
    let asked = 0;
    try {
      for await (const change of streamChanges(client, signal)) {
        heard = true;
        yield change;
      }
    } catch (error) {
      if (signal.aborted) return;
      onProblem?.(error);
      asked = retryAfterIn(error);
    }
    if (signal.aborted) return;
    if (!heard && asked === 0) {
      const found = await poll(signal);
      if (signal.aborted) return;
      if (found) yield found;
    }
    if (performance.now() - began >= provenAfter) backoff.reset();
    await backoff.pause(signal, heard ? Math.random() * spread : asked);
  }
}

/**
 * Yields what the stream says until it ends, is silent for too long, or `signal` aborts.
 * @throws GuardError where there is no stream.
 */
async function* streamChanges(client: RelayClient, signal: AbortSignal): AsyncGenerator<StreamEvent> {
  const silent = new AbortController();
  const ended = AbortSignal.any([signal, silent.signal]);
  let timer = setTimeout(() => silent.abort(), firstEventWithin);
  // Some fetches do not end a body when their signal aborts, so the wait ends here by itself.
  const aborted = new Promise<null>((resolve) => {
    if (ended.aborted) resolve(null);
    ended.addEventListener("abort", () => resolve(null), { once: true });
  });
  try {
    const opening = client.stream("/v1/stream", { signal: ended });
    opening.catch(() => {}); // Thrown below, unless the wait for it is over.
    const events = await Promise.race([opening, aborted]);
    if (events === null) return;
    const iterator = events[Symbol.asyncIterator]();
    for (;;) {
      const next = iterator.next();
      next.catch(() => {});
      const step = await Promise.race([next, aborted]);
      if (step === null || step.done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), silenceAfter);
      const change = changeOf(step.value.event, step.value.data);
      if (change) yield change;
    }
  } finally {
    clearTimeout(timer);
    silent.abort();
  }
}

function changeOf(event: string, data: string): StreamEvent | null {
  switch (event) {
    case "state":
      return { event, ...dataOf(streamEventSchemas.state, data) };
    case "request":
      return { event, ...dataOf(streamEventSchemas.request, data) };
    case "roster":
      return { event, ...dataOf(streamEventSchemas.roster, data) };
    default:
      return null; // A comment, or an event of a later version.
  }
}

function dataOf<T>(schema: z.ZodMiniType<T>, data: string): T {
  try {
    return z.parse(schema, JSON.parse(data));
  } catch (cause) {
    throw new UnavailableError("The relay's stream says something that this version does not know.", {
      cause,
    });
  }
}
