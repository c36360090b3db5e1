/**
 * Which values are drawn as one line because nobody could read them anyway (uninspectable-args). Nothing is
 * hidden by that: a folded value counts as not seen until the person opens it, or says that they decide
 * without it. Text made of words is never folded, however long it is, since the harm may stand in its middle.
 */
import type { Json } from "@guard/core";
import type { Uninspectable } from "@guard/device";
import { memberPath, membersOf } from "./parts.ts";

export interface Folded extends Uninspectable {
  /** Whether the person said that they decide without it. */
  readonly waived: boolean;
}

/** Shorter ones are read, or not read, faster than a button is pressed. */
const shortest = 600;
/** Words longer than this on average are none. */
const longestWord = 40;

function isNoText(value: Json): boolean {
  if (typeof value === "string") {
    return value.length > shortest && value.length / value.split(/\s+/).length > longestWord;
  }
  return Array.isArray(value) && value.every((member) => typeof member === "number");
}

/** Those of `found` that are folded in `value`. */
export function foldedIn(value: Json, found: readonly Uninspectable[]): readonly Uninspectable[] {
  const byPath = new Map(found.map((one) => [one.path, one]));
  const folded: Uninspectable[] = [];
  look(value, "$");
  return folded;

  function look(part: Json, path: string): void {
    const one = byPath.get(path);
    if (one && isNoText(part)) folded.push(one);
    else for (const [name, member] of membersOf(part) ?? []) look(member, memberPath(path, name));
  }
}
