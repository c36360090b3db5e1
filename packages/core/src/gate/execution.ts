/**
 * From an approval to the running tool: decide again, consume, record, run, record.
 *
 * Guarantees: current policy has the last word; the tool starts only after the relay's signed receipt for
 * this very attempt and after the event that says so is durable; a request that this chain or the ledger
 * shows as used is not run again; a crash after that point is `unknown`, never a second run.
 */
import { canonicalJson, type Json } from "../action/canonical.ts";
import { snapshot } from "../action/snapshot.ts";
import { type Consume, type Receipt, type Report, readReceipt } from "../approval/acts.ts";
import { outcomeOf } from "../approval/outcome.ts";
import { base64url, randomBytes } from "../crypto/encoding.ts";
import { digestOf } from "../crypto/hash.ts";
import { type Signed, signObject, verifySigned } from "../crypto/signed.ts";
import {
  AlreadyExecutedError,
  DeniedError,
  InProgressError,
  isGuardError,
  UnknownStateError,
  VerificationError,
} from "../errors.ts";
import { consumedSchema, requestViewSchema } from "../relay/api.ts";
import { type Ask, type Asked, termsOf } from "./ask.ts";
import { type Context, identify, requireActive } from "./context.ts";
import { type Prepared, withArgs } from "./prepare.ts";
import { decide } from "./propose.ts";
import type { Settled } from "./settle.ts";
import { stateError } from "./states.ts";
import type { Execution } from "./types.ts";

export type Approved = Settled & { readonly status: "approved" };

/** What an action may run on: policy's own word, or an approval that was verified. */
export type Grant =
  | { readonly kind: "allowed"; readonly prepared: Prepared }
  | {
      readonly kind: "approved";
      readonly prepared: Prepared;
      readonly asked: Asked;
      readonly approved: Approved;
    };

/** What the tool is run with. */
export function grantedArgs(grant: Grant): Json {
  return grant.kind === "approved" ? grant.approved.args : grant.prepared.action.args;
}

/**
 * Decides again by current policy on what was approved (policy-changed-while-waiting). Returns the decision by
 * which it has to be asked anew, or null where the approval suffices. @throws DeniedError
 */
export function reconsider(
  context: Context,
  asked: Asked,
  approved: Approved,
): { prepared: Prepared; askAnew: Ask | null } {
  const prepared = approved.edited
    ? withArgs(asked.prepared, approved.args, context.app, context.agent)
    : asked.prepared;
  const decision = decide(context, prepared);
  if (decision.outcome === "allow") return { prepared, askAnew: null };
  // What was edited under the old terms was an edit then; whether one is allowed now is for the next request.
  const terms = { ...termsOf(context, decision, prepared), editable: asked.header.terms.editable };
  const question = { ...asked.header, terms };
  const outcome = outcomeOf(question, context.follower.current(), approved.statements, context.now());
  const met = outcome.status === "approved" && outcome.effective === approved.effective;
  return { prepared, askAnew: met ? null : decision };
}

/** A started execution: run the tool with `execution`, then say how it ended, once. */
export interface Started {
  readonly execution: Execution;
  succeeded(result: unknown): Promise<void>;
  failed(error: unknown): Promise<void>;
}

/** Consumes the grant and makes the start durable. After this resolves, the tool has to be run. */
export async function start(context: Context, grant: Grant): Promise<Started> {
  const { chain, follower } = context;
  const { prepared } = grant;
  // Again: a check may have been made hours ago.
  await identify(context);
  const request = grant.kind === "approved" ? grant.asked.header.request : null;
  const used = grant.kind === "approved" ? await consume(context, grant) : null;
  const args = grantedArgs(grant);
  const execution: Execution = { args, executionId: request ?? prepared.call, request };
  const common = { call: prepared.call, request };
  if (request !== null && chain.consumed(request)) {
    throw new AlreadyExecutedError(
      "This process has used the approval already, although the relay gave it out again.",
      { request },
    );
  }
  chain.append({
    type: "TOOL_CALL_ALLOWED",
    session: prepared.session,
    payload: {
      ...common,
      action_digest: grant.kind === "approved" ? grant.asked.header.actionDigest : prepared.digest,
      effective: prepared.digest,
      consume: used?.consume ?? null,
      receipt: used?.receipt ?? null,
      roster: follower.current().head,
    },
  });
  chain.append({
    type: "TOOL_CALL_EXECUTED",
    session: prepared.session,
    payload: { ...common, execution_id: execution.executionId, effective: prepared.digest },
  });
  await chain.flush();

  async function finish(
    status: "ok" | "error",
    resultDigest: string | null,
    error: string | null,
  ): Promise<void> {
    const payload = {
      ...common,
      execution_id: execution.executionId,
      status,
      result_digest: resultDigest,
      error,
    };
    try {
      chain.append({ type: "TOOL_RESULT", session: prepared.session, payload });
    } catch (cause) {
      const message = `${prepared.action.tool} ran, but how it ended could not be recorded. Do not run it again unseen.`;
      throw new UnknownStateError(message, { request: request ?? undefined, cause });
    }
    if (used !== null) await report(context, used.attempt, grant as Grant & { kind: "approved" }, status);
  }
  return {
    execution,
    succeeded: (result) => finish("ok", saltedDigest(prepared, result), null),
    // An error's text may hold arguments: only its name is recorded.
    failed: (error) => finish("error", null, nameOf(error)),
  };
}

async function consume(
  context: Context,
  grant: Grant & { kind: "approved" },
): Promise<{ consume: Signed; receipt: Signed; attempt: string }> {
  const { app, keys, client, follower, chain, ledger, now } = context;
  const { header } = grant.asked;
  const { request } = header;
  if (now() > header.useBy) throw stateError("expired", request);
  if (chain.consumed(request)) throw stateError("completed", request);
  requireStill(context, grant);
  const attempt = base64url(randomBytes(16));
  const body: Consume = {
    type: "guard/v1/consume",
    app,
    request,
    requestDigest: header.requestDigest,
    effective: grant.approved.effective,
    attempt,
    executionTimeout: context.executionTimeout,
    roster: follower.current().head,
  };
  const signed = await signObject(keys.signer, body);
  const { value } = await client.call("POST", `/v1/requests/${request}/consume`, {
    schema: consumedSchema,
    body: { consume: signed },
  });
  const receipt = await verifyReceipt(context, body, value.receipt);
  // As the verifier will judge it, whatever this machine's clock shows (clock-rollback, stale-grant).
  if (receipt.time > header.useBy) throw stateError("expired", request);
  // After the relay's word, so that a consume which fails for another reason leaves nothing taken.
  if (ledger && (await ledger.claim(request, attempt)) !== true) {
    throw new InProgressError("The ledger shows that another process took this action.", { request });
  }
  // By the newest roster that the receipt names: a device or agent may have gone in the meantime.
  requireStill(context, grant);
  requireActive(context, follower.current());
  return { consume: signed, receipt: value.receipt, attempt };
}

/** Counts again by the roster of now. @throws DeniedError where an approval does not hold any more (revoked-device) */
function requireStill({ follower, now }: Context, grant: Grant & { kind: "approved" }): void {
  const { approved, asked } = grant;
  const outcome = outcomeOf(asked.header, follower.current(), approved.statements, now());
  if (outcome.status === "approved" && outcome.effective === approved.effective) return;
  throw new DeniedError(
    "The approval does not hold any more: a person or device was revoked since. Ask again.",
    {
      request: asked.header.request,
      reasons: ["an approver or device was revoked since"],
    },
  );
}

/** @throws VerificationError where the receipt is not a rostered relay's, or for another attempt. */
async function verifyReceipt(context: Context, consume: Consume, signed: Signed): Promise<Receipt> {
  const receipt = readReceipt(signed);
  const same = (["app", "request", "requestDigest", "effective", "attempt"] as const).every(
    (name) => receipt[name] === consume[name],
  );
  let relay = context.follower.current().relay(receipt.relay);
  if (!relay) relay = (await context.follower.sync()).relay(receipt.relay);
  if (!same || !relay || relay.revoked || !(await verifySigned(relay.key, signed))) {
    throw new VerificationError(
      "The relay's receipt is not for this run, or not signed by a relay of the roster. Nothing ran.",
      {
        request: consume.request,
      },
    );
  }
  await context.follower.reach(receipt.roster);
  return receipt;
}

/** Tells the relay how the run ended. The run is over: an outage here leaves `unknown` there, and a log line. */
async function report(
  context: Context,
  attempt: string,
  grant: Grant & { kind: "approved" },
  status: "ok" | "error",
): Promise<void> {
  const { app, keys, client, logger, now } = context;
  const { request } = grant.asked.header;
  const body: Report = {
    type: "guard/v1/report",
    app,
    request,
    attempt,
    status: status === "ok" ? "completed" : "failed",
    time: now(),
  };
  try {
    const signed = await signObject(keys.signer, body);
    await client.call("POST", `/v1/requests/${request}/report`, {
      schema: requestViewSchema,
      body: { report: signed },
    });
  } catch (error) {
    if (!isGuardError(error)) throw error;
    logger.warn(
      { request, code: error.code },
      "the relay did not take the report of a run; it will show it as unknown",
    );
  }
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return typeof error.name === "string" ? error.name.slice(0, 100).toWellFormed() : "Error";
}

/** Digest of a result under the action's salt, or null where the result is not JSON or too large for it. */
function saltedDigest(prepared: Prepared, result: unknown): string | null {
  let value: Json;
  try {
    value = result === undefined ? null : snapshot(result);
  } catch {
    // Not JSON, too large, or a getter of the result's own throws: it ran all the same, and that is recorded.
    return null;
  }
  return digestOf(canonicalJson({ type: "guard/v1/result", salt: prepared.salt, result: value }));
}
