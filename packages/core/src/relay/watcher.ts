/**
 * Waiting for changes at the relay. One event stream serves all requests of a guard or device; where the
 * stream gives nothing in 3 s, or nothing for 75 s, the relay is polled with jitter instead, until a stream
 * works again. A change is only ever a wake-up: whoever waits reads the request again and verifies it.
 */
import type { Head } from "../crypto/signed.ts";
import { requestViewSchema, type StreamEvent } from "./api.ts";
import { newBackoff } from "./backoff.ts";
import { streamChanges } from "./changes.ts";
import type { RelayClient } from "./client.ts";

const holdSeconds = 55;
/** Longer than any read of a request takes, in milliseconds. */
const keptFor = 120_000;

export interface Watcher {
  /** Resolves once the relay may know more of `request` than `version`. Rejects only when `signal` aborts. */
  changed(request: string, version: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface WatcherOptions {
  readonly client: RelayClient;
  /** A head that the relay announced; whoever follows the roster decides what to do. */
  readonly onHead?: (head: Head) => void;
  /** Why the stream did not work; it is tried again by itself. */
  readonly onStreamError?: (error: unknown) => void;
}

interface Waiter {
  readonly request: string;
  readonly version: number;
  wake(): void;
}

export function createWatcher(options: WatcherOptions): Watcher {
  const { client, onHead, onStreamError } = options;
  const waiters = new Set<Waiter>();
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

  /** Reads the stream until it ends, is silent, or nobody waits. Returns whether it said anything. */
  async function stream(signal: AbortSignal): Promise<boolean> {
    let said = false;
    try {
      for await (const change of streamChanges(client, signal)) {
        said = true;
        hear(change);
      }
    } catch (error) {
      if (!signal.aborted) onStreamError?.(error);
    }
    return said;
  }

  function hear(change: StreamEvent): void {
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

  /** Polls every waiter once; the relay holds each poll until something changes. */
  async function poll(signal: AbortSignal): Promise<void> {
    await Promise.allSettled(
      [...waiters].map(async (waiter) => {
        const path = `/v1/requests/${waiter.request}?wait=${holdSeconds}&version=${waiter.version}`;
        const timeout = (holdSeconds + 5) * 1000;
        const { value } = await client.call("GET", path, { schema: requestViewSchema, signal, timeout });
        onHead?.(value.roster);
        wake(value.request, value.version);
      }),
    );
  }

  async function run(signal: AbortSignal): Promise<void> {
    const backoff = newBackoff();
    while (!signal.aborted) {
      if (await stream(signal)) backoff.reset();
      if (signal.aborted) return;
      await poll(signal);
      await backoff.pause(signal);
    }
  }

  function close(): void {
    running?.abort();
    running = null;
    seen.clear();
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
      if (!running) {
        running = new AbortController();
        void run(running.signal);
      }
      try {
        await promise;
      } finally {
        signal.removeEventListener("abort", abort);
        waiters.delete(waiter);
        // Somebody who waits again at once keeps the stream; otherwise it costs nothing.
        setTimeout(() => waiters.size === 0 && close(), 1_000).unref?.();
      }
    },
    close,
  };
}
