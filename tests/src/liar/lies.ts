/**
 * The lies by name. Each takes one call, answers what it likes, and leaves alone (undefined) what it has nothing
 * to say to. What is chosen comes from outside, so that a seed or a property test repeats it.
 */
import { clock, equivocate, garble, repeat, swallow } from "./dealing.ts";
import { forge } from "./forging.ts";
import { reorder, replay, splice, truncate, withhold } from "./mixing.ts";
import type { Telling } from "./telling.ts";

export const lies = {
  forge,
  withhold,
  replay,
  splice,
  reorder,
  truncate,
  equivocate,
  swallow,
  repeat,
  garble,
  clock,
} as const satisfies Record<string, Telling>;

export type LieName = keyof typeof lies;
export const lieNames = Object.keys(lies) as LieName[];
export const isLieName = (name: string): name is LieName => Object.hasOwn(lies, name);
