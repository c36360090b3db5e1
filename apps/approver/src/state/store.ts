/**
 * A value that views watch. Guarantees: whoever subscribes is told of every change, after it was made; a listener
 * that unsubscribes another one while both are told does no harm.
 */
import { useEffect, useState } from "preact/hooks";

export interface Store<T extends object> {
  get(): T;
  /** Replaces the named members. */
  set(change: Partial<T>): void;
  subscribe(listener: () => void): () => void;
}

export function createStore<T extends object>(initial: T): Store<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(change) {
      value = { ...value, ...change };
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** The store's value; the view is drawn again with every change. */
export function useStore<T extends object>(store: Store<T>): T {
  const [value, setValue] = useState(store.get());
  useEffect(() => {
    const read = () => setValue(store.get());
    // Between drawing and this effect it may have changed.
    read();
    return store.subscribe(read);
  }, [store]);
  return value;
}

/** The time, anew every second while the page is in view: time left is part of what is shown. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const tick = () => document.visibilityState === "visible" && setNow(Date.now());
    const timer = setInterval(tick, 1000);
    document.addEventListener("visibilitychange", tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", tick);
    };
  }, []);
  return now;
}
