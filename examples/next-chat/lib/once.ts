/**
 * What a process has one of. Next.js may load a module once for `instrumentation.ts` and again for its routes, so
 * a module's own variable is not it.
 */
const kept = globalThis as typeof globalThis & { nextChat?: Map<string, unknown> };

export function once<T>(name: string, make: () => T): T {
  kept.nextChat ??= new Map();
  if (!kept.nextChat.has(name)) kept.nextChat.set(name, make());
  return kept.nextChat.get(name) as T;
}
