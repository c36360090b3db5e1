/** Asking: what the relay checks of a request before it takes it, and how duplicates are joined on the key id. */
import {
  ciphertextDigest,
  eligible,
  type Header,
  type NewRequest,
  type RequestView,
  type Roster,
  readHeader,
  verifySigned,
  wrapDigest,
} from "@guard/core";
import type { NewRequestRow } from "../store/requests.ts";
import type { RequestRow } from "../store/schema.ts";
import type { Unit } from "../store/store.ts";
import { type AgentPrincipal, type Context, checkClock, withRoster } from "./context.ts";
import { announce, findSettled, move, settle } from "./lifecycle.ts";
import { Refusal, readable, refuse } from "./refusal.ts";
import { dueAt, roundRule } from "./transitions.ts";
import { viewOf } from "./views.ts";

const longestRequest = 30 * 86_400_000;

/** Takes a request, or returns the one that is there. */
export async function ask(
  context: Context,
  principal: AgentPrincipal,
  body: NewRequest,
): Promise<{ created: boolean; view: RequestView }> {
  const { app, agent } = principal;
  const header = readable(() => readHeader(body.header));
  if (header.app !== app || header.agent !== agent)
    refuse("invalid", "The request is not of this token's agent.");
  return withRoster(context, app, async (roster) => {
    checkAgent(roster, agent);
    const key = roster.agent(agent)?.key;
    if (!key || !(await verifySigned(key, body.header)))
      refuse("invalid", "The request is not signed by its agent.");
    return (unit) => {
      const now = context.clock();
      const existing = findSettled(context, unit, header, now);
      if (existing) {
        if (existing.agent !== agent) return new Refusal("invalid", "This request id cannot be used.");
        return { created: false, view: viewOf(unit, principal, existing, roster) };
      }
      const found = unit.requests.latest(app, agent, header.keyId);
      const last = found ? settle(context, unit, found, now) : null;
      const rule = roundRule(last, header.round);
      if (last && rule === "join") return { created: false, view: viewOf(unit, principal, last, roster) };
      if (rule === "conflict") {
        const there = last ? `its last round is ${last.round} (${last.state})` : "it has none yet";
        return new Refusal(
          "round_conflict",
          `Round ${header.round} does not follow this key's rounds: ${there}.`,
        );
      }
      checkNew(header, body, roster, now);
      if (last && rule === "supersede") move(context, unit, last, "supersede");
      if (!unit.requests.roomOpen(app, agent, context.limits.openRequests)) {
        throw new Refusal(
          "too_many_open",
          "This agent has too many open requests. Wait for answers, or cancel some.",
          {
            retryAfter: 30_000,
          },
        );
      }
      const row = insert(unit, header, body);
      announce(context, unit, row);
      return { created: true, view: viewOf(unit, principal, row, roster) };
    };
  });
}

/** @throws Refusal where the roster has suspended the agent. */
export function checkAgent(roster: Roster, agent: string): void {
  if (roster.agent(agent)?.suspended !== false)
    refuse("suspended", `The agent ${agent} is suspended. Its owner can lift that.`);
}

function checkNew(header: Header, body: NewRequest, roster: Roster, now: number): void {
  checkClock(now, header.createdAt, { what: "The request's createdAt", pastToo: true });
  if (header.expiresAt <= now) refuse("expired", "The request has expired already.");
  if (header.expiresAt > now + longestRequest)
    refuse("invalid", "A request may be open for 30 days at most. Choose a shorter expiresIn.");
  if (readable(() => ciphertextDigest(body.ciphertext)) !== header.ciphertextHash)
    refuse("invalid", "The ciphertext is not the one that the header signs.");
  const hashes = new Map(header.recipients.map(({ device, wrapHash }) => [device, wrapHash]));
  const devices = new Set(body.wraps.map((wrap) => wrap.device));
  const matching = body.wraps.every((wrap) => hashes.get(wrap.device) === readable(() => wrapDigest(wrap)));
  if (!matching || devices.size !== body.wraps.length || devices.size !== hashes.size)
    refuse("invalid", "The wraps are not the ones that the header signs.");
  const people = eligible(header.terms);
  for (const { device } of header.recipients) {
    const record = roster.device(device);
    const active = record && roster.devicesOf(record.identity).includes(record);
    if (!active || !people.includes(record.identity))
      refuse(
        "no_device",
        `The recipient ${device} is not an active device of an approver. Fetch the roster, and seal again.`,
      );
  }
}

function insert(unit: Unit, header: Header, body: NewRequest): RequestRow {
  const { app, request, agent, createdAt, expiresAt, useBy } = header;
  const row: NewRequestRow = {
    app,
    request,
    agent,
    key_id: header.keyId,
    round: header.round,
    state: "pending",
    version: 1,
    header: body.header.body,
    header_signature: JSON.stringify(body.header.signature),
    created_at: createdAt,
    expires_at: expiresAt,
    use_by: useBy,
    due_at: dueAt("pending", { expiresAt, useBy, deadline: null }),
    attempt: null,
    receipt: null,
    report: null,
  };
  const sealed = { ciphertext: body.ciphertext, wraps: JSON.stringify(body.wraps) };
  const devices = body.wraps.map((wrap) => wrap.device);
  return unit.requests.add(row, sealed, devices);
}
