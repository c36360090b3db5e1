/** Answering: whose statements the relay takes, and what they add up to. One transaction decides (expiry-race). */
import {
  type Answer,
  type Answered,
  idOf,
  outcomeOf,
  type RequestView,
  type Roster,
  readStatement,
  readUnsigned,
  replyDigest,
  type SealedReply,
  type Signed,
  type SigningKey,
  verifySigned,
  whyNotCounted,
} from "@guard/core";
import type { RequestRow } from "../store/schema.ts";
import type { Unit } from "../store/store.ts";
import {
  type AgentPrincipal,
  type Context,
  checkClock,
  type DevicePrincipal,
  withRoster,
} from "./context.ts";
import { headerOf, move, settle, statementsOf, touch } from "./lifecycle.ts";
import { Refusal, readable, refuse } from "./refusal.ts";
import type { RequestEvent } from "./transitions.ts";
import { viewOf, visible } from "./views.ts";

const events: Readonly<Record<string, RequestEvent>> = {
  approved: "approve",
  rejected: "reject",
  superseded: "supersede",
};

/** Takes one device's statement. The same one again is a lost reply; after the outcome it is recorded as late. */
export async function answer(
  context: Context,
  device: DevicePrincipal,
  request: string,
  { statement: signed, reply }: Answer,
): Promise<RequestView> {
  visible(context.store, device, request);
  const statement = readable(() => readStatement(signed));
  if (statement.device !== device.device) refuse("invalid", "The statement is not of this token's device.");
  if (statement.request !== request) refuse("invalid", "The statement answers another request.");
  if ((reply === null ? null : readable(() => replyDigest(reply))) !== statement.response)
    refuse("invalid", "The reply is not the one that the statement signs.");
  const from = device.device;
  return take(context, device, request, { signed, statement, reply, from }, (roster) => roster.device(from));
}

/**
 * Takes what an agent says that somebody answered over another system's wire. It counts only where the terms that the
 * agent signed accept that wire, and it is the agent's word alone: evidence shows it as unsigned.
 */
export async function answerUnsigned(
  context: Context,
  agent: AgentPrincipal,
  request: string,
  signed: Signed,
): Promise<RequestView> {
  visible(context.store, agent, request);
  const statement = readable(() => readUnsigned(signed));
  if (statement.request !== request) refuse("invalid", "The answer is to another request.");
  const taken = { signed, statement, reply: null, from: "" };
  return take(context, agent, request, taken, (roster) => roster.agent(agent.agent));
}

interface Taken {
  readonly signed: Signed;
  readonly statement: Answered;
  readonly reply: SealedReply | null;
  /** The device; nobody's where the agent was told. */
  readonly from: string;
}

async function take(
  context: Context,
  reader: DevicePrincipal | AgentPrincipal,
  request: string,
  { signed, statement, reply, from }: Taken,
  signerOf: (roster: Roster) => { readonly key: SigningKey } | undefined,
): Promise<RequestView> {
  return withRoster(context, reader.app, async (roster) => {
    const key = signerOf(roster)?.key;
    if (!key || !(await verifySigned(key, signed)))
      refuse(
        "invalid",
        from === ""
          ? "The answer is not signed by the request's agent."
          : "The statement is not signed by its device.",
      );
    return (unit) => {
      const now = context.clock();
      const row = settle(context, unit, visible(unit, reader, request), now);
      const stored = unit.requests.statements(row);
      const id = idOf(signed);
      const repeated = stored.find((other) => other.id === id);
      if (repeated?.late === 0) return viewOf(unit, reader, row, roster);
      const header = headerOf(row);
      const why = whyNotCounted(header, roster, statement);
      const room = stored.filter((other) => other.device === from).length < context.limits.statements;
      const record = (late: 0 | 1) =>
        unit.requests.addStatement({
          number: row.number,
          n: stored.length,
          id,
          device: from,
          statement: JSON.stringify(signed),
          reply: reply === null ? null : JSON.stringify(reply),
          late,
          received_at: now,
        });
      if (row.state !== "pending") {
        if (why === null && room && !repeated) record(1);
        return closed(row);
      }
      if (why !== null) return new Refusal("invalid", `The statement does not count: ${why}.`);
      checkClock(now, statement.time, { what: "The statement", pastToo: false });
      if (!room) return new Refusal("rate_limited", "This device answered this request too often.");
      record(0);
      return viewOf(unit, reader, count(unit, row, now), roster);
    };

    function count(unit: Unit, row: RequestRow, now: number): RequestRow {
      const event = events[outcomeOf(headerOf(row), roster, statementsOf(unit, row), now).status];
      return event ? move(context, unit, row, event) : touch(context, unit, row);
    }
  });
}

function closed(row: RequestRow): Refusal {
  if (row.state === "expired")
    return new Refusal("expired", "The request expired before this answer arrived. It does not count.");
  return new Refusal(
    "already_decided",
    `The request is ${row.state}. This answer was recorded, and does not count.`,
  );
}
