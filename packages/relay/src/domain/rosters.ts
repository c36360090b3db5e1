/**
 * Rosters: verified when they are first needed, kept in memory, extended one entry at a time. The database
 * accepts one successor per head (roster-fork).
 */
import {
  appendEntry,
  type Head,
  idOf,
  isGuardError,
  type NewApp,
  type Roster,
  type RosterPage,
  readEntry,
  readRoster,
  type Signed,
  type SigningKey,
  verifySigned,
} from "@guard/core";
import type { Store } from "../store/store.ts";
import { type Context, checkClock, type Principal } from "./context.ts";
import { reviewDevices } from "./foreign-devices.ts";
import { notFound, Refusal, readable, refuse } from "./refusal.ts";
import { isAlive } from "./tokens.ts";

export interface Rosters {
  /** The newest roster of an app. @throws Refusal `not_found` */
  get(app: string): Promise<Roster>;
  /** Takes the roster that was just committed. */
  publish(roster: Roster): void;
}

export function openRosters(store: Store): Rosters {
  const known = new Map<string, Promise<Roster>>();
  return {
    get(app) {
      let roster = known.get(app);
      if (!roster) {
        const entries = store.apps.entries(app);
        if (entries.length === 0) return Promise.reject(new Refusal("not_found", "There is no such app."));
        roster = readRoster(entries, { app });
        known.set(app, roster);
        roster.catch(() => known.delete(app));
      }
      return roster;
    },
    publish: (roster) => void known.set(roster.app, Promise.resolve(roster)),
  };
}

/** Judges an entry by `before`; what it will not take is `invalid`. */
async function judged(before: Roster | null, entry: Signed): Promise<Roster> {
  try {
    return await appendEntry(before, entry);
  } catch (error) {
    if (!isGuardError(error)) throw error;
    throw new Refusal("invalid", error.message, { cause: error });
  }
}

/** Registers an app; posting the same again answers the same. */
export async function createApp(context: Context, { root, tokenHash }: NewApp): Promise<Head> {
  const entry = readable(() => readEntry(root));
  checkClock(context.clock(), entry.time, { what: "The root entry", pastToo: false });
  const roster = await judged(null, root);
  const { app, head } = roster;
  return context.store.write((unit) => {
    const token = unit.tokens.find(tokenHash);
    const there = unit.apps.head(app);
    if (there !== null) {
      const first = unit.apps.entries(app)[0] as Signed;
      if (idOf(first) === head.hash && token?.app === app && token.kind === "owner") return there;
      return refuse(
        "roster_conflict",
        "This app exists already. Use the owner's token that it was made with.",
      );
    }
    if (token) return refuse("invalid", "This token cannot be used. Make a new one.");
    unit.apps.create(app, head, root, context.clock());
    unit.tokens.add({
      hash: tokenHash,
      app,
      kind: "owner",
      subject: "",
      created_at: context.clock(),
      expires_at: null,
    });
    unit.after(() => context.rosters.publish(roster));
    return head;
  });
}

/** Appends one entry. The same entry as the head again is a lost reply, and answered as the first time. */
export async function append(context: Context, principal: Principal, signed: Signed): Promise<Head> {
  const { app } = principal;
  const entry = readable(() => readEntry(signed));
  if (entry.app !== app) notFound();
  checkClock(context.clock(), entry.time, { what: "The roster entry", pastToo: false });
  const before = await context.rosters.get(app);
  const conflict = (head: Head | null) =>
    refuse(
      "roster_conflict",
      `The entry does not follow the roster's head, which is ${head?.seq} ${head?.hash}. Fetch the roster, sign the entry again on top of it, and post that.`,
    );
  if (idOf(signed) === before.head.hash) return before.head;
  if (entry.seq !== before.head.seq + 1 || entry.prev !== before.head.hash) return conflict(before.head);
  if (before.entries.length >= context.limits.rosterEntries)
    refuse("forbidden", "This app's roster is full. The relay's operator can raise the limit rosterEntries.");
  const roster = await judged(before, signed);
  await context.store.write((unit) => {
    if (!unit.apps.append(app, before.head, roster.head, signed)) conflict(unit.apps.head(app));
    if (entry.change.kind === "foreign") unit.foreign.keep(app, entry.change.device);
    unit.after(() => {
      context.rosters.publish(roster);
      context.hub.rosterChanged(app, roster.head);
      endDead(context, roster);
    });
  });
  return roster.head;
}

/** Ends the streams whose token died with this roster (revoked-device), or was replaced, and judges foreign devices anew. */
export function endDead(context: Context, roster: Roster): void {
  context.hub.review(roster.app, ({ hash }) => {
    const token = context.store.tokens.find(hash);
    return token !== undefined && isAlive(token, roster, context.clock());
  });
  reviewDevices(context, roster);
}

const rosterPageSize = 200;

/** A page of entries; `wanted` names identities that the caller is about to ask. */
export async function page(
  context: Context,
  principal: Principal,
  options: { from: number; wanted: readonly string[] },
): Promise<RosterPage> {
  const { app, kind } = principal;
  let roster = await context.rosters.get(app);
  if (context.onWanted !== null && (kind === "agent" || kind === "owner")) {
    const missing = options.wanted.filter((identity) => roster.devicesOf(identity).length === 0);
    if (missing.length > 0) {
      await context.onWanted(app, missing);
      roster = await context.rosters.get(app);
    }
  }
  return { entries: roster.entries.slice(options.from, options.from + rosterPageSize), head: roster.head };
}

/** Checks that the root or an admin, as `by` says, signed this. */
export async function checkSignedBy(roster: Roster, by: string, signed: Signed): Promise<void> {
  const key = keyOf(roster, by);
  if (key !== null && (await verifySigned(key, signed))) return;
  refuse("invalid", `This is not signed by "${by}" of the app's roster.`);
}

function keyOf(roster: Roster, by: string): SigningKey | null {
  if (by === "root") return roster.rootKey;
  const admin = roster.admin(by);
  return admin && !admin.revoked ? admin.key : null;
}
