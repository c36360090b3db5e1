/** How long it takes to snapshot, seal and sign an action of 1 KiB for three devices, with the KEM that there is. */
import { agentKeys, digestOf, kemProvider, randomBytes } from "@guard/core";
import { snapshot } from "../../packages/core/src/action/snapshot.ts";
import { newRecipients, oneKiB, sealed } from "./asking.ts";
import { p50, print } from "./figure.ts";

export async function sealing(goal: number | null): Promise<void> {
  const keys = await agentKeys(randomBytes(32));
  const devices = await newRecipients(3);
  const given = oneKiB();
  const app = digestOf("an app");
  let n = 0;
  const seal = () =>
    sealed({
      keys,
      app,
      agent: "support",
      key: `k${n++}`,
      args: snapshot(given),
      devices,
      approvers: ["alice@example.com", "bob@example.com", "carol@example.com"],
      roster: { seq: 9, hash: app },
    });
  const value = await p50(seal, { samples: 60 });
  const name = `snapshot, seal and sign 1 KiB for 3 devices, KEM ${kemProvider()}`;
  print({ name, value, unit: "ms", goal, better: "lower" });
}
