/** What holds in every plugin and mode. Each framework has a test file, so that it is imported once and alone. */
import { describe } from "vitest";
import { again } from "./properties/again.ts";
import { declined } from "./properties/declined.ts";
import { edits } from "./properties/edits.ts";
import { forged } from "./properties/forged.ts";
import { misuse } from "./properties/misuse.ts";
import { nested } from "./properties/nested.ts";
import { once } from "./properties/once.ts";
import { random } from "./properties/random.ts";
import { siblings } from "./properties/siblings.ts";
import { transparent } from "./properties/transparent.ts";
import { waiting } from "./properties/waiting.ts";
import type { Subject } from "./subject.ts";

const properties = [
  forged,
  again,
  siblings,
  random,
  declined,
  edits,
  once,
  transparent,
  waiting,
  nested,
  misuse,
] as const;

/** What the way of calling could change; the rest is the plugin's own. */
const ofVariants: readonly (typeof properties)[number][] = [forged, siblings, transparent, waiting, nested];

export function suite(subjects: readonly Subject[]): void {
  describe.for(subjects)("$name ($mode)", (subject) => {
    for (const property of subject.variant ? ofVariants : properties) property(subject);
  });
}
