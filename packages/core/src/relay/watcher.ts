/**
 * Waiting for changes at the relay. One event stream serves all requests of a guard or device; where the
 * stream gives nothing in 3 s, or nothing for 75 s, the relay is polled with jitter instead, until a stream
 * works again. A change is only ever a wake-up: whoever waits reads the request again and verifies it.
 */
import type { Head } from "../crypto/signed.ts";
import { requestListSchema, requestViewSchema, type StreamEvent } from "./api.ts";
import { followChanges } from "./changes.ts";
import type { RelayClient } from "./client.ts";

const holdSeconds = 55;
/** As many calls as a client makes at once. */
const mostHeld = 20;
/** Longer than any read of a request takes, in milliseconds. */
const keptFor = 120_000;

export interface Watcher {
  /** Resolves once the relay may know more of `request` than `version`. Rejects only when `signal` aborts. */
  changed(request: string, version: number, signal: AbortSignal): Promise<void>;
  /** Calls `hear` with everything that the relay tells, from its state now on; returns what ends that. */
  follow(hear: (change: StreamEvent) => void): () => void;
  close(): void;
}

export interface WatcherOptions {
  readonly client: RelayClient;
  /** A head that the relay announced; whoever follows the roster decides what to do. */
  readonly onHead?: (head: Head) => void;
  /** Why the relay could not be heard; it is tried again by itself. */
  readonly onProblem?: (error: unknown) => void;
}

interface Waiter {
  readonly request: string;
  readonly version: number;
  wake(): void;
}

export function createWatcher(options: WatcherOptions): Watcher {
  const { client, onHead, onProblem } = options;
  const waiters = new Set<Waiter>();
  const followers = new Set<(change: StreamEvent) => void>();
  // What the stream said lately: a change between a caller's read and its waiting must not be lost.
  const seen = new Map<string, { readonly version: number; readonly at: number }>();
  let running: AbortController | null = null;

  function wake(request: string, version: number): void {
    const now = performance.now();
    for (const [id, { at }] of seen) {
      if (now - at < keptFor) break;
      seen.delete(id);
    }
    seen.delete(request);
    seen.set(request, { version, at: now });
    for (const waiter of waiters) if (waiter.request === request && version > waiter.version) waiter.wake();
  }

  function hear(change: StreamEvent): void {
    for (const follower of followers) follower(change);
    switch (change.event) {
      case "state": {
        onHead?.(change.roster);
        for (const { request, version } of change.requests) wake(request, version);
        // What is not listed is not open any more: it changed while nobody listened.
        const open = new Set(change.requests.map(({ request }) => request));
        for (const waiter of waiters) if (!open.has(waiter.request)) waiter.wake();
        break;
      }
      case "request":
        wake(change.request, change.version);
        break;
      case "roster":
        onHead?.({ seq: change.seq, hash: change.hash });
        break;
    }
  }

  /** What is open now; then one held poll for each waiter, where they are few enough to be held at once. */
  async function poll(signal: AbortSignal): Promise<null> {
    try {
      const { value } = await client.call("GET", "/v1/requests?state=open", {
        schema: requestListSchema,
        signal,
        repeat: false,
      });
      hear({ event: "state", ...value });
      if (waiters.size <= mostHeld) await Promise.all([...waiters].map((waiter) => hold(waiter, signal)));
    } catch (error) {
      if (!signal.aborted) onProblem?.(error);
    }
    return null;
  }

  async function hold(waiter: Waiter, signal: AbortSignal): Promise<void> {
    const path = `/v1/requests/${waiter.request}?wait=${holdSeconds}&version=${waiter.version}`;
    const timeout = (holdSeconds + 5) * 1000;
    const { value } = await client.call("GET", path, {
      schema: requestViewSchema,
      signal,
      timeout,
      repeat: false,
    });
    onHead?.(value.roster);
    wake(value.request, value.version);
  }

  async function run(signal: AbortSignal): Promise<void> {
    for await (const change of followChanges({ client, signal, poll, onProblem })) hear(change);
  }

  function close(): void {
    running?.abort();
    running = null;
    seen.clear();
  }

  function listen(): void {
    if (running) return;
    running = new AbortController();
    void run(running.signal);
  }

  /** Somebody who waits again at once keeps the stream; otherwise it costs nothing. */
  function closeSoon(): void {
    setTimeout(() => waiters.size + followers.size === 0 && close(), 1_000).unref?.();
  }

  return {
    async changed(request, version, signal) {
      signal.throwIfAborted();
      if ((seen.get(request)?.version ?? -1) > version) return;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const waiter: Waiter = { request, version, wake: resolve };
      const abort = () => reject(signal.reason);
      signal.addEventListener("abort", abort);
      waiters.add(waiter);
      listen();
      try {
        await promise;
      } finally {
        signal.removeEventListener("abort", abort);
        waiters.delete(waiter);
        closeSoon();
      }
    },

    follow(follower) {
      followers.add(follower);
      // A stream that runs already has told its state: a new one tells it again.
      close();
      listen();
      return () => {
        followers.delete(follower);
        closeSoon();
      };
    },

    close,
  };
}
