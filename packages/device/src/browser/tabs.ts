/** What a page has to ask its browser for: storage that is not cleared, and one tab at a time. */

/** Asks the browser not to clear this origin's storage by itself. Whether it agreed; it may refuse. */
export async function keepStorage(): Promise<boolean> {
  // Absent where the page is no secure context.
  const storage = navigator.storage as StorageManager | undefined;
  if (!storage?.persist) return false;
  return (await storage.persisted()) || (await storage.persist());
}

/** Runs `work` once no other tab of this origin is at work under the same name. */
export function exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
  return navigator.locks.request(`guard/${name}`, work) as Promise<T>;
}
