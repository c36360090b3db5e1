import { expect, test } from "vitest";
import { VerificationError } from "../errors.ts";
import { openChain } from "./chain.ts";
import { approvedCall, world } from "./fixture.ts";
import { type EvidenceStore, memoryEvidence } from "./store.ts";

/** A store that holds `lines`, and no checkpoint beside them. */
function holding(lines: readonly string[]): EvidenceStore {
  const store = memoryEvidence();
  return { ...store, open: async () => ({ ...(await store.open()), lines, checkpoint: null }) };
}

test("chain-tamper: a last checkpoint, which nothing vouches for, is read before it is continued", async () => {
  const at = await world();
  const chained = { app: at.app, agent: "bot", signer: at.agent, roster: () => at.roster.head };
  const store = memoryEvidence();
  const chain = await openChain({ store, ...chained });
  await approvedCall(chain, at);
  await chain.close();
  const lines = [...store.lines];
  const last = lines.at(-1) as string;
  expect(last).toContain("CHECKPOINT_CREATED");
  await expect(openChain({ store: holding(lines), ...chained })).resolves.toBeDefined();
  for (const changed of [
    last.replace("guard/v1/checkpoint", "guard/v1/checkpoints"),
    last.replace('{"checkpoint":', '{"checkpoints":'),
    last.replace(
      /("payload":).*("prev_hash")/,
      `$1${JSON.stringify(JSON.parse(lines[0] as string).payload)},$2`,
    ),
  ]) {
    expect(changed).not.toBe(last);
    const opened = openChain({ store: holding([...lines.slice(0, -1), changed]), ...chained });
    await expect(opened).rejects.toBeInstanceOf(VerificationError);
  }
});
