/**
 * Decisions: what an agent asks on another system's devices. The first answer of any device that got it closes
 * it for the identity; expiry is decided once. Nothing here is signed: an agent that acts on it trusts this relay.
 *
 * Bytes are kept until the device has acknowledged them or the decision is closed; what was decided is kept.
 */
import { randomUUID } from "node:crypto";
import { normaliseIdentity, type Roster } from "@guard/core";
import type { DecisionRow } from "../store/schema.ts";
import type { Unit } from "../store/store.ts";
import { type AgentPrincipal, type Context, withRoster } from "./context.ts";
import { settleDecision, waitName } from "./decision-state.ts";
import { settingsOf, usableSettings } from "./foreign-apps.ts";
import { type DeviceKeys, stateOf } from "./foreign-devices.ts";
import { ForeignRefusal } from "./foreign-refusal.ts";
import { notFound, Refusal, readable, refuse } from "./refusal.ts";
import { checkAgent } from "./requests.ts";
import { checkAlive } from "./views.ts";

/** One decision, sealed to one device. */
export interface RoutedDecision {
  readonly device: string;
  /** The client's id, 1 to 128 characters; empty where the relay shall make one. */
  readonly decision: string;
  /** 0 is 600. The first of a decision's routings sets it. */
  readonly ttlSeconds: number;
  readonly kemCiphertext: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

export type DeliveryStatus = "delivered" | "queued" | "no_devices";

export type Outcome = "pending" | "approved" | "rejected" | "expired";

const defaultTtl = 600;
const longestTtl = 30 * 86_400;
const longestId = 128;
const kemCiphertextLength = 1088;
const nonceLength = 12;
const tagLength = 16;

/**
 * Takes a decision for one device and sends it. The same decision to the same device again is a lost reply: the
 * first bytes stay. `decision` is empty with `no_devices`: nothing was stored. One that is closed is `queued`.
 */
export async function routeDecision(
  context: Context,
  principal: AgentPrincipal,
  routed: RoutedDecision,
): Promise<{ readonly status: DeliveryStatus; readonly decision: string }> {
  const { app, agent } = principal;
  const { device, kemCiphertext, nonce, ciphertext } = routed;
  check(context, routed);
  const decision = routed.decision || randomUUID();
  let taken = false;
  const found = await withRoster(context, app, (roster) => {
    checkCaller(roster, agent);
    return (unit) => {
      const settings = usableSettings(unit, app);
      const row = unit.foreign.find(app, device);
      if (!row || stateOf(row, settings, roster) !== "active") return null;
      const now = context.clock();
      const existing = unit.decisions.find(app, row.identity, decision);
      const there = existing && settleDecision(context, unit, existing, now);
      if (there && there.agent !== agent)
        return new Refusal("invalid", "This decision id cannot be used. Make another one.");
      if (there && there.state !== "pending") return there;
      if (there && unit.decisions.isFor(there, device)) {
        taken = context.deliveries.connected(app, device);
        return there;
      }
      if (!unit.decisions.roomInQueue(app, device, context.limits.foreignQueue))
        refuse("too_many_open", "Too many decisions wait for this device. Wait until it has taken some.");
      const taking =
        there ?? open(context, unit, { principal, quota: settings.quota, row, decision, now, routed });
      unit.decisions.deliver(taking, device, { kem_ciphertext: kemCiphertext, nonce, ciphertext });
      unit.after(() => {
        taken = context.deliveries.send(app, device, { decision, kemCiphertext, nonce, ciphertext });
      });
      return taking;
    };
  });
  if (found === null) return { status: "no_devices", decision: "" };
  return { status: taken ? "delivered" : "queued", decision };
}

function check({ limits }: Context, { decision, ttlSeconds, ...sealed }: RoutedDecision): void {
  if (decision.length > longestId || !decision.isWellFormed())
    refuse("invalid", `A decision id has at most ${longestId} characters.`);
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < 0 || ttlSeconds > longestTtl)
    refuse("invalid", "A decision may be open for 30 days at most. Choose a shorter time to live.");
  if (sealed.kemCiphertext.length !== kemCiphertextLength || sealed.nonce.length !== nonceLength)
    refuse(
      "invalid",
      `A decision has a KEM ciphertext of ${kemCiphertextLength} bytes and a nonce of ${nonceLength}.`,
    );
  if (sealed.ciphertext.length < tagLength) refuse("invalid", "The ciphertext is shorter than its tag.");
  if (sealed.ciphertext.length > limits.body)
    refuse("too_large", `A decision may have ${limits.body} bytes. Put less into it.`);
}

/** Starts a decision, which counts once, to however many devices it goes. @throws Refusal */
function open(
  context: Context,
  unit: Unit,
  of: {
    readonly principal: AgentPrincipal;
    readonly quota: number | null;
    readonly row: { readonly identity: string };
    readonly decision: string;
    readonly now: number;
    readonly routed: RoutedDecision;
  },
): DecisionRow {
  const { quota, decision, now } = of;
  const { app, agent } = of.principal;
  if (!unit.decisions.roomOpen(app, agent, context.limits.openDecisions)) {
    throw new Refusal("too_many_open", "This agent has too many open decisions. Wait for answers.", {
      retryAfter: 30_000,
    });
  }
  const month = monthOf(now);
  if (quota !== null && unit.decisions.used(app, month.name) >= quota) {
    const message = `This app's ${quota} decisions of this month are used up. Its owner can raise that with "guard noxy enable --quota".`;
    throw new ForeignRefusal("quota", message, { retryAfter: month.end - now });
  }
  unit.decisions.use(app, month.name);
  return unit.decisions.add({
    app,
    identity: of.row.identity,
    decision,
    agent,
    state: "pending",
    created_at: now,
    expires_at: now + (of.routed.ttlSeconds || defaultTtl) * 1000,
    answered_by: null,
    closed_at: null,
  });
}

/** Months are UTC's. */
function monthOf(now: number): { readonly name: string; readonly end: number } {
  const date = new Date(now);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return { name: date.toISOString().slice(0, 7), end: Date.UTC(year, month + 1, 1) };
}

/** What became of a decision; with `wait` (ms), once it is settled or the time is over. */
export async function decisionOutcome(
  context: Context,
  principal: AgentPrincipal,
  asked: {
    readonly decision: string;
    readonly identity: string;
    readonly wait?: number | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Outcome> {
  const { app, hash } = principal;
  const { decision, signal = new AbortController().signal } = asked;
  const identity = readable(() => normaliseIdentity(asked.identity));
  const until = performance.now() + (asked.wait ?? 0);
  for (;;) {
    await checkUsable(context, principal);
    const row = current(context, principal, { identity, decision });
    const ms = until - performance.now();
    const held = ms > 0 && !signal.aborted && context.hub.count("waits", hash) < context.limits.waits;
    if (row.state !== "pending" || !held) return row.state;
    const changed = await context.hub.wait({ app, request: waitName(row), hash, ms, signal });
    checkAlive(context, principal, await context.rosters.get(app));
    if (!changed) return current(context, principal, { identity, decision }).state;
  }
}

/** An agent sees its own decisions; anything else does not exist (cross-tenant). */
function current(
  context: Context,
  { app, agent }: AgentPrincipal,
  { identity, decision }: { identity: string; decision: string },
): DecisionRow {
  const row = context.store.decisions.find(app, identity, decision);
  if (!row || row.agent !== agent) return notFound();
  const now = context.clock();
  if (row.state !== "pending" || row.expires_at > now) return row;
  return context.store.now((unit) => {
    const again = unit.decisions.find(app, identity, decision);
    return again ? settleDecision(context, unit, again, now) : notFound();
  });
}

/** What is left of the month; `total` and `remaining` are the largest safe integer where nobody counts. */
export async function quotaOf(
  context: Context,
  { app, agent }: AgentPrincipal,
): Promise<{
  readonly name: string;
  readonly total: number;
  readonly remaining: number;
  readonly status: "active" | "suspended";
}> {
  checkCaller(await context.rosters.get(app), agent);
  const { name, quota, suspended } = settingsOf(context.store, app);
  const total = quota ?? Number.MAX_SAFE_INTEGER;
  const used = quota === null ? 0 : context.store.decisions.used(app, monthOf(context.clock()).name);
  return { name, total, remaining: Math.max(0, total - used), status: suspended ? "suspended" : "active" };
}

/** The active devices of an identity, oldest first. */
export async function devicesOf(
  context: Context,
  principal: AgentPrincipal,
  identity: string,
): Promise<readonly ({ readonly device: string } & DeviceKeys)[]> {
  const { app } = principal;
  const name = readable(() => normaliseIdentity(identity));
  const roster = await checkUsable(context, principal);
  const settings = usableSettings(context.store, app);
  return context.store.foreign
    .ofIdentity(app, name)
    .filter((row) => stateOf(row, settings, roster) === "active")
    .map((row) => ({ device: row.device, publicKey: row.public_key, kemKey: row.kem_key }));
}

/** The roster, where by it this agent may use this wire now (kill-switch). @throws Refusal */
async function checkUsable(context: Context, { app, agent }: AgentPrincipal): Promise<Roster> {
  const roster = await context.rosters.get(app);
  checkCaller(roster, agent);
  usableSettings(context.store, app);
  return roster;
}

function checkCaller(roster: Roster, agent: string): void {
  if (roster.agent(agent)?.revoked !== false)
    refuse("unauthorized", `The agent ${agent} is not on the roster any more.`);
  checkAgent(roster, agent);
}
