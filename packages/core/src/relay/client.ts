/**
 * Calls to the relay over fetch. One retry layer: network errors, timeouts, 429 and 5xx are repeated with
 * jitter, never sooner than Retry-After says; every call of Guard's API is safe to repeat. Loops that come
 * back by themselves ask for no repetition here (retry-storm). Everything that is not a clear
 * answer (HTML with 200, a foreign shape, a body without end) is an `UnavailableError`.
 *
 * The token travels in a header only, and is in no error and no URL.
 */
import { createParser } from "eventsource-parser";
import type { KyInstance, RetryOptions } from "ky";
import pLimit from "p-limit";
import * as z from "zod/mini";
import { ConfigurationError, isGuardError, UnavailableError } from "../errors.ts";
import { retryAfterOf, retryPause } from "./backoff.ts";
import { checkRelayUrl } from "./connection.ts";
import { errorOf, isHttpError } from "./refusal.ts";

export interface RelayClientOptions {
  /** Base URL of the relay: https, or http on loopback. */
  readonly url: string;
  /** Bearer token; null for the few calls that need none. */
  readonly token: string | null;
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Milliseconds for one attempt, its body included. Default 10,000. */
  readonly timeout?: number | undefined;
  /** How often a call is repeated. Default 2. */
  readonly retries?: number | undefined;
  /** How many calls are under way at once. Default 20. */
  readonly maxInFlight?: number | undefined;
}

export interface CallOptions<T> {
  readonly schema: z.ZodMiniType<T>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for one attempt, where a call is held by the relay on purpose. */
  readonly timeout?: number | undefined;
  /** False where the caller comes back by itself: two layers would multiply. */
  readonly repeat?: boolean;
}

/** One server-sent event, before its data is checked. */
export interface RawEvent {
  readonly event: string;
  readonly data: string;
}

export interface RelayClient {
  /** @throws GuardError; where the relay refused, `relayCode` says which {@link ApiErrorCode} it gave. */
  call<T>(
    method: "GET" | "POST",
    path: string,
    options: CallOptions<T>,
  ): Promise<{ status: number; value: T }>;
  /**
   * Opens the event stream. Comments are passed on as events named `comment`, since they prove that the
   * relay is there. Ends when the relay ends it or `signal` aborts.
   * @throws UnavailableError where there is none, or it is none.
   */
  stream(path: string, options: { signal: AbortSignal }): Promise<AsyncIterable<RawEvent>>;
}

const largestBody = 16 * 1024 * 1024;
const retried = [408, 429, 500, 502, 503, 504];

/** For one call: what is repeated, and after how long. */
function retrying(limit: number): RetryOptions {
  let pause = 0;
  return {
    limit,
    methods: ["get", "post"],
    shouldRetry({ error, retryCount }) {
      const answer = isHttpError(error) ? error.response : null;
      if (answer ? !retried.includes(answer.status) : isGuardError(error)) return false;
      pause = retryPause(retryCount, answer && retryAfterOf(answer.headers));
      return true;
    },
    delay: () => pause,
  };
}

/** Tokens go to the relay and nowhere else. Not `error`: workerd throws where it reads that. */
const redirect = "manual";

/** What a header can carry and the relay reads as a token. */
const bearerToken = /^[\x21-\x7e]{1,500}$/;

/** @throws ConfigurationError where the address or the token cannot be used. */
export function createRelayClient(options: RelayClientOptions): RelayClient {
  const base = checkRelayUrl(options.url);
  // The platform's own error would quote the token (secret-leak).
  if (options.token && !bearerToken.test(options.token)) {
    throw new ConfigurationError("The token for the relay holds what no token does. Copy it again, in full.");
  }
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  const limit = pLimit(options.maxInFlight ?? 20);
  const headers = {
    accept: "application/json",
    ...(options.token ? { authorization: `Bearer ${options.token}` } : {}),
  };
  // Loading it reads the runtime's fetch, tens of milliseconds that an agent which asks nobody need not wait for.
  let http: Promise<KyInstance> | undefined;
  const loaded = () => {
    http ??= import("ky").then(({ default: ky }) => ky.create({ timeout: false, headers, redirect }));
    return http;
  };
  const urlOf = (path: string) => new URL(base.pathname.replace(/\/$/, "") + path, base);

  async function send(request: Request): Promise<Response> {
    const response = await fetch(request);
    const { type, status } = response;
    if (type !== "opaqueredirect" && (status < 300 || status > 399)) return response;
    await response.body?.cancel();
    throw new UnavailableError(`${base.origin} redirects, which a relay never does. Is the address right?`);
  }

  async function attempt(request: Request, timeout: number): Promise<Response> {
    const expired = AbortSignal.timeout(timeout);
    const signal = AbortSignal.any([request.signal, expired]);
    // Not every fetch that an application gives us heeds its signal.
    const response = await orAbort(send(new Request(request, { signal })), signal);
    return new Response(await cappedText(response, signal), {
      status: response.status,
      headers: response.headers,
    });
  }

  return {
    async call(method, path, { schema, body, signal, timeout = options.timeout ?? 10_000, repeat = true }) {
      const run = async () => {
        let response: Response;
        try {
          const ky = await loaded();
          response = await ky(urlOf(path), {
            method,
            ...(body === undefined ? {} : { json: body }),
            ...(signal ? { signal } : {}),
            retry: retrying(repeat ? (options.retries ?? 2) : 0),
            fetch: (input, init) => attempt(new Request(input, init), timeout),
          });
        } catch (error) {
          if (signal?.aborted) throw signal.reason;
          throw await errorOf(error, base.origin, path);
        }
        return { status: response.status, value: await checkedValue(response, schema, base.origin) };
      };
      // A call that the relay holds on purpose must not keep others from being made.
      return timeout > (options.timeout ?? 10_000) ? run() : limit(run);
    },

    async stream(path, { signal }) {
      const request = new Request(urlOf(path), {
        headers: { ...headers, accept: "text/event-stream" },
        redirect,
        signal,
      });
      let response: Response;
      try {
        response = await send(request);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        throw await errorOf(error, base.origin, path);
      }
      const type = response.headers.get("content-type") ?? "";
      if (!response.ok || !type.startsWith("text/event-stream") || response.body === null) {
        await response.body?.cancel();
        throw new UnavailableError(`${base.origin} gave no event stream (status ${response.status}).`, {
          retryAfter: retryAfterOf(response.headers),
        });
      }
      return events(response.body);
    },
  };
}

async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<RawEvent> {
  const ready: RawEvent[] = [];
  let endless = false;
  const parser = createParser({
    maxBufferSize: largestBody,
    onError({ type }) {
      if (type === "max-buffer-size-exceeded") endless = true;
    },
    onEvent: ({ event, data }) => ready.push({ event: event ?? "message", data }),
    onComment: (data) => ready.push({ event: "comment", data }),
  });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      yield* ready.splice(0);
      if (endless) throw new UnavailableError("The relay's stream holds an event that has no end.");
    }
  } finally {
    await reader.cancel().catch(() => {}); // Already closed: there is nothing left to cancel.
  }
}

async function cappedText(response: Response, signal: AbortSignal): Promise<string> {
  if (response.body === null) return "";
  const reader = response.body.getReader();
  try {
    const decoder = new TextDecoder();
    let text = "";
    let size = 0;
    for (;;) {
      const { done, value } = await orAbort(reader.read(), signal);
      if (done) return text + decoder.decode();
      size += value.length;
      if (size > largestBody) throw new UnavailableError("The relay's answer has no end.");
      text += decoder.decode(value, { stream: true });
    }
  } finally {
    reader.cancel().catch(() => {}); // Already read to its end, or given up.
  }
}

/** `promise`, or the reason of `signal` if that comes first. */
async function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function checkedValue<T>(response: Response, schema: z.ZodMiniType<T>, origin: string): Promise<T> {
  let value: unknown;
  try {
    value = JSON.parse(await response.text());
  } catch (cause) {
    throw new UnavailableError(`${origin} answered, but not as a Guard relay does. Is the address right?`, {
      cause,
    });
  }
  const parsed = z.safeParse(schema, value);
  if (!parsed.success) {
    throw new UnavailableError(`${origin} gave an answer of a shape that this version does not know.`);
  }
  return parsed.data;
}
