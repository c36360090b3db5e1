/**
 * Makes text safe to show to the person who decides. Agents, tools and co-approvers write what is shown, so
 * whatever a screen would not draw, or would draw somewhere else, becomes a token such as ⟨U+202E⟩.
 *
 * Guarantees: the result holds no control, format, private, unassigned or line-breaking character and no lone
 * surrogate (but `\n`, where the caller asked for it), no white space but single U+0020 runs of at most three,
 * no more than four marks on one character, which would be drawn over its neighbours, and no token that was in the
 * input: ⟨ itself becomes a token, so two texts never look like one.
 */
import { type Json, skeleton } from "@guard/core";

// C: controls, format (bidi, zero width, tags), surrogates, private use, unassigned. Z: separators and spaces.
// Default_Ignorable adds variation selectors and fillers; U+2800 is a blank that Unicode calls a symbol.
const hidden = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800\u27E8]/u;

/** What is shown as it is, as most texts are: printable ASCII, and no run of spaces that is counted. */
const plain = /^(?:[!-~]| (?! {3}))*$/;

/** What is drawn above, below or across the character before it. */
const mark = /[\p{Mn}\p{Me}]/u;
/** More than these no language writes, or hardly: what they stack reaches other lines. */
export const mostMarks = 4;

const token = (character: string) =>
  `⟨U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0")}⟩`;

/**
 * `text` with everything hidden made visible. `lines: true` keeps `\n` (and reads `\r\n` as one), for text
 * that is shown as a block of its own. `layout: true` keeps runs of spaces and draws a tab as two of them, for
 * output that was laid out on purpose and on which nothing depends (a program's log).
 */
export function visible(text: string, options: { lines?: boolean; layout?: boolean } = {}): string {
  if (plain.test(text)) return text;
  let out = "";
  let spaces = 0;
  // At its beginning a mark would be drawn on what stands before the text.
  let marks = mostMarks;
  const flush = () => {
    // A long run pushes what follows out of view, which is why its length is shown instead (padding).
    out += spaces > 3 && !options.layout ? `⟨${spaces} spaces⟩` : " ".repeat(spaces);
    spaces = 0;
  };
  const unix = options.lines ? text.replaceAll("\r\n", "\n") : text;
  const source = options.layout ? unix.replaceAll("\t", "  ") : unix;
  for (const character of source) {
    if (character === " ") {
      spaces++;
      continue;
    }
    flush();
    marks = mark.test(character) ? marks + 1 : 0;
    if (character === "\n" && options.lines) out += character;
    else out += hidden.test(character) || marks > mostMarks ? token(character) : character;
  }
  flush();
  return out;
}

const scripts = [
  "Latin",
  "Cyrillic",
  "Greek",
  "Armenian",
  "Hebrew",
  "Arabic",
  "Cherokee",
  "Georgian",
] as const;
const scriptTests = scripts.map((name) => [name, new RegExp(`\\p{Script=${name}}`, "u")] as const);

/** A word that can be taken for another one. */
export interface Homograph {
  readonly word: string;
  /** The scripts that it mixes, or the one foreign script that imitates Latin letters. */
  readonly scripts: readonly string[];
  /** What it looks like. */
  readonly looksLike: string;
}

/**
 * Words that mix scripts within themselves, or are drawn like Latin ones without being Latin (UTS #39 names
 * both). To be shown beside the text: it warns, it does not change anything.
 */
export function homographs(text: string): readonly Homograph[] {
  // ASCII is of one script alone.
  if (!/[^\0-\x7f]/.test(text)) return [];
  const found = new Map<string, Homograph>();
  for (const [word] of text.matchAll(/[\p{L}\p{M}\p{N}]+/gu)) {
    const used = scriptTests.filter(([, test]) => test.test(word)).map(([name]) => name);
    const looksLike = skeleton(word);
    const imitates = /^[a-z0-9]+$/.test(looksLike) && !used.includes("Latin") && used.length > 0;
    if (used.length > 1 || imitates) found.set(word, { word, scripts: used, looksLike });
  }
  return [...found.values()];
}

/** A string as JSON writes it, with what is hidden made visible. Line feeds stay recognisable as `\n`. */
export function visibleString(text: string): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  return `"${escaped
    .split("\n")
    .map((line) => visible(line))
    .join("\\n")}"`;
}

/** A JSON value in full, indented by two spaces, a line for each member. Nothing is cut. */
export function visibleJson(value: Json): readonly string[] {
  const lines: string[] = [];
  write(value, "", "", "");
  return lines;

  function write(part: Json, indent: string, prefix: string, suffix: string): void {
    if (part !== null && typeof part === "object") {
      const list = Array.isArray(part);
      const members: [string, Json][] = list
        ? (part as readonly Json[]).map((member) => ["", member])
        : Object.entries(part).map(([key, member]) => [`${visibleString(key)}: `, member as Json]);
      const [open, close] = list ? ["[", "]"] : ["{", "}"];
      if (members.length === 0) {
        lines.push(`${indent}${prefix}${open}${close}${suffix}`);
        return;
      }
      lines.push(`${indent}${prefix}${open}`);
      members.forEach(([name, member], i) => {
        write(member, `${indent}  `, name, i === members.length - 1 ? "" : ",");
      });
      lines.push(`${indent}${close}${suffix}`);
      return;
    }
    const scalar = typeof part === "string" ? visibleString(part) : JSON.stringify(part);
    lines.push(`${indent}${prefix}${scalar}${suffix}`);
  }
}
