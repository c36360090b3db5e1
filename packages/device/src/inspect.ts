/**
 * What a person cannot judge by looking, found in a value that is shown to them: text that hides something or
 * imitates other text, and values that nobody can read (uninspectable-args, hidden-characters). Both warn; what
 * is shown stays what was signed, in full.
 */
import { canonicalJson, hexDigestOf, type Json, pathOf } from "@guard/core";
import { homographs, mostMarks, visible } from "./visible.ts";

/** A value that cannot be read by a person. All of it is safe to show. */
export interface Uninspectable {
  /** Where it is: `$.files[0].body`. A name that is itself unreadable is found where its value is. */
  readonly path: string;
  /** What it is: `a data URL (image/png)`. */
  readonly why: string;
  /** Length in UTF-8: of a string as it is, of anything else as canonical JSON. */
  readonly bytes: number;
  /** Of the same bytes, 64 hex digits as `sha256sum` prints them: for comparing with a file. */
  readonly sha256: string;
}

/** A text that is not what it seems. All of it is safe to show. */
export interface Suspicious {
  readonly path: string;
  /** `hidden`: characters that a screen does not draw. `homograph`: a word that can be taken for another. */
  readonly kind: "hidden" | "homograph";
  /** What to say about it. */
  readonly text: string;
}

/** Past this many characters nobody reads a text before they answer. */
const longText = 10_000;
/** Past this many members nobody reads a list. */
const longList = 1_000;
/** Past this many characters without a space there is nothing to read. */
const longWord = 500;
/** Where that many numbers from 0 to 255 follow each other, they are bytes. */
const manyBytes = 128;
/** Encoded text: pieces of this many characters or more, which together have {@link encodedText} or more. */
const encodedPiece = 32;
const encodedText = 100;

/** The values in `value` that a person cannot read, the outermost of each. */
export function uninspectable(value: Json): readonly Uninspectable[] {
  const found: Uninspectable[] = [];
  walk(value, [], (part, path) => {
    const why = typeof part === "string" ? unreadable(part) : listed(part);
    if (why === null) return true;
    const text = typeof part === "string" ? part : canonicalJson(part);
    found.push({
      path: visible(path),
      why,
      bytes: new TextEncoder().encode(text).length,
      sha256: hexDigestOf(text),
    });
    return false;
  });
  return found;
}

/** Why nobody can read `text`, or null. */
function unreadable(text: string): string | null {
  const url = /^\s*data:([a-z0-9.+-]+\/[a-z0-9.+-]+)?(;[^,\s]*)?,/i.exec(text);
  if (url) return `a data URL (${url[1]?.toLowerCase() ?? "text/plain"})`;
  const odd = text.match(/[^\P{C}\n\r\t\p{Cf}]|\ufffd/gu)?.length ?? 0;
  if (text.includes("\0") || odd > text.length / 20) return "binary data";
  if (encoded(text)) return "encoded or encrypted text";
  if (text.length > longText) return "a very long text";
  return /[!-~]{500}/.test(text) ? `a text without a space in ${longWord} characters` : null;
}

/** Base64, base64url, hex, alone or within other text, in lines or groups too. Names and paths made of words are none. */
function encoded(text: string): boolean {
  if (/^\s*(?:[0-9a-f]{2}[\s:]*){32,}$/i.test(text) && /[\s:]/.test(text.trim())) return true;
  let sum = 0;
  for (const piece of text.split(/[^A-Za-z0-9+/_=-]+/)) {
    const words = piece.split(/[-+/_=]+/);
    const plain = words.every((word) => /^(?:[A-Z]?[a-z]{0,24}|[A-Z]{0,24}|[0-9]{0,24})$/.test(word));
    sum = piece.length < encodedPiece || plain ? 0 : sum + piece.length;
    if (sum >= encodedText) return true;
  }
  return false;
}

/** Why nobody can read a list or an object as such, or null. */
function listed(part: Json): string | null {
  if (part === null || typeof part !== "object") return null;
  const members = Object.values(part) as readonly Json[];
  const isByte = (member: Json) =>
    typeof member === "number" && Number.isInteger(member) && member >= 0 && member <= 255;
  if (members.length >= manyBytes && members.every(isByte)) return "bytes, written as numbers";
  return members.length > longList ? `a list of ${members.length} members` : null;
}

/** The texts in `value`, names of members among them, that hide something or can be taken for others. */
export function suspicious(value: Json): readonly Suspicious[] {
  const found: Suspicious[] = [];
  walk(value, [], (part, at) => {
    if (typeof part !== "string") return true;
    const path = visible(at);
    const hidden = hiddenIn(part);
    if (hidden.length > 0) {
      found.push({ path, kind: "hidden", text: `hidden characters (${hidden.join(" ")})` });
    }
    for (const { word, looksLike, scripts } of homographs(part)) {
      const letters = `${scripts.join(" and ")} letters`;
      found.push({
        path,
        kind: "homograph",
        text: `${visible(word)} (${letters}) looks like ${visible(looksLike)}`,
      });
    }
    return true;
  });
  return found;
}

// What `visible` makes a token of, but for what ordinary text is laid out with, and the brackets themselves.
const hiddenCharacter = /[^\P{C}\n\r\t]|[^\P{Z} ]|[\p{Default_Ignorable_Code_Point}\u2800]/gu;
// An emoji's own presentation selector, and the joiner between two of them.
const emoji =
  /(?<=\p{Extended_Pictographic})\ufe0f|(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}]\ufe0f?)\u200d(?=\p{Extended_Pictographic})/gu;
/** Marks past those that {@link visible} draws. */
const stacked = new RegExp(`^[\\p{Mn}\\p{Me}]|[\\p{Mn}\\p{Me}]{${mostMarks + 1}}`, "u");
/** A run of spaces this long puts what follows out of view. */
const padding = / {40,}/g;

/** The code points that are hidden in `text`, each once; runs of spaces that push others away; marks that cover them. */
function hiddenIn(text: string): readonly string[] {
  const characters = text.replace(emoji, "").match(hiddenCharacter) ?? [];
  const runs = text.match(padding) ?? [];
  return [
    ...new Set(characters.map((character) => visible(character).slice(1, -1))),
    ...runs.map((run) => `${run.length} spaces`),
    ...(stacked.test(text.replaceAll(hiddenCharacter, "")) ? ["marks that cover others"] : []),
  ];
}

/** Calls `see` for each part of `value` and each name of a member, and goes into a part where it says true. */
function walk(part: Json, trail: (string | number)[], see: (part: Json, path: string) => boolean): void {
  if (!see(part, pathOf(trail)) || part === null || typeof part !== "object") return;
  const list = Array.isArray(part);
  for (const [key, member] of Object.entries(part)) {
    trail.push(list ? Number(key) : key);
    if (!list) see(key, pathOf(trail));
    walk(member as Json, trail, see);
    trail.pop();
  }
}
