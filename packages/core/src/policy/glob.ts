/**
 * Globs over tool names: `*` is any run of characters (also none), everything else is itself, case included.
 * Guarantees at most pattern × name steps, because taking the leftmost place for every piece never has to be
 * taken back; no regular expression is involved.
 */

/** Compiles a glob once; the result is called for every action. */
export function globMatcher(glob: string): (name: string) => boolean {
  const pieces = glob.split("*");
  if (pieces.length === 1) return (name) => name === glob;
  const head = pieces[0] as string;
  const tail = pieces[pieces.length - 1] as string;
  const middle = pieces.slice(1, -1).filter((piece) => piece !== "");
  const shortest = head.length + tail.length;
  return (name) => {
    if (name.length < shortest || !name.startsWith(head) || !name.endsWith(tail)) return false;
    const end = name.length - tail.length;
    let from = head.length;
    for (const piece of middle) {
      const found = name.indexOf(piece, from);
      if (found < 0 || found + piece.length > end) return false;
      from = found + piece.length;
    }
    return true;
  };
}

/** Whether `glob` surely matches every name that `other` matches; only the plain cases are recognised. */
export function covers(glob: string, other: string): boolean {
  const plain = glob.replace(/\*+/g, "*");
  return plain === "*" || plain === other.replace(/\*+/g, "*");
}
