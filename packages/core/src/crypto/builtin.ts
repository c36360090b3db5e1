/**
 * The process's own modules, where there is a process that has them (Node), without importing a `node:`
 * module: bundles for browsers and edge runtimes stay free of them.
 */
type Process = { getBuiltinModule?: (id: string) => unknown };

/** The builtin module `id` (`node:crypto`, `node:fs`, …), or undefined where the runtime has none. */
export function builtin<T>(id: string): T | undefined {
  const process = (globalThis as { process?: Process }).process;
  return process?.getBuiltinModule?.(id) as T | undefined;
}

/** Whether there are files that last. workerd has `node:fs` as well, over a memory that ends with the request. */
export function hasFiles(): boolean {
  const { userAgent } = (globalThis as { navigator?: { userAgent?: string } }).navigator ?? {};
  return userAgent !== "Cloudflare-Workers" && builtin("node:fs") !== undefined;
}
