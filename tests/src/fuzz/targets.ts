/** All targets: everything in core, device, relay and the command line that reads bytes which others wrote. */
import type { Target } from "./target.ts";
import { canonicalTargets } from "./targets/canonical.ts";
import { displayTargets } from "./targets/display.ts";
import { evidenceTargets } from "./targets/evidence.ts";
import { fileTargets } from "./targets/files.ts";
import { policyTargets } from "./targets/policies.ts";
import { relayTargets } from "./targets/relay.ts";
import { replyTargets } from "./targets/replies.ts";
import { sealedTargets } from "./targets/sealed.ts";
import { signedTargets } from "./targets/signed.ts";
import { wordTargets } from "./targets/words.ts";
import { createWorld } from "./world.ts";

export async function createTargets(): Promise<{ targets: readonly Target[]; close(): Promise<void> }> {
  const world = await createWorld();
  const targets = [
    ...canonicalTargets(world),
    ...(await signedTargets(world)),
    ...(await sealedTargets(world)),
    ...wordTargets(world),
    ...replyTargets(world),
    ...policyTargets(),
    ...(await displayTargets(world)),
    ...evidenceTargets(world),
    ...(await fileTargets(world)),
    ...(await relayTargets()),
  ];
  return {
    targets,
    async close() {
      for (const target of targets) await target.close?.();
      await world.close();
    },
  };
}
