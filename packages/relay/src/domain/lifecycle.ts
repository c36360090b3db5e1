/** Moving a request from state to state inside a unit of work; the only place that writes a state. */
import { type Answered, type Header, readAnswer, readHeader, type Signed } from "@guard/core";
import type { RequestRow } from "../store/schema.ts";
import type { Unit } from "../store/store.ts";
import type { Context } from "./context.ts";
import { settleDecision } from "./decision-state.ts";
import { after, dueAt, dueEvent, type RequestEvent } from "./transitions.ts";

export function signedHeader(row: RequestRow): Signed {
  return { body: row.header, signature: JSON.parse(row.header_signature) };
}

export function headerOf(row: RequestRow): Header {
  return readHeader(signedHeader(row));
}

type Patch = Partial<Pick<RequestRow, "attempt" | "receipt" | "report">> & { readonly deadline?: number };

/** Moves by the table, writes, and wakes whoever is concerned once it is committed. */
export function move(
  context: Context,
  unit: Unit,
  row: RequestRow,
  event: RequestEvent,
  patch: Patch = {},
): RequestRow {
  const state = after(row.state, event);
  if (state === null) throw new Error(`A request that is ${row.state} cannot ${event}.`);
  const { deadline = null, ...columns } = patch;
  const due_at = dueAt(state, { expiresAt: row.expires_at, useBy: row.use_by, deadline });
  return write(context, unit, { ...row, ...columns, state, due_at });
}

/** Counts a change that is none of the state: another statement came in. */
export function touch(context: Context, unit: Unit, row: RequestRow): RequestRow {
  return write(context, unit, row);
}

function write(context: Context, unit: Unit, row: RequestRow): RequestRow {
  const next = { ...row, version: row.version + 1 };
  unit.requests.update(next);
  announce(context, unit, next);
  return next;
}

export function announce(context: Context, unit: Unit, row: RequestRow): void {
  const { app, agent, request, state, version } = row;
  // What is in the database was checked when it came in.
  const { recipients } = JSON.parse(row.header) as Header;
  const devices = recipients.map(({ device }) => device);
  unit.after(() => context.hub.changed({ app, agent, devices, request, state, version }));
}

/** What the clock says about a request, written down: expiry is decided once and never taken back. */
export function settle(context: Context, unit: Unit, row: RequestRow, now: number): RequestRow {
  let current = row;
  while (current.due_at !== null && current.due_at <= now) {
    current = move(context, unit, current, dueEvent(current.state));
  }
  return current;
}

/** Finds a request and settles it; undefined where there is none. */
export function findSettled(
  context: Context,
  unit: Unit,
  id: { app: string; request: string },
  now: number,
): RequestRow | undefined {
  const row = unit.requests.find(id.app, id.request);
  return row && settle(context, unit, row, now);
}

/** The statements that count towards the outcome; each was verified when it came in. */
export function statementsOf(unit: Pick<Unit, "requests">, row: RequestRow): Answered[] {
  return unit.requests
    .statements(row)
    .filter((stored) => stored.late === 0)
    .map((stored) => readAnswer(stored.answer.statement));
}

const sweepSize = 1000;

/**
 * Settles all that is due; returns how many requests and decisions changed. Invitations that are over are forgotten, so that
 * a clock which is set back later brings none of it back (clock-rollback).
 */
export function sweep(context: Context): number {
  let swept = 0;
  for (;;) {
    const now = context.clock();
    const settled = context.store.now((unit) => {
      unit.tokens.removeExpired(now);
      const due = unit.requests.due(now, sweepSize);
      for (const row of due) settle(context, unit, row, now);
      const decisions = unit.decisions.due(now, sweepSize);
      for (const row of decisions) settleDecision(context, unit, row, now);
      return { changed: due.length + decisions.length, most: Math.max(due.length, decisions.length) };
    });
    swept += settled.changed;
    if (settled.most < sweepSize) return swept;
  }
}
