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
  /** Wakes who waits for what is no request, by a name of its own. */
  wake(app: string, name: string): void;
  rosterChanged(app: string, head: Head): void;
  listen(listener: Listener): () => void;
  /** Ends the streams and wakes the waiters of `app` for which `alive` is false. */
  review(app: string, alive: (listener: Listener) => boolean): void;
  /** How many streams or waits a token holds. */
  count(kind: Kind, hash: string): number;
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

type Kind = "streams" | "waits";

/** Sets by app and by what they are about; what is empty is forgotten. */
function shelves<T>() {
  const apps = new Map<string, Map<string, Set<T>>>();
  return {
    add(app: string, name: string, item: T): void {
      const shelf = apps.get(app) ?? new Map<string, Set<T>>();
      apps.set(app, shelf.set(name, (shelf.get(name) ?? new Set<T>()).add(item)));
    },
    /** False where it was not there any more. */
    remove(app: string, name: string, item: T): boolean {
      const shelf = apps.get(app);
      const items = shelf?.get(name);
      if (!shelf || !items?.delete(item)) return false;
      if (items.size === 0) shelf.delete(name);
      if (shelf.size === 0) apps.delete(app);
      return true;
    },
    of: (app: string, name: string): T[] => [...(apps.get(app)?.get(name) ?? [])],
    ofApp: (app: string): T[] => [...(apps.get(app)?.values() ?? [])].flatMap((items) => [...items]),
    all: (): T[] => [...apps.values()].flatMap((shelf) => [...shelf.values()].flatMap((items) => [...items])),
  };
}

export function newHub(): Hub {
  // A change costs as many steps as there are listeners to it, however many others there are (quota-exhaustion).
  const listeners = shelves<Listener>();
  const waiters = shelves<(changed: boolean) => void>();
  let closed = false;
  const counts = { streams: new Map<string, number>(), waits: new Map<string, number>() };
  const count = (kind: Kind, hash: string, by: number) => {
    const n = (counts[kind].get(hash) ?? 0) + by;
    if (n === 0) counts[kind].delete(hash);
    else counts[kind].set(hash, n);
  };
  const release = () => {
    for (const listener of listeners.all()) listener.end();
    for (const done of waiters.all()) done(false);
  };
  return {
    changed({ app, agent, devices, request, state, version }) {
      for (const subject of [`agent:${agent}`, ...devices.map((device) => `device:${device}`)])
        for (const listener of listeners.of(app, subject))
          listener.send({ event: "request", request, state, version });
      for (const done of waiters.of(app, request)) done(true);
    },
    wake(app, name) {
      for (const done of waiters.of(app, name)) done(true);
    },
    rosterChanged(app, head) {
      for (const listener of listeners.ofApp(app))
        listener.send({ event: "roster", seq: head.seq, hash: head.hash });
    },
    listen(listener) {
      const { app, subject, hash } = listener;
      listeners.add(app, subject, listener);
      count("streams", hash, 1);
      return () => {
        if (listeners.remove(app, subject, listener)) count("streams", hash, -1);
      };
    },
    review(app, alive) {
      for (const listener of listeners.ofApp(app)) if (!alive(listener)) listener.end();
      for (const done of waiters.ofApp(app)) done(true);
    },
    count: (kind, hash) => counts[kind].get(hash) ?? 0,
    wait({ app, request, hash, ms, signal }) {
      return new Promise((resolve) => {
        const done = (changed: boolean) => {
          if (!waiters.remove(app, request, done)) return;
          clearTimeout(timer);
          signal.removeEventListener("abort", gone);
          count("waits", hash, -1);
          resolve(changed);
        };
        const gone = () => done(false);
        const timer = setTimeout(gone, ms);
        waiters.add(app, request, done);
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
