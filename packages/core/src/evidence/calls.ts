/**
 * Follows the calls of a chain: what was proposed, decided, asked, answered, allowed and run, in which order,
 * and (with a roster) whether every step that needed a signature carries it.
 *
 * Guarantees: `executed` counts only what was allowed before, once; an approval counts only if the statements,
 * the consume and the receipt prove it by the roster as of the consume.
 */
import * as z from "zod/mini";
import { type Consume, readConsume, readReceipt } from "../approval/acts.ts";
import { outcomeOf, verifyAnswers } from "../approval/outcome.ts";
import { type Header, headerSchema } from "../approval/request.ts";
import { readSigned, type Signed, verifySigned } from "../crypto/signed.ts";
import { isGuardError, VerificationError } from "../errors.ts";
import type { EventType } from "./envelope.ts";
import type { Use } from "./equivocation.ts";
import {
  type AllowedPayload,
  type DecidedPayload,
  type Payloads,
  payloadSchemas,
  type RequestedPayload,
} from "./payloads.ts";
import type { Rosters } from "./rosters.ts";
import type { Link } from "./walk.ts";

export interface CallCounts {
  proposed: number;
  allowed: number;
  approved: number;
  /** Approved with other arguments than those asked for. */
  edited: number;
  rejected: number;
  denied: number;
  executed: number;
  /** Started, and no result recorded. */
  unknown: number;
}

export interface RequestReport {
  readonly request: string;
  tool?: string;
  /** What the gate made of the answers; `pending` where it recorded nothing. */
  outcome: DecidedPayload["outcome"] | "pending";
  /** The identities whose signed statements made the outcome; empty without a roster. */
  by: readonly string[];
  /** Whether the outcome rests on what nobody but the agent signed: it came over another system's wire. */
  unsigned?: true;
  executed: boolean;
}

interface Call {
  readonly tool: string;
  readonly actionDigest: string;
  policy?: Payloads["POLICY_DECISION"]["outcome"];
  /** The newest header of this call: others may ask for the same request at the same time. */
  header?: Header;
  decided?: DecidedPayload;
  allowed?: { readonly request: string | null; readonly effective: string };
  denied?: true;
  execution?: string;
  finished?: true;
}

interface Asked {
  readonly report: RequestReport;
  allowed: boolean;
}

export interface Calls {
  readonly counts: CallCounts;
  readonly requests: readonly RequestReport[];
  readonly uses: readonly Use[];
  /** Judges one event; throws a VerificationError with the reason where it should not be there. */
  follow(link: Link): undefined | Promise<void>;
}

function refuse(why: string): never {
  throw new VerificationError(why);
}

function isFollowed(type: EventType): type is keyof Payloads {
  return Object.hasOwn(payloadSchemas, type);
}

/** `rosters` is null where only order is judged. */
export function followCalls(rosters: Rosters | null): Calls {
  const counts: CallCounts = {
    proposed: 0,
    allowed: 0,
    approved: 0,
    edited: 0,
    rejected: 0,
    denied: 0,
    executed: 0,
    unknown: 0,
  };
  const calls = new Map<string, Call>();
  const asked = new Map<string, Asked>();
  const requests: RequestReport[] = [];
  const uses: Use[] = [];

  function callOf(id: string): Call {
    return calls.get(id) ?? refuse(`call ${id} was never proposed`);
  }

  function askedOf(request: string): Asked {
    return asked.get(request) ?? refuse(`request ${request} was never asked`);
  }

  function headerOf({ header }: Call, request: string): Header {
    return header?.request === request ? header : refuse("no header of this request is in the chain");
  }

  function ask(request: string, call: Call): Asked {
    let entry = asked.get(request);
    if (!entry) {
      const report: RequestReport = { request, tool: call.tool, outcome: "pending", by: [], executed: false };
      entry = { report, allowed: false };
      asked.set(request, entry);
      requests.push(report);
    }
    return entry;
  }

  async function requested({ call: id, request, header: signed }: RequestedPayload, rosters: Rosters) {
    const call = callOf(id);
    const header = readSigned(headerSchema as z.ZodMiniType<Header>, "guard/v1/request", signed);
    ask(request, call);
    if (header.request !== request) refuse("the header is another request's");
    if (header.app !== rosters.app || header.agent !== rosters.agent) refuse("the header is another agent's");
    if (header.actionDigest !== call.actionDigest)
      refuse("the header asks for another action than was proposed");
    if (!(await verifySigned(rosters.key, signed))) refuse("the header is not signed by the agent");
    call.header = header;
  }

  async function decided(payload: DecidedPayload, time: number, rosters: Rosters) {
    const call = callOf(payload.call);
    const entry = askedOf(payload.request);
    const header = headerOf(call, payload.request);
    // A decision names no head: it is counted by what its statements knew, and again by the consume's head.
    const roster = rosters.newest(payload.statements);
    const statements = await verifyAnswers(header, roster, payload.statements);
    const outcome = outcomeOf(header, roster, statements, time);
    if (payload.outcome === "rejected" && outcome.status !== "rejected") {
      refuse("nobody's signed statements reject this request");
    }
    entry.report.by = outcome.status === payload.outcome ? outcome.by : [];
    if (statements.some(({ type }) => type === "guard/v1/unsigned")) entry.report.unsigned = true;
    if (payload.outcome === "approved" && payload.effective !== header.actionDigest) counts.edited++;
    call.decided = payload;
  }

  async function allowed(payload: AllowedPayload, time: number, rosters: Rosters) {
    const { request, effective } = payload;
    const agent = rosters.at(payload.roster).agent(rosters.agent);
    if (!agent || agent.revoked || agent.suspended) refuse("the agent was suspended or revoked");
    if (request === null) return;
    const entry = askedOf(request);
    const header = headerOf(callOf(payload.call), request);
    if (!payload.consume || !payload.receipt) return refuse("an approved call has a consume and a receipt");
    const consume = readConsume(payload.consume);
    if (!(await verifySigned(rosters.key, payload.consume))) refuse("the consume is not signed by the agent");
    if (consume.app !== header.app || consume.request !== request) refuse("the consume is another request's");
    if (consume.requestDigest !== header.requestDigest) refuse("the consume is another paper's");
    if (consume.effective !== effective) refuse("the consume is for another action");
    const roster = rosters.at(consume.roster);
    const then = roster.agent(rosters.agent);
    if (!then || then.revoked || then.suspended) refuse("the agent was suspended or revoked at the consume");
    const statements = await verifyAnswers(header, roster, callOf(payload.call).decided?.statements ?? []);
    const outcome = outcomeOf(header, roster, statements, time);
    if (outcome.status !== "approved") refuse(`the signed statements do not approve it (${outcome.status})`);
    if (outcome.effective !== effective) refuse("the signed statements approve another action");
    await receipt(payload.receipt, consume, header, rosters);
    entry.report.by = outcome.by;
  }

  async function receipt(signed: Signed, consume: Consume, header: Header, rosters: Rosters) {
    const given = readReceipt(signed);
    const relay = rosters.at(given.roster).relay(given.relay);
    if (!relay || relay.revoked) return refuse("the receipt's relay is not on the roster");
    if (!(await verifySigned(relay.key, signed))) refuse("the receipt is not signed by the relay");
    for (const name of ["app", "request", "requestDigest", "effective", "attempt"] as const) {
      if (given[name] !== consume[name]) refuse(`the receipt's ${name} is not the consume's`);
    }
    // Also where it came too late: that the relay signed it is what counts against the relay.
    uses.push({ request: given.request, attempt: given.attempt, relay: given.relay, time: given.time });
    if (given.time > header.useBy) refuse("the approval was used after its time");
  }

  const steps: { [T in keyof Payloads]: (payload: Payloads[T], time: number) => undefined | Promise<void> } =
    {
      TOOL_CALL_PROPOSED(payload) {
        counts.proposed++;
        if (calls.has(payload.call)) refuse(`call ${payload.call} was proposed twice`);
        calls.set(payload.call, { tool: payload.tool_name, actionDigest: payload.action_digest });
      },
      POLICY_DECISION(payload) {
        callOf(payload.call).policy = payload.outcome;
      },
      APPROVAL_REQUESTED(payload) {
        const call = callOf(payload.call);
        if (rosters) return requested(payload, rosters);
        ask(payload.request, call);
      },
      APPROVAL_DECIDED(payload, time) {
        const entry = askedOf(payload.request);
        entry.report.outcome = payload.outcome;
        if (payload.outcome === "approved") counts.approved++;
        if (payload.outcome === "rejected") counts.rejected++;
        if (rosters) return decided(payload, time, rosters);
        const call = callOf(payload.call);
        if (payload.outcome === "approved" && payload.effective !== call.actionDigest) counts.edited++;
        call.decided = payload;
      },
      TOOL_CALL_ALLOWED(payload, time) {
        counts.allowed++;
        const call = callOf(payload.call);
        const { request, effective } = payload;
        if (call.denied) refuse("the call was denied before");
        if (call.allowed) refuse("the call was allowed twice");
        if (payload.action_digest !== call.actionDigest) refuse("another action was proposed");
        if (request === null) {
          if (call.policy !== "allow") refuse("policy did not allow it, and nobody was asked");
          if (effective !== call.actionDigest) refuse("policy allowed another action");
        } else {
          const entry = askedOf(request);
          if (entry.allowed) refuse(`request ${request} was used twice`);
          if (call.decided?.request !== request || call.decided.outcome !== "approved")
            refuse("it was not approved");
          if (call.decided.effective !== effective) refuse("another action was approved");
          entry.allowed = true;
        }
        const done = () => {
          call.allowed = { request, effective };
        };
        if (rosters) return allowed(payload, time, rosters).then(done);
        done();
      },
      TOOL_CALL_DENIED(payload) {
        counts.denied++;
        const call = callOf(payload.call);
        call.denied = true;
        delete call.header;
      },
      TOOL_CALL_EXECUTED(payload) {
        const call = callOf(payload.call);
        counts.executed++;
        counts.unknown++;
        const entry = payload.request === null ? undefined : asked.get(payload.request);
        const again = call.execution !== undefined || entry?.report.executed === true;
        call.execution = payload.execution_id;
        // It ran, whether or not it should have: the report says so either way.
        if (entry) entry.report.executed = true;
        if (call.denied) refuse("the call was denied, and ran");
        if (!call.allowed) refuse("the call was never properly allowed, and ran");
        if (again) refuse("the call ran twice");
        if (call.allowed.request !== payload.request) refuse("another request was allowed");
        if (call.allowed.effective !== payload.effective) refuse("another action was allowed");
        delete call.header;
        delete call.decided;
      },
      TOOL_RESULT(payload) {
        const call = callOf(payload.call);
        if (call.execution !== payload.execution_id)
          refuse("it is the result of a run that is not in the chain");
        if (call.finished) refuse("the call has a result already");
        call.finished = true;
        counts.unknown--;
      },
      ERROR_RAISED: () => undefined,
    };

  return {
    counts,
    requests,
    uses,
    follow({ envelope }) {
      const type = envelope.event_type;
      if (!isFollowed(type)) return undefined;
      const parsed = z.safeParse(payloadSchemas[type] as z.ZodMiniType, envelope.payload);
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        refuse(`the payload is malformed at ${issue?.path.join(".") || "its top"}: ${issue?.message}`);
      }
      const step = steps[type] as (payload: unknown, time: number) => undefined | Promise<void>;
      return step(parsed.data, envelope.ts_unix_ms);
    },
  };
}

/** Runs a step and gives the reason where it refuses. */
export function reasonOf(error: unknown): string {
  if (isGuardError(error, "verification_failed")) return error.message;
  throw error;
}
