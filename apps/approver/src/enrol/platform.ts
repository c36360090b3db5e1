/** What the browser says that it is. Only words depend on it. */

/** A name for this device that its person will recognise. */
export function browserName(userAgent: string): string {
  const browser =
    [
      ["Edg/", "Edge"],
      ["OPR/", "Opera"],
      ["Firefox/", "Firefox"],
      ["Chrome/", "Chrome"],
      ["CriOS/", "Chrome"],
      ["FxiOS/", "Firefox"],
      ["Safari/", "Safari"],
    ].find(([mark = ""]) => userAgent.includes(mark))?.[1] ?? "Browser";
  const system = ["iPhone", "iPad", "Android", "Windows", "Macintosh", "CrOS", "Linux"].find((mark) =>
    userAgent.includes(mark),
  );
  if (system === undefined) return browser;
  const names: Readonly<Record<string, string>> = { Macintosh: "Mac", CrOS: "Chromebook" };
  return `${browser} on ${names[system] ?? system}`;
}

/** Whether this is a tab on an iPhone or iPad, where an installed page has a storage of its own. */
export function isAppleTab(): boolean {
  const { userAgent, maxTouchPoints } = navigator;
  const touch = /iPhone|iPad|iPod/.test(userAgent) || (userAgent.includes("Macintosh") && maxTouchPoints > 1);
  // Safari's own word for it, which is older than the query.
  const { standalone } = navigator as { readonly standalone?: boolean };
  return touch && !standalone && !matchMedia("(display-mode: standalone)").matches;
}
