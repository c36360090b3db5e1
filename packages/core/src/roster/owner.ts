/**
 * What the owner of an app (or an admin) does over HTTP: found it, put agents, people and devices on its
 * roster, take them off again. Every act is signed here; the relay only keeps it.
 */
import * as z from "zod/mini";
import { agentKeys } from "../crypto/agent-keys.ts";
import { base64url, randomBytes } from "../crypto/encoding.ts";
import type { Signer } from "../crypto/signature.ts";
import { headSchema, type Signed, signObject } from "../crypto/signed.ts";
import { ConfigurationError, ExpiredError, isGuardError } from "../errors.ts";
import { enrolmentViewSchema, relayInfoSchema } from "../relay/api.ts";
import { createRelayClient, type RelayClient } from "../relay/client.ts";
import type { Connection } from "../relay/connection.ts";
import { followRoster, type RosterFollower, type RosterStore } from "../relay/follower.ts";
import {
  type Enrolment,
  fingerprint,
  type Invitation,
  type Invite,
  invitationToken,
  newInvitationCode,
  newToken,
  type TokenGrant,
  tokenHash,
  verifyEnrolment,
} from "./enrolment.ts";
import type { Change } from "./entry.ts";
import { normaliseIdentity } from "./identity.ts";
import { appOf, deviceIdOf, foundRoster, type Roster, signEntry } from "./roster.ts";

export interface OwnerOptions {
  /** Base URL of the relay. */
  readonly relay: string;
  readonly app: string;
  /** The owner's bearer token: it reads, and decides nothing. */
  readonly token: string;
  /** The root's signer, or an admin's. */
  readonly signer: Signer;
  /** `root`, or the admin's name. */
  readonly by: string;
  readonly store?: RosterStore | null;
  readonly fetch?: typeof globalThis.fetch | undefined;
  readonly now?: (() => number) | undefined;
}

/** An open invitation, seen from the inviter's side. */
export interface OpenInvitation {
  readonly invitation: Invitation;
  /** Waits for the device's keys and checks that they come from whoever has the code. @throws VerificationError (enrolment-mitm) */
  enrolment(options?: {
    signal?: AbortSignal;
    interval?: number;
  }): Promise<{ enrolment: Enrolment; fingerprint: string }>;
  /** Signs the device onto the roster. Compare the fingerprint first. */
  confirm(enrolment: Enrolment): Promise<Roster>;
}

export interface Owner {
  readonly relay: string;
  readonly app: string;
  readonly token: string;
  /** The newest roster. */
  roster(): Promise<Roster>;
  /** Signs and posts an entry; where somebody else was faster, on top of theirs. */
  append(change: Change): Promise<Roster>;
  /** Makes an agent: its keys, its token, its entry. The connection is a secret and is kept nowhere else. */
  addAgent(agent: string): Promise<Connection>;
  /** Puts an identity on the roster if it is not there. Returns its one spelling. */
  addIdentity(identity: string): Promise<string>;
  /** Invites a device of `identity`; good for `expiresIn` milliseconds (default 1 h). */
  invite(identity: string, options?: { expiresIn?: number }): Promise<OpenInvitation>;
}

const nothing = z.object({});

/** Founds an app at a relay with the operator's token, and puts the relay's receipt key on its roster. */
export async function foundApp(options: {
  relay: string;
  operatorToken: string;
  /** The new root's signer. */
  signer: Signer;
  store?: RosterStore | null;
  fetch?: typeof globalThis.fetch | undefined;
  now?: (() => number) | undefined;
}): Promise<Owner> {
  const { relay, signer, fetch, now = Date.now } = options;
  const operator = createRelayClient({ url: relay, token: options.operatorToken, fetch });
  const { value: info } = await operator.call("GET", "/v1/relay", { schema: relayInfoSchema });
  const token = newToken();
  const root = await foundRoster(signer, now());
  await operator.call("POST", "/v1/apps", {
    body: { root, tokenHash: tokenHash(token) },
    schema: headSchema,
  });
  const app = appOf(signer.key);
  const owner = openOwner({
    relay,
    app,
    token,
    signer,
    by: "root",
    store: options.store ?? null,
    fetch,
    now,
  });
  await owner.append({ kind: "relay", relay: "relay", key: info.key });
  return owner;
}

/** Takes up an app that is there. */
export function openOwner(options: OwnerOptions): Owner {
  const { relay, app, token, signer, by, fetch, now = Date.now } = options;
  const client = createRelayClient({ url: relay, token, fetch });
  const follower = followRoster({ client, app, floor: null, store: options.store ?? null, now });

  async function roster(): Promise<Roster> {
    await follower.ready();
    return follower.sync();
  }

  async function append(change: Change): Promise<Roster> {
    for (let attempt = 0; ; attempt++) {
      const entry = await signEntry(await roster(), change, { signer, by, now: now() });
      try {
        await client.call("POST", "/v1/roster", { body: { entry }, schema: headSchema });
        return await roster();
      } catch (error) {
        const raced = isGuardError(error) && error.relayCode === "roster_conflict" && attempt < 3;
        if (!raced) throw error;
        if (await isAppended(follower, entry)) return follower.current();
      }
    }
  }

  async function addIdentity(name: string): Promise<string> {
    const identity = normaliseIdentity(name);
    const found = (await roster()).identity(identity);
    if (found?.revoked)
      throw new ConfigurationError(`${identity} was revoked, which is for good. Use another identity.`);
    if (!found) await append({ kind: "identity", identity });
    return identity;
  }

  return {
    relay,
    app,
    token,
    roster,
    append,
    addIdentity,

    async addAgent(agent) {
      const seed = randomBytes(32);
      const keys = await agentKeys(seed);
      const agentToken = newToken();
      const { head, entries } = await append({
        kind: "agent",
        agent,
        key: keys.signer.key,
        encryptionKey: keys.decryption.publicKey,
      });
      const body: TokenGrant = {
        type: "guard/v1/token",
        app,
        agent,
        tokenHash: tokenHash(agentToken),
        time: now(),
        by,
      };
      const grant = await signObject(signer, body);
      await client.call("POST", "/v1/tokens", { body: { grant }, schema: nothing });
      const rootKey = rootKeyOf(entries[0] as Signed);
      return { relay, app, rootKey, agent, token: agentToken, seed: base64url(seed), floor: head };
    },

    async invite(name, { expiresIn = 3_600_000 } = {}) {
      const identity = await addIdentity(name);
      const code = newInvitationCode();
      const expiresAt = now() + expiresIn;
      const invitation: Invitation = { version: 1, relay, app, identity, expiresAt, code };
      const hash = tokenHash(invitationToken(code));
      const body: Invite = {
        type: "guard/v1/invite",
        app,
        tokenHash: hash,
        identity,
        expiresAt,
        time: now(),
        by,
      };
      await client.call("POST", "/v1/invites", {
        body: { invite: await signObject(signer, body) },
        schema: nothing,
      });
      return {
        invitation,
        enrolment: (wait) => awaitEnrolment(client, invitation, hash, now, wait),
        confirm: (enrolment) => {
          const { key, encryptionKey, name, origin } = enrolment;
          const device = deviceIdOf({ app, identity, key, encryptionKey });
          return append({ kind: "device", device, identity, key, encryptionKey, name, origin });
        },
      };
    },
  };
}

async function isAppended(follower: RosterFollower, entry: Signed): Promise<boolean> {
  const { entries } = await follower.sync();
  return entries.some((there) => there.body === entry.body);
}

function rootKeyOf(first: Signed): Connection["rootKey"] {
  return (JSON.parse(first.body) as { change: { key: Connection["rootKey"] } }).change.key;
}

async function awaitEnrolment(
  client: RelayClient,
  invitation: Invitation,
  hash: string,
  now: () => number,
  { signal, interval = 1000 }: { signal?: AbortSignal; interval?: number } = {},
): Promise<{ enrolment: Enrolment; fingerprint: string }> {
  for (;;) {
    const { value } = await client.call("GET", `/v1/enrolments/${hash}`, {
      schema: enrolmentViewSchema,
      signal,
    });
    if (value.enrolment) {
      const enrolment = await verifyEnrolment(invitation, value.enrolment, now());
      const device = deviceIdOf(enrolment);
      return { enrolment, fingerprint: fingerprint(device) };
    }
    if (now() > invitation.expiresAt)
      throw new ExpiredError("Nobody used the invitation in time. Invite again.");
    await new Promise((resolve) => setTimeout(resolve, interval));
    signal?.throwIfAborted();
  }
}
