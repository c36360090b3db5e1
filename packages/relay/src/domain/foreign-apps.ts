/** Other systems' wires: switched on for an app by what its owner signs, off for every other one. */
import { type ForeignApp, Recent, type Roster, readForeignApp, type Signed } from "@guard/core";
import type { Tables } from "../store/store.ts";
import { type Context, checkClock, type Principal, withRoster } from "./context.ts";
import { ForeignRefusal } from "./foreign-refusal.ts";
import { notFound, Refusal, readable, refuse } from "./refusal.ts";
import { checkSignedBy, endDead } from "./rosters.ts";

/** Takes what the owner says about the app's wire; the newest one holds, and holds for who is connected too. */
export async function setForeignApp(context: Context, principal: Principal, signed: Signed): Promise<void> {
  const { app } = principal;
  const posted = readable(() => readForeignApp(signed));
  if (posted.app !== app) notFound();
  checkClock(context.clock(), posted.time, { what: "What switches the wire on", pastToo: true });
  await withRoster(context, app, async (roster) => {
    await checkSignedBy(roster, posted.by, signed);
    return (unit) => {
      const former = unit.foreign.app(app);
      if (former && readForeignApp(former).time > posted.time)
        return new Refusal("invalid", "Something newer was posted since. Look at it, and post anew.");
      unit.foreign.setApp(app, signed);
      unit.after(() => endDead(context, roster));
      return;
    };
  });
}

/** What the owner posted last, as signed: the secret is in it. */
export const viewForeignApp = (context: Context, { app }: Principal): Signed | null =>
  context.store.foreign.app(app);

/** By app, what its text says: reading one takes longer than storing a decision does, and it seldom changes. */
const known = new Recent<{ readonly body: string; readonly settings: ForeignApp }>(1000);

/** What the owner said last. The same words where there is no such app (cross-tenant). @throws ForeignRefusal */
export function settingsOf(tables: Pick<Tables, "foreign">, app: string): ForeignApp {
  const signed = tables.foreign.app(app);
  if (!signed) return noApp();
  const there = known.get(app);
  if (there?.body === signed.body) return there.settings;
  const settings = readForeignApp(signed);
  known.set(app, { body: signed.body, settings });
  return settings;
}

/** {@link settingsOf} of an app that is not suspended. */
export function usableSettings(tables: Pick<Tables, "foreign">, app: string): ForeignApp {
  const settings = settingsOf(tables, app);
  return settings.suspended
    ? refuse("suspended", "This app's owner has suspended this wire, and can lift that.")
    : settings;
}

/** The roster of an app that a stranger named. @throws ForeignRefusal */
export async function rosterOf(context: Context, app: string): Promise<Roster> {
  // Before the roster: reading one costs, and an app that has no wire is none here.
  usableSettings(context.store, app);
  return context.rosters.get(app);
}

function noApp(): never {
  throw new ForeignRefusal(
    "no_app",
    'There is no such app here, or this wire is not switched on for it. Its owner does that with "guard noxy enable".',
  );
}
