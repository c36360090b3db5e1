/**
 * What changes at the relay for one device: the event stream while it works, polling while it does not.
 * A change only says that there is something to read again; it is not believed.
 */
import {
  type Head,
  isGuardError,
  type RelayClient,
  type RequestList,
  requestListSchema,
  streamEventSchemas,
} from "@guard/core";
import * as z from "zod/mini";
import { pause } from "./pause.ts";

const firstEventWithin = 3_000;
const silenceAfter = 75_000;
const firstPoll = 400;
const pollFactor = 1.6;
const slowestPoll = 30_000;

export type RequestChange = RequestList["requests"][number];

/** `open` is everything that is open now; `request` one change; `roster` a new head. */
export type DeviceChange =
  | { readonly kind: "open"; readonly requests: readonly RequestChange[]; readonly roster: Head }
  | { readonly kind: "request"; readonly request: RequestChange }
  | { readonly kind: "roster"; readonly roster: Head };

/**
 * Yields until `signal` aborts. Outages are waited out, with `onProblem` told about each.
 * @throws GuardError where the relay refuses the token: the device was revoked, or never confirmed.
 */
export async function* deviceChanges(options: {
  client: RelayClient;
  signal: AbortSignal;
  onProblem?: ((error: unknown) => void) | undefined;
}): AsyncGenerator<DeviceChange> {
  const { client, signal, onProblem } = options;
  let delay = firstPoll;
  while (!signal.aborted) {
    try {
      for await (const change of streamed(client, signal)) {
        delay = firstPoll;
        yield change;
      }
    } catch (error) {
      if (signal.aborted) return;
      onProblem?.(error);
    }
    try {
      if (signal.aborted) return;
      const { value } = await client.call("GET", "/v1/requests?state=open", {
        schema: requestListSchema,
        signal,
      });
      yield { kind: "open", requests: value.requests, roster: value.roster };
    } catch (error) {
      if (signal.aborted) return;
      const passing = isGuardError(error, "unavailable") || isGuardError(error, "rate_limited");
      if (!passing) throw error;
      onProblem?.(error);
    }
    await pause(delay * (0.5 + Math.random() / 2), signal);
    delay = Math.min(delay * pollFactor, slowestPoll);
  }
}

async function* streamed(client: RelayClient, signal: AbortSignal): AsyncGenerator<DeviceChange> {
  const silent = new AbortController();
  const ended = AbortSignal.any([signal, silent.signal]);
  let timer = setTimeout(() => silent.abort(), firstEventWithin);
  const aborted = new Promise<null>((resolve) => {
    ended.addEventListener("abort", () => resolve(null), { once: true });
  });
  try {
    const events = await Promise.race([client.stream("/v1/stream", { signal: ended }), aborted]);
    if (events === null) return;
    const iterator = events[Symbol.asyncIterator]();
    for (;;) {
      // Some fetches do not end a body when their signal aborts, so the wait ends here by itself.
      const step = await Promise.race([iterator.next(), aborted]);
      if (step === null || step.done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), silenceAfter);
      const { event, data } = step.value;
      const change = changeOf(event, data);
      if (change) yield change;
    }
  } finally {
    clearTimeout(timer);
    silent.abort();
  }
}

function changeOf(event: string, data: string): DeviceChange | null {
  switch (event) {
    case "state": {
      const { requests, roster } = z.parse(streamEventSchemas.state, JSON.parse(data));
      return { kind: "open", requests, roster };
    }
    case "request":
      return { kind: "request", request: z.parse(streamEventSchemas.request, JSON.parse(data)) };
    case "roster":
      return { kind: "roster", roster: z.parse(streamEventSchemas.roster, JSON.parse(data)) };
    default:
      return null;
  }
}
