/**
 * Invitations and what devices post for them. The relay keeps both for the inviter to judge: the code that
 * authenticates the keys never comes here (enrolment-mitm).
 */
import {
  deviceIdOf,
  type EnrolmentView,
  normaliseIdentity,
  readEnrolment,
  readInvite,
  type Signed,
  verifySigned,
} from "@guard/core";
import { type Context, checkClock, type Principal, withRoster } from "./context.ts";
import { notFound, Refusal, readable, refuse } from "./refusal.ts";
import { checkSignedBy } from "./rosters.ts";

const longestInvitation = 30 * 86_400_000;

/** Opens an invitation: its token may enrol one device of one identity until it expires. */
export async function invite(context: Context, principal: Principal, signed: Signed): Promise<void> {
  const { app } = principal;
  const invitation = readable(() => readInvite(signed));
  const { tokenHash, identity, expiresAt } = invitation;
  if (invitation.app !== app) notFound();
  const now = context.clock();
  checkClock(now, invitation.time, { what: "The invitation", pastToo: true });
  if (readable(() => normaliseIdentity(identity)) !== identity)
    refuse("invalid", "The invitation's identity is not normalised.");
  if (expiresAt <= now) refuse("expired", "The invitation has expired already.");
  if (expiresAt > now + longestInvitation)
    refuse("invalid", "An invitation may be open for 30 days at most.");
  await withRoster(context, app, async (roster) => {
    await checkSignedBy(roster, invitation.by, signed);
    return (unit) => {
      const there = unit.invites.find(app, tokenHash);
      if (there && (JSON.parse(there.invite) as Signed).body === signed.body) return;
      if (unit.tokens.find(tokenHash))
        return new Refusal("invalid", "This invitation cannot be used. Make a new one.");
      if (unit.invites.countOpen(app, now) >= context.limits.openInvitations) {
        return new Refusal(
          "rate_limited",
          "This app has too many open invitations. Wait until some expire.",
          {
            retryAfter: 60_000,
          },
        );
      }
      unit.invites.add({ token_hash: tokenHash, app, invite: JSON.stringify(signed), expires_at: expiresAt });
      unit.tokens.add({
        hash: tokenHash,
        app,
        kind: "invitation",
        subject: "",
        created_at: now,
        expires_at: expiresAt,
      });
      return;
    };
  });
}

/** What an invitation and its enrolment are, for the owner and for the invitation itself. */
export function viewEnrolment(context: Context, principal: Principal, hash: string): EnrolmentView {
  if (principal.kind === "invitation" && principal.hash !== hash) notFound();
  const row = context.store.invites.find(principal.app, hash);
  if (!row) return notFound();
  return {
    invite: JSON.parse(row.invite),
    enrolment: row.enrolment === null ? null : JSON.parse(row.enrolment),
  };
}

/**
 * Takes a device's keys. An invitation is used once; the same enrolment again is a lost reply. The device's
 * token is kept now and comes alive when the device's entry is on the roster.
 */
export async function enrol(context: Context, principal: Principal, signed: Signed): Promise<void> {
  const { app, hash } = principal;
  const enrolment = readable(() => readEnrolment(signed));
  if (enrolment.app !== app) notFound();
  const row = context.store.invites.find(app, hash);
  if (!row) return notFound();
  const invitation = readable(() => readInvite(JSON.parse(row.invite)));
  if (enrolment.identity !== invitation.identity || enrolment.expiresAt !== invitation.expiresAt)
    refuse("invalid", "The enrolment does not fit its invitation.");
  // A passkey shows possession by the code's MAC, which only the inviter can check.
  if (enrolment.key.kind !== "webauthn" && !(await verifySigned(enrolment.key, signed)))
    refuse("invalid", "The enrolment is not signed by its own key.");
  const device = deviceIdOf(enrolment);
  const text = JSON.stringify(signed);
  const refusal = await context.store.write((unit) => {
    const now = unit.invites.find(app, hash);
    if (now?.enrolment === text) return null;
    if (now?.enrolment !== null) {
      return new Refusal("already_decided", "This invitation was used. Ask for another one.");
    }
    if (unit.tokens.find(enrolment.tokenHash))
      return new Refusal("invalid", "This token cannot be used. Make a new one.");
    unit.invites.enrol(app, hash, text);
    unit.tokens.add({
      hash: enrolment.tokenHash,
      app,
      kind: "device",
      subject: device,
      created_at: context.clock(),
      expires_at: null,
    });
    return null;
  });
  if (refusal) throw refusal;
}
