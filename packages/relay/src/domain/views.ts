/** What agents and devices may see: an agent its own requests, a device those that are sealed to it. */
import type { Envelope, RequestList, RequestView, Roster } from "@guard/core";
import type { RequestRow } from "../store/schema.ts";
import type { Tables } from "../store/store.ts";
import type { AgentPrincipal, Context, DevicePrincipal } from "./context.ts";
import { settle, signedHeader, sweep } from "./lifecycle.ts";
import { notFound, refuse } from "./refusal.ts";
import { isAlive } from "./tokens.ts";

type Reader = AgentPrincipal | DevicePrincipal;

/** The request, if the reader may see it; anything else does not exist. */
export function visible(tables: Pick<Tables, "requests">, reader: Reader, request: string): RequestRow {
  const row = tables.requests.find(reader.app, request);
  const own =
    row &&
    (reader.kind === "agent" ? row.agent === reader.agent : tables.requests.sealedTo(row, reader.device));
  return own ? row : notFound();
}

export function viewOf(
  tables: Pick<Tables, "requests">,
  reader: Reader,
  row: RequestRow,
  roster: Roster,
): RequestView {
  const { request, state, version } = row;
  const envelope = tables.requests.envelope(row);
  let wrap: RequestView["wrap"] = null;
  if (reader.kind === "device") {
    const found = (JSON.parse(envelope.wraps) as Envelope["wraps"]).find((w) => w.device === reader.device);
    if (found) wrap = { enc: found.enc, ciphertext: found.ciphertext };
  }
  const answers = tables.requests
    .statements(row)
    .filter((stored) => stored.late === 0)
    .map((stored) => stored.answer);
  return {
    request,
    state,
    version,
    header: signedHeader(row),
    ciphertext: envelope.ciphertext,
    wrap,
    answers,
    roster: roster.head,
  };
}

/** Reads a request; what the clock has decided meanwhile is written down first. */
function current(context: Context, reader: Reader, request: string): RequestRow {
  const row = visible(context.store, reader, request);
  const now = context.clock();
  if (row.due_at === null || row.due_at > now) return row;
  return context.store.now((unit) => settle(context, unit, visible(unit, reader, request), now));
}

/** One request; with `wait` (ms), once its version is above `version` or the time is over. */
export async function view(
  context: Context,
  reader: Reader,
  options: { request: string; wait: number; version: number; signal: AbortSignal },
): Promise<RequestView> {
  const { request, version, signal } = options;
  const { app, hash } = reader;
  const until = performance.now() + options.wait;
  let row = current(context, reader, request);
  while (row.version <= version && !signal.aborted) {
    const ms = until - performance.now();
    if (ms <= 0 || context.hub.count("waits", hash) >= context.limits.waits) break;
    const changed = await context.hub.wait({ app, request, hash, ms, signal });
    checkAlive(context, reader, await context.rosters.get(app));
    row = current(context, reader, request);
    if (!changed) break;
  }
  return viewOf(context.store, reader, row, await context.rosters.get(app));
}

/** A token that was revoked while it waited gets nothing more. */
export function checkAlive(context: Context, reader: Pick<Reader, "hash">, roster: Roster): void {
  const token = context.store.tokens.find(reader.hash);
  if (!token || !isAlive(token, roster, context.clock()))
    refuse("unauthorized", "This token was revoked while it waited.");
}

const everything = -1;

/** Open: pending, approved or running, all of them. Closed: a page of the newest, or of those that came before `before`. Newest first. */
export function list(
  context: Context,
  reader: Reader,
  options: { which: "open" | "closed"; before?: string | undefined; roster: Roster },
): RequestList {
  const { which, before, roster } = options;
  sweep(context);
  const owner = reader.kind === "agent" ? reader.agent : reader.device;
  const limit = which === "open" ? everything : context.limits.listed;
  const below =
    before === undefined ? Number.MAX_SAFE_INTEGER : visible(context.store, reader, before).number;
  return {
    requests: context.store.requests.list(reader.kind, which, { app: reader.app, owner, below, limit }),
    roster: roster.head,
  };
}
