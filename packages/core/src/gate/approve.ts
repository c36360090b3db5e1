/**
 * The stages before a grant: identify, decide, and, where people have to be asked, ask until they are settled.
 *
 * Guarantees: a grant is either policy's own "allow" or an approval that was verified and that current policy
 * still accepts; whatever approvers changed is decided again, and asked anew where it has to be.
 */
import type { Header } from "../approval/request.ts";
import { ConfigurationError } from "../errors.ts";
import { type Ask, type Asked, ask, type Mode } from "./ask.ts";
import { type Context, identify } from "./context.ts";
import { type Grant, reconsider } from "./execution.ts";
import { askForeign } from "./foreign.ts";
import { anew, type Prepared } from "./prepare.ts";
import { decide, propose } from "./propose.ts";
import type { Settled } from "./settle.ts";

/** The call that a pass is about by now: asking anew makes another one. */
export type Latest = { prepared: Prepared };

/**
 * Identify, decide and approve: to a grant, or null where `settleOn` says that nobody has answered yet.
 * Asks anew as often as edits or changed terms demand it, within reason.
 */
export async function approve(
  c: Context,
  latest: Latest,
  mode: Mode,
  settleOn: (asked: Asked) => Promise<Settled>,
): Promise<{ grant: Grant } | null> {
  await identify(c);
  let decision = decide(c, latest.prepared);
  if (decision.outcome === "allow") {
    if (decision.relay) await c.follower.sync();
    return { grant: { kind: "allowed", prepared: latest.prepared } };
  }
  let previous: Header | null = null;
  for (let round = 0; round < 10; round++) {
    const asked: Asked = await ask(c, latest.prepared, { decision: decision as Ask, mode, previous });
    latest.prepared = asked.prepared;
    if (asked.view.state === "pending") await askForeign(c, asked);
    tellPending(c, asked);
    const settled = await settleOn(asked);
    if (settled.status === "pending") return null;
    if (settled.status === "approved") {
      const { prepared, askAnew } = reconsider(c, asked, settled);
      if (askAnew === null) return { grant: { kind: "approved", prepared, asked, approved: settled } };
    }
    previous = asked.header;
    latest.prepared = anew(asked.prepared, settled.args, c.app, c.agent);
    propose(c, latest.prepared);
    const again = decide(c, latest.prepared);
    // Where policy would let the edited action pass by itself it is asked all the same: only a request can be
    // consumed, and without that a restart would run it twice.
    if (again.outcome === "ask") decision = again;
  }
  throw new ConfigurationError("An action was asked anew ten times without an end. Look at the policy.");
}

function tellPending(c: Context, asked: Asked): void {
  const { header, paper, prepared, joined } = asked;
  if (asked.view.state !== "pending") return;
  c.notifyPending({
    request: header.request,
    tool: prepared.action.tool,
    args: prepared.action.args,
    approvers: header.terms.approvers,
    quorum: header.terms.quorum,
    reasons: paper.policy.reasons,
    expiresAt: header.expiresAt,
    session: prepared.session,
    callId: prepared.callId,
    joined,
  });
}
