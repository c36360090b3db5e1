/**
 * An agent with Noxy's client, in a process of its own, that waits for many decisions at once: held by the relay
 * and, beside it, by the published schedule of questions. Says when it knew of each answer, either way.
 */
import { initNoxyAgentClient, pollDecisionOutcomeLoop } from "@guard/compat/noxy";
import { oneKiB } from "../asking.ts";
import { clock } from "../figure.ts";

export interface Asked {
  readonly endpoint: string;
  readonly authToken: string;
  readonly identity: string;
  readonly decisions: number;
}

/** Times are by {@link clock}. */
export type Knew =
  | { readonly kind: "asked" }
  | { readonly kind: "held" | "polled"; readonly decision: string; readonly at: number };

const say = (knew: Knew) => process.send?.(knew);

process.once("message", async ({ endpoint, authToken, identity: identityId, decisions }: Asked) => {
  const config = { endpoint, authToken, decisionTtlSeconds: 3600 };
  // Each way has a client of its own, as it would have alone.
  const [holding, asking] = [initNoxyAgentClient(config), initNoxyAgentClient(config)];
  const knows = (kind: "held" | "polled", decision: string) => () => say({ kind, decision, at: clock() });
  for (let n = 0; n < decisions; n++) {
    const [sent] = await holding.sendDecision(identityId, { tool: "refund", args: oneKiB(n) });
    const decisionId = sent?.decisionId ?? "";
    const wait = { decisionId, identityId };
    void holding.waitForDecisionOutcome(wait).then(knows("held", decisionId));
    const ask = () => asking.getDecisionOutcome(decisionId, identityId);
    void pollDecisionOutcomeLoop(ask, wait).then(knows("polled", decisionId));
  }
  say({ kind: "asked" });
});
process.on("disconnect", () => process.exit(0));
