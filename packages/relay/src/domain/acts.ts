/**
 * What an agent does with its own request after it was asked: consume, report, cancel. A consume is one atomic
 * step to `executing` that stores the attempt and its receipt (double-execution, consume-retry).
 */
import {
  type Consume,
  canonicalJson,
  idOf,
  outcomeOf,
  type Receipt,
  type RequestView,
  type Roster,
  readCancel,
  readConsume,
  readReport,
  type Signed,
  signObject,
  verifySigned,
} from "@guard/core";
import type { RequestRow } from "../store/schema.ts";
import type { Unit } from "../store/store.ts";
import { type AgentPrincipal, type Context, checkClock, withRoster } from "./context.ts";
import { headerOf, move, settle, statementsOf } from "./lifecycle.ts";
import { Refusal, readable, refuse } from "./refusal.ts";
import { checkAgent } from "./requests.ts";
import { after, consumeRule } from "./transitions.ts";
import { viewOf, visible } from "./views.ts";

/** Gives this attempt, and no other, the right to run. @returns the signed receipt */
export async function consume(
  context: Context,
  principal: AgentPrincipal,
  request: string,
  signed: Signed,
): Promise<Signed> {
  visible(context.store, principal, request);
  const act = readable(() => readConsume(signed));
  checkSubject(act, principal, request);
  return withRoster(context, principal.app, async (roster) => {
    checkAgent(roster, principal.agent);
    await checkSignature(roster, principal, signed);
    checkHead(roster, act);
    // Signing is asynchronous, so the receipt is made before the unit of work decides whether it counts.
    const receipt = await receiptFor(context, roster, act);
    return (unit) => {
      // Not before the receipt's own time: a clock that is set back in between revives nothing.
      const now = Math.max(context.clock(), receipt.time);
      const row = settle(context, unit, visible(unit, principal, request), now);
      const rule = consumeRule(row, act.attempt);
      if (rule === "repeat") return JSON.parse(row.receipt as string) as Signed;
      if (rule !== "take") return new Refusal(rule, refusals[rule] ?? `The request is ${row.state}.`);
      const problem = whyNotApproved(unit, row, roster, act, now);
      if (problem !== null) return new Refusal("not_approved", problem);
      move(context, unit, row, "consume", {
        attempt: act.attempt,
        receipt: JSON.stringify(receipt.signed),
        deadline: now + act.executionTimeout,
      });
      return receipt.signed;
    };
  });
}

const refusals: Readonly<Record<string, string>> = {
  in_progress: "Another attempt is running this action.",
  completed: "Another attempt has run this action.",
  unknown: "Another attempt started this action and never reported how it ended.",
  expired: "The approval was not used in time. Ask again.",
};

function checkSubject(
  act: { app: string; request: string },
  principal: AgentPrincipal,
  request: string,
): void {
  if (act.app !== principal.app || act.request !== request)
    refuse("invalid", "This was signed for another request.");
}

async function checkSignature(roster: Roster, principal: AgentPrincipal, signed: Signed): Promise<void> {
  const key = roster.agent(principal.agent)?.key;
  if (!key || !(await verifySigned(key, signed)))
    refuse("invalid", "This is not signed by the request's agent.");
}

/** The agent's head has to be one that this roster had; anything else is a fork, or a relay that was rolled back. */
function checkHead(roster: Roster, { roster: head }: Consume): void {
  const ours = roster.entries[head.seq];
  if (!ours || idOf(ours) !== head.hash) {
    refuse(
      "roster_behind",
      `The agent's roster head (${head.seq} ${head.hash}) is not in this relay's roster, whose head is ${roster.head.seq} ${roster.head.hash}.`,
    );
  }
}

async function receiptFor(
  context: Context,
  roster: Roster,
  act: Consume,
): Promise<{ signed: Signed; time: number }> {
  const own = canonicalJson(context.signer.key);
  const relay = roster.relays().find((record) => !record.revoked && canonicalJson(record.key) === own);
  if (!relay) {
    return refuse(
      "forbidden",
      "The roster does not name this relay's key, so nobody would believe its receipts. Add the key that GET /v1/relay shows to the roster.",
    );
  }
  const { app, request, requestDigest, effective, attempt } = act;
  const receipt: Receipt = {
    type: "guard/v1/receipt",
    app,
    relay: relay.relay,
    request,
    requestDigest,
    effective,
    attempt,
    roster: roster.head,
    time: context.clock(),
  };
  return { signed: await signObject(context.signer, receipt), time: receipt.time };
}

/** Counts again by the roster as of now: what a device said that was revoked since does not approve. */
function whyNotApproved(
  unit: Unit,
  row: RequestRow,
  roster: Roster,
  act: Consume,
  now: number,
): string | null {
  const header = headerOf(row);
  if (act.requestDigest !== header.requestDigest) return "The consume is for another paper.";
  const outcome = outcomeOf(header, roster, statementsOf(unit, row), now);
  if (outcome.status !== "approved")
    return "By the roster as it is now, the answers do not approve this request.";
  if (outcome.effective !== act.effective) return "Another action was approved than the one to be run.";
  return null;
}

/** Takes the word of how a run ended, also late, from `unknown`; the same report again is a lost reply. */
export async function report(
  context: Context,
  principal: AgentPrincipal,
  request: string,
  signed: Signed,
): Promise<RequestView> {
  visible(context.store, principal, request);
  const act = readable(() => readReport(signed));
  checkSubject(act, principal, request);
  return withRoster(context, principal.app, async (roster) => {
    await checkSignature(roster, principal, signed);
    return (unit) => {
      const row = settle(context, unit, visible(unit, principal, request), context.clock());
      if (row.attempt !== act.attempt)
        return new Refusal("not_approved", "This attempt did not consume the request.");
      if (row.state === "completed") return viewOf(unit, principal, row, roster);
      const moved = move(context, unit, row, "report", { report: JSON.stringify(signed) });
      return viewOf(unit, principal, moved, roster);
    };
  });
}

/** Withdraws a request that was not used; the same again is a lost reply. */
export async function cancel(
  context: Context,
  principal: AgentPrincipal,
  request: string,
  signed: Signed,
): Promise<RequestView> {
  visible(context.store, principal, request);
  const act = readable(() => readCancel(signed));
  checkSubject(act, principal, request);
  checkClock(context.clock(), act.time, { what: "The cancellation", pastToo: true });
  return withRoster(context, principal.app, async (roster) => {
    await checkSignature(roster, principal, signed);
    return (unit) => {
      const row = settle(context, unit, visible(unit, principal, request), context.clock());
      if (row.state === "cancelled") return viewOf(unit, principal, row, roster);
      if (after(row.state, "cancel") === null)
        return new Refusal(
          "already_decided",
          `The request is ${row.state} and cannot be cancelled any more.`,
        );
      return viewOf(unit, principal, move(context, unit, row, "cancel"), roster);
    };
  });
}
