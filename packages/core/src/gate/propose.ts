/** The first two events of every call: what is proposed, and what policy says of it. */
import { DeniedError } from "../errors.ts";
import type { Decision } from "../policy/policy.ts";
import type { Context } from "./context.ts";
import type { Prepared } from "./prepare.ts";

/** Records what is about to be done. */
export function propose(context: Context, prepared: Prepared): void {
  const { call, session, callId, action, digest } = prepared;
  context.chain.append({
    type: "TOOL_CALL_PROPOSED",
    session,
    payload: {
      call,
      tool_name: action.tool,
      call_id: callId,
      action_digest: digest,
      ...(context.capture === "full" ? { args: action.args } : {}),
    },
  });
}

/** Records policy's decision on `prepared` and returns it. @throws DeniedError */
export function decide(context: Context, prepared: Prepared): Decision & { outcome: "allow" | "ask" } {
  const decision = context.policy.decide(prepared.action, prepared.facts);
  const { outcome, rule, reasons } = decision;
  context.chain.append({
    type: "POLICY_DECISION",
    session: prepared.session,
    payload: {
      call: prepared.call,
      outcome: outcome === "ask" ? "require_approval" : outcome,
      rule,
      version: context.policy.version,
      reasons,
    },
  });
  if (decision.outcome === "deny") {
    throw new DeniedError(`Policy denies ${prepared.action.tool} (${rule}): ${reasons.join("; ")}`, {
      reasons,
    });
  }
  return decision as Decision & { outcome: "allow" | "ask" };
}
