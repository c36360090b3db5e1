/**
 * Which parts a request is shown in. Each has to have been in view before anything is approved (out-of-view),
 * so they are counted from the request itself, not from what happens to be drawn.
 *
 * Guarantees: the pieces of a text, put together, are the text; no piece is taller than a small screen.
 */
import { type Json, pathOf } from "@guard/core";
import { type OpenedRequest, textsOf, visible } from "@guard/device";

/** Characters of text that are watched as one: a phone shows about 45 in a line. */
const pieceLength = 300;

/** What is drawn of a text: a space at either end can be seen, and a name is one line, so that none passes for two. */
export const shown = (text: string, { name = false } = {}): string =>
  visible(text, { lines: !name }).replaceAll(/^ +| +$/g, (spaces) => "⟨U+0020⟩".repeat(spaces.length));

/** The same, cut where the watching is cut. One piece at least. */
export function pieces(text: string, options: { readonly name?: boolean } = {}): readonly string[] {
  const out: string[] = [];
  let piece = "";
  let size = 0;
  for (const character of shown(text, options)) {
    piece += character;
    // A line feed takes a whole line, however few characters stand in it.
    size += character === "\n" ? 30 : 1;
    if (size < pieceLength) continue;
    out.push(piece);
    piece = "";
    size = 0;
  }
  if (piece !== "" || out.length === 0) out.push(piece);
  return out;
}

/** The path of a member, as warnings name it: `$.order.lines[2]`. */
export const memberPath = (path: string, name: string | number): string =>
  `${path}${visible(pathOf([name]).slice(1))}`;

/** A value's members, in order; null for anything that has none to show. */
export function membersOf(value: Json): readonly (readonly [string | number, Json])[] | null {
  if (value === null || typeof value !== "object") return null;
  if (Array.isArray(value)) return (value as readonly Json[]).map((member, i) => [i, member] as const);
  return Object.entries(value) as [string, Json][];
}

export const pieceKey = (path: string, index: number) => `${path} #${index}`;
/** The key of a member's name, which is as much the agent's text as its value. */
export const nameKey = (path: string) => `${path} name`;

/** The keys of the pieces of a text. */
const textParts = (text: string, path: string, options?: { name: boolean }): readonly string[] =>
  pieces(text, options).map((_, i) => pieceKey(path, i));

/** The keys of everything that a value is drawn in; a `folded` value is one part until it is unfolded. */
export function partsOf(value: Json, folded: ReadonlySet<string>, path = "$"): readonly string[] {
  const keys: string[] = [];
  collect(value, path);
  return keys;

  function collect(part: Json, at: string): void {
    if (typeof part === "string" && !folded.has(at)) keys.push(...textParts(part, at));
    else keys.push(pieceKey(at, 0));
    if (folded.has(at)) return;
    for (const [name, member] of membersOf(part) ?? []) {
      const below = memberPath(at, name);
      if (typeof name === "string") keys.push(...textParts(name, nameKey(below), { name: true }));
      collect(member, below);
    }
  }
}

/** The keys of everything in a request that was written by somebody else than this page, in the order in which it stands. */
export function partsOfRequest(opened: OpenedRequest, folded: ReadonlySet<string>): readonly string[] {
  const { tool, title, summary, ...texts } = textsOf(opened);
  return [
    ...textParts(tool, "tool", { name: true }),
    ...partsOf(opened.args, folded),
    ...namedParts({ title, summary }),
    ...(hasMetadata(opened) ? partsOf(opened.facts.metadata as Json, folded, "metadata") : []),
    ...namedParts(texts),
  ];
}

/** The keys of texts, and of lists of them, by their names. */
function namedParts(texts: Readonly<Record<string, string | null | readonly string[]>>): readonly string[] {
  return Object.entries(texts).flatMap(([name, text]) => {
    if (text === null) return [];
    if (typeof text === "string") return textParts(text, name);
    return text.flatMap((one, i) => textParts(one, memberPath(name, i)));
  });
}

export const hasMetadata = ({ facts }: OpenedRequest): boolean =>
  facts.metadata !== undefined && Object.keys(facts.metadata).length > 0;
