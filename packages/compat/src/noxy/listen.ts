/** Hearing what a person decided. An outcome that the wire does not know is an error, and never an approval. */
import { create } from "@bufbuild/protobuf";
import { agent, agentService } from "@guard/wires/noxy";
import { type Asking, pollLoop, type Waiting } from "./poll.ts";
import type { Calling, Transport } from "./transport.ts";
import { known, type NoxyGetDecisionOutcomeResponse, NoxyHumanDecisionOutcome } from "./types.ts";

/** For how long our relay holds a question, in milliseconds: below what proxies allow a silent call. */
const longestHold = 55_000;

export interface Listener {
  outcomeOf(
    decisionId: string,
    identityId: string,
    calling: Calling,
  ): Promise<NoxyGetDecisionOutcomeResponse>;
  /** @throws WaitForDecisionOutcomeTimeoutError */
  waitFor(waiting: Omit<Waiting, "holds"> & { identityId: string }): Promise<NoxyGetDecisionOutcomeResponse>;
}

export function newListener(transport: Transport): Listener {
  async function outcomeOf(
    decisionId: string,
    identityId: string,
    calling: Calling,
  ): Promise<NoxyGetDecisionOutcomeResponse> {
    const { requestId, pending, outcome } = await transport.call(
      agentService.getDecisionOutcome,
      (requestId) => create(agent.GetDecisionOutcomeRequestSchema, { requestId, decisionId, identityId }),
      calling,
    );
    return { requestId, pending, outcome: known(NoxyHumanDecisionOutcome, outcome, "outcome") };
  }

  return {
    outcomeOf,
    async waitFor({ identityId, ...waiting }) {
      const signal = transport.ending(waiting.signal);
      const ask = ({ left }: Asking) =>
        outcomeOf(waiting.decisionId, identityId, {
          signal,
          hold: transport.holds() ? Math.min(longestHold, Math.floor(left)) : 0,
        });
      return pollLoop(ask, { ...waiting, signal, holds: transport.holds });
    },
  };
}
