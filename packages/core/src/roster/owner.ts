/**
 * The owner of an app: holds the root key (or an admin's) and signs the roster. Everything goes over the
 * relay's HTTP API; the relay checks what is signed here and can sign none of it.
 */

import * as z from "zod/mini";
import { agentKeys } from "../crypto/agent-keys.ts";
import { base64url, fromBase64url, randomBytes } from "../crypto/encoding.ts";
import type { Signer, SigningKey } from "../crypto/signature.ts";
import { headSchema, type Signed, signObject } from "../crypto/signed.ts";
import { ConfigurationError, ExpiredError, isGuardError } from "../errors.ts";
import { enrolmentViewSchema, relayInfoSchema } from "../relay/api.ts";
import { pauseFor } from "../relay/backoff.ts";
import { createRelayClient } from "../relay/client.ts";
import type { Connection } from "../relay/connection.ts";
import { followRoster, type RosterStore } from "../relay/follower.ts";
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
import { type Change, readEntry, type Target } from "./entry.ts";
import { type ForeignOwner, foreignOwner } from "./foreign-owner.ts";
import { normaliseIdentity } from "./identity.ts";
import { appOf, deviceIdOf } from "./records.ts";
import { appendEntry, foundRoster, type Roster, signEntry } from "./roster.ts";

const empty = z.object({});

export interface OwnerOptions {
  readonly relay: string;
  readonly app: string;
  /** The owner's bearer token. */
  readonly token: string;
  readonly signer: Signer;
  /** `root`, or the name of the admin whose key `signer` is. Default `root`. */
  readonly by?: string;
  readonly roster?: RosterStore | null;
  readonly fetch?: typeof globalThis.fetch | undefined;
  readonly now?: (() => number) | undefined;
}

/** An agent's secrets as they go into its connection. */
export interface AgentSecrets {
  readonly seed: string;
  readonly token: string;
}

/** An invitation that was posted. */
export interface Inviting {
  readonly invitation: Invitation;
  /** Waits for the device; what it sent is verified to come from whoever has the code. */
  waitForDevice(options?: { signal?: AbortSignal; interval?: number }): Promise<Waiting>;
}

/** A device that waits for the owner's word. */
export interface Waiting {
  readonly device: string;
  readonly fingerprint: string;
  readonly name: string;
  readonly origin: string;
  /** Puts it on the roster. */
  confirm(): Promise<void>;
}

export interface Owner extends ForeignOwner {
  readonly app: string;
  readonly relay: string;
  readonly token: string;
  /** The first root key, which the app id is the digest of. */
  readonly rootKey: SigningKey;
  roster(): Roster;
  sync(): Promise<Roster>;
  /** Signs and posts one entry; what another owner or admin added meanwhile is followed first. */
  append(change: Change): Promise<Roster>;
  /** Adds an agent and returns its connection, which is secret and kept nowhere else. */
  addAgent(name: string, secrets?: AgentSecrets): Promise<Connection>;
  /** Gives an agent of the roster a token, in place of the one before, and returns it: it is kept nowhere else. */
  grantToken(agent: string): Promise<string>;
  /** The connection of an agent whose secrets are known. */
  connectionOf(name: string, secrets: AgentSecrets): Connection;
  /** Puts an identity on the roster if it is not there, and returns its one spelling. */
  addIdentity(identity: string): Promise<string>;
  /** Invites a device of `identity`; good for `expiresIn` milliseconds, 15 min by default. */
  invite(options: { identity: string; expiresIn?: number }): Promise<Inviting>;
  suspend(agent: string, reason?: string | null): Promise<void>;
  lift(agent: string): Promise<void>;
  revoke(target: Target, reason?: string | null): Promise<void>;
  /** Says that the roster is still good: resets its age (rosterMaxAge). */
  renew(): Promise<void>;
}

/**
 * Founds an app: registers its new root key with the relay, by the operator's token, and puts the relay's
 * receipt key on its roster.
 */
export async function foundApp(options: {
  readonly relay: string;
  readonly operatorToken: string;
  /** The new root's signer: its seed is the one thing that must never be lost. */
  readonly signer: Signer;
  readonly roster?: RosterStore | null;
  readonly fetch?: typeof globalThis.fetch | undefined;
  readonly now?: (() => number) | undefined;
}): Promise<Owner> {
  const { relay, signer, fetch, now = Date.now } = options;
  const operator = createRelayClient({ url: relay, token: options.operatorToken, fetch });
  const { value: info } = await operator.call("GET", "/v1/relay", { schema: relayInfoSchema });
  const token = newToken();
  const body = { root: await foundRoster(signer, now()), tokenHash: tokenHash(token) };
  await operator.call("POST", "/v1/apps", { body, schema: headSchema });
  const app = appOf(signer.key);
  const owner = await openOwner({ relay, app, token, signer, roster: options.roster ?? null, fetch, now });
  await owner.append({ kind: "relay", relay: "relay", key: info.key });
  return owner;
}

/** Opens an app that was set up before. @throws GuardError */
export async function openOwner(options: OwnerOptions): Promise<Owner> {
  const { relay, app, token, signer, by = "root", roster: store = null, fetch, now = Date.now } = options;
  const client = createRelayClient({ url: relay, token, fetch });
  const follower = followRoster({ client, app, floor: null, store });
  await follower.ready();
  await follower.sync();
  const founding = readEntry(follower.current().entries[0] as Signed).change;
  const rootKey = (founding as Change & { kind: "root" }).key;

  async function append(change: Change): Promise<Roster> {
    for (let attempt = 1; ; attempt++) {
      const roster = follower.current();
      const entry = await signEntry(roster, change, { signer, by, now: now() });
      // Judged here first: the reason is clearer, and nothing senseless gets a signature into the world.
      await appendEntry(roster, entry);
      try {
        await client.call("POST", "/v1/roster", { body: { entry }, schema: headSchema });
        return await follower.sync();
      } catch (error) {
        if (!isGuardError(error) || error.relayCode !== "roster_conflict" || attempt >= 5) throw error;
        await follower.sync();
      }
    }
  }

  function connectionOf(agent: string, secrets: AgentSecrets): Connection {
    return {
      relay,
      app,
      rootKey,
      agent,
      token: secrets.token,
      seed: secrets.seed,
      floor: follower.current().head,
    };
  }

  async function addAgent(
    name: string,
    secrets: AgentSecrets = { seed: base64url(randomBytes(32)), token: newToken() },
  ): Promise<Connection> {
    const keys = await agentKeys(fromBase64url(secrets.seed, 32));
    const { publicKey } = keys.decryption;
    await append({ kind: "agent", agent: name, key: keys.signer.key, encryptionKey: publicKey });
    await grantToken(name, secrets.token);
    return connectionOf(name, secrets);
  }

  async function grantToken(agent: string, token = newToken()): Promise<string> {
    const hash = tokenHash(token);
    const grant: TokenGrant = { type: "guard/v1/token", app, agent, tokenHash: hash, time: now(), by };
    const body = { grant: await signObject(signer, grant) };
    await client.call("POST", "/v1/tokens", { body, schema: empty });
    return token;
  }

  async function addIdentity(name: string): Promise<string> {
    const identity = normaliseIdentity(name);
    const found = follower.current().identity(identity);
    if (found?.revoked) {
      throw new ConfigurationError(`${identity} was revoked, which is for good. Use another identity.`);
    }
    if (!found) await append({ kind: "identity", identity });
    return identity;
  }

  async function invite({
    identity: name,
    expiresIn = 15 * 60_000,
  }: {
    identity: string;
    expiresIn?: number;
  }) {
    const identity = await addIdentity(name);
    const code = newInvitationCode();
    const expiresAt = now() + expiresIn;
    const hash = tokenHash(invitationToken(code));
    const invitation: Invitation = { version: 1, relay, app, identity, expiresAt, code };
    const posted: Invite = {
      type: "guard/v1/invite",
      app,
      tokenHash: hash,
      identity,
      expiresAt,
      time: now(),
      by,
    };
    const body = { invite: await signObject(signer, posted) };
    await client.call("POST", "/v1/invites", { body, schema: empty });

    async function waitForDevice({
      signal,
      interval = 1000,
    }: {
      signal?: AbortSignal;
      interval?: number;
    } = {}): Promise<Waiting> {
      for (;;) {
        const { value } = await client.call("GET", `/v1/enrolments/${hash}`, {
          schema: enrolmentViewSchema,
          signal,
        });
        if (value.enrolment) {
          return waitingDevice(await verifyEnrolment(invitation, value.enrolment, now()));
        }
        if (now() > expiresAt) throw new ExpiredError("Nobody used the invitation in time. Invite again.");
        await pauseFor(interval, signal ?? new AbortController().signal);
        signal?.throwIfAborted();
      }
    }
    return { invitation, waitForDevice };
  }

  function waitingDevice({ identity, key, encryptionKey, name, origin }: Enrolment): Waiting {
    const device = deviceIdOf({ app, identity, key, encryptionKey });
    return {
      device,
      fingerprint: fingerprint(device),
      name,
      origin,
      async confirm() {
        await append({ kind: "device", device, identity, key, encryptionKey, name, origin });
      },
    };
  }

  return {
    app,
    relay,
    token,
    rootKey,
    roster: () => follower.current(),
    sync: () => follower.sync(),
    append,
    addAgent,
    grantToken: (agent) => grantToken(agent),
    connectionOf,
    addIdentity,
    invite,
    ...foreignOwner({ client, app, signer, by, now, sync: () => follower.sync(), append, addIdentity }),
    async suspend(agent, reason = null) {
      await append({ kind: "suspend", agent, reason });
    },
    async lift(agent) {
      await append({ kind: "lift", agent });
    },
    async revoke(target, reason = null) {
      await append({ kind: "revoke", target, reason });
    },
    async renew() {
      await append({ kind: "renew" });
    },
  };
}
