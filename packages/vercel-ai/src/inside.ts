/**
 * Knows, while a tool runs, for which sessions it does: a sub-agent in there that suspends in the same session
 * would be lost, because the SDK stores nothing of it (subagent-bypass). Where the runtime has no
 * AsyncLocalStorage nothing is noticed, and nothing runs either.
 */
const { AsyncLocalStorage } = globalThis.process?.getBuiltinModule?.("node:async_hooks") ?? {};
const storage = AsyncLocalStorage ? new AsyncLocalStorage<ReadonlySet<string>>() : null;

/** Whether this is called from a tool of the same session. */
export function isInside(session: string): boolean {
  return storage?.getStore()?.has(session) ?? false;
}

/** Calls a tool for a session; where it yields, also each of its steps. */
export function runInside<R>(session: string | undefined, call: () => R): R {
  if (!storage || session === undefined) return call();
  const sessions = new Set([...(storage.getStore() ?? []), session]);
  const result = storage.run(sessions, call);
  if (!isGenerator(result)) return result;
  const next = () => storage.run(sessions, () => result.next());
  const stop = (value?: unknown) => storage.run(sessions, () => result.return(value));
  return { [Symbol.asyncIterator]: () => ({ next, return: stop }) } as R;
}

function isGenerator(result: unknown): result is AsyncGenerator {
  return typeof result === "object" && result !== null && Symbol.asyncIterator in result && "next" in result;
}
