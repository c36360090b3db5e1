/**
 * Wake-ups inside this process: who waits for a request, who streams. Publishing happens after the commit, so
 * nobody is woken for what is not durable.
 */
import type { Head, RequestState, StreamEvent } from "@guard/core";

export interface Changed {
  readonly app: string;
  readonly agent: string;
  readonly devices: readonly string[];
  readonly request: string;
  readonly state: RequestState;
  readonly version: number;
}

/** One open stream. `end` is called once, by whichever side is first. */
export interface Listener {
  readonly app: string;
  /** `agent:NAME` or `device:ID`. */
  readonly subject: string;
  readonly hash: string;
  send(event: StreamEvent): void;
  end(): void;
}

export interface Hub {
  changed(change: Changed): void;
  rosterChanged(app: string, head: Head): void;
  listen(listener: Listener): () => void;
  /** Ends the streams and wakes the waiters of `app` for which `alive` is false. */
  review(app: string, alive: (listener: Listener) => boolean): void;
  /** How many streams or waits a token holds. */
  count(kind: "streams" | "waits", hash: string): number;
  /** Resolves on a change of the request; with false after `ms`, on abort, or when the hub is released. */
  wait(options: {
    app: string;
    request: string;
    hash: string;
    ms: number;
    signal: AbortSignal;
  }): Promise<boolean>;
  /** Ends all streams and waits that there are. */
  release(): void;
  /** Releases, and holds nobody any more. */
  close(): void;
}

export function newHub(): Hub {
  const listeners = new Map<string, Set<Listener>>();
  const waiters = new Map<string, Set<(changed: boolean) => void>>();
  let closed = false;
  const counts = { streams: new Map<string, number>(), waits: new Map<string, number>() };

  const count = (kind: "streams" | "waits", hash: string, by: number) => {
    const n = (counts[kind].get(hash) ?? 0) + by;
    if (n === 0) counts[kind].delete(hash);
    else counts[kind].set(hash, n);
  };
  const wake = (app: string, request: string) => {
    for (const resolve of [...(waiters.get(`${app}/${request}`) ?? [])]) resolve(true);
  };

  const release = () => {
    for (const all of [...listeners.values()]) for (const listener of [...all]) listener.end();
    for (const all of [...waiters.values()]) for (const done of [...all]) done(false);
  };

  return {
    changed({ app, agent, devices, request, state, version }) {
      const subjects = new Set([`agent:${agent}`, ...devices.map((device) => `device:${device}`)]);
      for (const listener of [...(listeners.get(app) ?? [])]) {
        if (subjects.has(listener.subject)) listener.send({ event: "request", request, state, version });
      }
      wake(app, request);
    },
    rosterChanged(app, head) {
      for (const listener of [...(listeners.get(app) ?? [])])
        listener.send({ event: "roster", seq: head.seq, hash: head.hash });
    },
    listen(listener) {
      const all = listeners.get(listener.app) ?? new Set();
      listeners.set(listener.app, all.add(listener));
      count("streams", listener.hash, 1);
      return () => {
        if (!all.delete(listener)) return;
        count("streams", listener.hash, -1);
        if (all.size === 0 && listeners.get(listener.app) === all) listeners.delete(listener.app);
      };
    },
    review(app, alive) {
      for (const listener of [...(listeners.get(app) ?? [])]) if (!alive(listener)) listener.end();
      for (const key of [...waiters.keys()])
        if (key.startsWith(`${app}/`)) wake(app, key.slice(app.length + 1));
    },
    count: (kind, hash) => counts[kind].get(hash) ?? 0,
    wait({ app, request, hash, ms, signal }) {
      return new Promise((resolve) => {
        const key = `${app}/${request}`;
        const all = waiters.get(key) ?? new Set();
        const done = (changed: boolean) => {
          if (!all.delete(done)) return;
          clearTimeout(timer);
          signal.removeEventListener("abort", gone);
          if (all.size === 0 && waiters.get(key) === all) waiters.delete(key);
          count("waits", hash, -1);
          resolve(changed);
        };
        const gone = () => done(false);
        const timer = setTimeout(gone, ms);
        waiters.set(key, all.add(done));
        count("waits", hash, 1);
        if (signal.aborted || closed) gone();
        else signal.addEventListener("abort", gone);
      });
    },
    release,
    close() {
      closed = true;
      release();
    },
  };
}
