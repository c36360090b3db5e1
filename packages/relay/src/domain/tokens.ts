/**
 * Tokens: who a call comes from. Only hashes are kept. Whether an agent's or a device's token is alive is not
 * stored but read from the roster, so it comes alive with the device's entry and dies with its revocation, or
 * that of its identity, at that very commit.
 */
import { type Roster, readTokenGrant, type Signed, tokenHash } from "@guard/core";
import type { TokenRow } from "../store/schema.ts";
import { type Context, checkClock, type Principal, withRoster } from "./context.ts";
import { notFound, Refusal, readable, refuse } from "./refusal.ts";
import { checkSignedBy, endDead } from "./rosters.ts";

export function isAlive(token: TokenRow, roster: Roster, now: number): boolean {
  if (token.expires_at !== null && now >= token.expires_at) return false;
  switch (token.kind) {
    case "agent":
      return roster.agent(token.subject)?.revoked === false;
    case "device": {
      const device = roster.device(token.subject);
      return device?.revoked === false && roster.identity(device.identity)?.revoked === false;
    }
    default:
      return true;
  }
}

/** The token's holder, or null where it is unknown, expired or revoked. */
export async function authenticate(context: Context, token: string): Promise<Principal | null> {
  const hash = tokenHash(token);
  const row = context.store.tokens.find(hash);
  if (!row) return null;
  const { app, kind, subject } = row;
  if (!isAlive(row, await context.rosters.get(app), context.clock())) return null;
  switch (kind) {
    case "agent":
      return { kind, app, hash, agent: subject };
    case "device":
      return { kind, app, hash, device: subject };
    default:
      return { kind, app, hash };
  }
}

/** Gives an agent its token; the one before it dies, and its streams with it. */
export async function grantToken(context: Context, principal: Principal, signed: Signed): Promise<void> {
  const { app } = principal;
  const grant = readable(() => readTokenGrant(signed));
  if (grant.app !== app) notFound();
  checkClock(context.clock(), grant.time, { what: "The token grant", pastToo: true });
  const subject = { app, kind: "agent", subject: grant.agent } as const;
  await withRoster(context, app, async (roster) => {
    await checkSignedBy(roster, grant.by, signed);
    if (roster.agent(grant.agent)?.revoked !== false) {
      return refuse("invalid", `There is no agent ${grant.agent} on the roster. Add it first.`);
    }
    return (unit) => {
      const there = unit.tokens.find(grant.tokenHash);
      const former = unit.tokens.of(subject)[0];
      if (there && there.hash === former?.hash) return;
      if (there) return new Refusal("invalid", "This token cannot be used. Make a new one.");
      if (former && grant.time < former.created_at) {
        return new Refusal("invalid", "A newer token was granted since. Make a new one.");
      }
      unit.tokens.removeOf(subject);
      unit.tokens.add({ ...subject, hash: grant.tokenHash, created_at: grant.time, expires_at: null });
      unit.after(() => endDead(context, roster));
      return;
    };
  });
}
