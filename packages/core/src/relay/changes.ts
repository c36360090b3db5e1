/**
 * The relay's event stream, read with its limits: the first event within 3 s, and never more than 75 s of
 * silence (the relay sends a comment every 30 s). What it says is a wake-up: whoever hears it reads again.
 */
import * as z from "zod/mini";
import { type StreamEvent, streamEventSchemas } from "./api.ts";
import type { RelayClient } from "./client.ts";

const firstEventWithin = 3_000;
const silenceAfter = 75_000;

/**
 * Yields what the stream says until it ends, is silent for too long, or `signal` aborts; the caller polls then.
 * @throws GuardError where there is no stream.
 */
export async function* streamChanges(client: RelayClient, signal: AbortSignal): AsyncGenerator<StreamEvent> {
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
      return { event, ...z.parse(streamEventSchemas.state, JSON.parse(data)) };
    case "request":
      return { event, ...z.parse(streamEventSchemas.request, JSON.parse(data)) };
    case "roster":
      return { event, ...z.parse(streamEventSchemas.roster, JSON.parse(data)) };
    default:
      return null; // A comment, or an event of a later version.
  }
}
