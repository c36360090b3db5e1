// A first program of a user of Noxy: an agent asks at a relay of ours, where nobody has a device yet.

import {
  initNoxyAgentClient,
  type NoxyGetQuotaResponse,
  NoxyQuotaStatus,
  openDecision,
  SendDecisionAndWaitNoDecisionIdError,
  sealDecision,
} from "@guard/compat/noxy";
import { isGuardError } from "@guard/core";
import { serveRelay } from "@guard/relay";
import { createBench } from "@guard/testing";

const bench = await createBench({ people: [] });
const listening = await serveRelay(bench.relay);
const settings = { name: "shop", signingSecret: null, open: true, quota: 5, suspended: false };
await bench.owner.setForeign({ wire: "noxy", ...settings });
const client = initNoxyAgentClient({
  endpoint: listening.url,
  authToken: bench.connection.token,
  decisionTtlSeconds: 60,
});
const quota: NoxyGetQuotaResponse = await client.getQuota();
const asked = await client
  .sendDecisionAndWaitForOutcome("alice", { pay: 1n })
  .catch((error: unknown) => error);
const sealing = await sealDecision(new Uint8Array(3), new Uint8Array(3)).catch((error: unknown) => error);
client.close();
await listening.close();
await bench.close();
if (
  quota.quotaRemaining !== 5 ||
  quota.status !== NoxyQuotaStatus.QUOTA_ACTIVE ||
  !(asked instanceof SendDecisionAndWaitNoDecisionIdError) ||
  !isGuardError(sealing, "validation") ||
  typeof openDecision !== "function"
) {
  throw new Error(`the packed packages do not work: ${String(asked)}`);
}
console.log("packed packages work");
