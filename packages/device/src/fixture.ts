/** For tests: an app at a real relay, its owner, one agent, and devices as people enrol them. */
import {
  agentKeys,
  appendEntry,
  base64url,
  type Change,
  createRelayClient,
  deviceIdOf,
  ed25519Signer,
  type Facts,
  foundRoster,
  type Invitation,
  invitationToken,
  type Json,
  newInvitationCode,
  newToken,
  type Paper,
  type RequestView,
  type Roster,
  randomBytes,
  readRoster,
  relayInfoSchema,
  requestViewSchema,
  type Signed,
  sealRequest,
  signEntry,
  signObject,
  type Terms,
  tokenHash,
  verifyEnrolment,
} from "@guard/core";
import * as z from "zod/mini";
import { type Device, openDevice } from "./device.ts";
import { enrol } from "./enrol.ts";
import { type DeviceStore, memoryDeviceStore } from "./profile.ts";
import { operatorToken, testRelay } from "./relay.fixture.ts";

type Fetch = typeof globalThis.fetch;
const anything = z.unknown() as z.ZodMiniType<unknown>;

/** Passes calls to `fetch` and lets `change` rewrite the JSON of the answers: a hostile relay. */
export function tampering(fetch: Fetch, change: (path: string, value: unknown) => unknown): Fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const path = new URL(request.url).pathname;
    const response = await fetch(request);
    if (!response.headers.get("content-type")?.includes("json")) return response;
    const { status, headers } = response;
    const kept = new Headers(headers);
    kept.delete("content-length");
    return new Response(JSON.stringify(change(path, await response.json())), { status, headers: kept });
  };
}

export async function party() {
  const clock = { now: Date.now() };
  const now = () => clock.now;
  const { url, fetch } = await testRelay(clock);

  const signer = await ed25519Signer(randomBytes(32));
  const operator = createRelayClient({ url, token: operatorToken, fetch });
  const root = await foundRoster(signer, now());
  const ownerToken = newToken();
  await operator.call("POST", "/v1/apps", {
    body: { root, tokenHash: tokenHash(ownerToken) },
    schema: anything,
  });
  const client = createRelayClient({ url, token: ownerToken, fetch });
  let roster: Roster = await appendEntry(null, root);
  const { app } = roster;

  async function append(change: Change): Promise<Signed> {
    const entry = await signEntry(roster, change, { signer, by: "root", now: now() });
    roster = await appendEntry(roster, entry);
    await client.call("POST", "/v1/roster", { body: { entry }, schema: anything });
    return entry;
  }

  const { value: info } = await operator.call("GET", "/v1/relay", { schema: relayInfoSchema });
  await append({ kind: "relay", relay: "relay", key: info.key });
  const keys = await agentKeys(randomBytes(32));
  await append({
    kind: "agent",
    agent: "billing",
    key: keys.signer.key,
    encryptionKey: keys.decryption.publicKey,
  });
  const agentToken = newToken();
  const grant = await signObject(signer, {
    type: "guard/v1/token",
    app,
    agent: "billing",
    tokenHash: tokenHash(agentToken),
    time: now(),
    by: "root",
  });
  await client.call("POST", "/v1/tokens", { body: { grant }, schema: anything });
  const agent = createRelayClient({ url, token: agentToken, fetch });

  async function invite(identity: string): Promise<Invitation> {
    if (!roster.identity(identity)) await append({ kind: "identity", identity });
    const code = newInvitationCode();
    const expiresAt = now() + 900_000;
    const invite = await signObject(signer, {
      type: "guard/v1/invite",
      app,
      tokenHash: tokenHash(invitationToken(code)),
      identity,
      expiresAt,
      time: now(),
      by: "root",
    });
    await client.call("POST", "/v1/invites", { body: { invite }, schema: anything });
    return { version: 1, relay: url, app, identity, expiresAt, code };
  }

  /** What the owner does once the device posted. */
  async function confirm(invitation: Invitation): Promise<void> {
    const path = `/v1/enrolments/${tokenHash(invitationToken(invitation.code))}`;
    const { value } = await client.call("GET", path, { schema: anything });
    const { enrolment } = value as { enrolment: Signed };
    const { identity, key, encryptionKey, name, origin } = await verifyEnrolment(
      invitation,
      enrolment,
      now(),
    );
    const device = deviceIdOf({ app, identity, key, encryptionKey });
    await append({ kind: "device", device, identity, key, encryptionKey, name, origin });
  }

  async function device(
    identity: string,
    options: {
      store?: DeviceStore;
      fetch?: Fetch;
      now?: () => number;
      onProblem?: (error: unknown) => void;
    } = {},
  ): Promise<Device> {
    const { store = memoryDeviceStore(), ...rest } = options;
    const invitation = await invite(identity);
    const enrolling = await enrol({ invitation, name: "test", origin: "terminal", store, fetch, now });
    await confirm(invitation);
    const profile = await enrolling.waitUntilEnrolled({ interval: 1 });
    return openDevice({ profile, store, fetch, now, ...rest });
  }

  /** Makes a request as the agent does; `post` sends it. */
  async function draft(
    options: {
      args?: Json;
      facts?: Facts;
      terms?: Partial<Terms>;
      lifetime?: number;
      devices?: readonly string[];
      paper?: Partial<Paper>;
      keys?: typeof keys;
    } = {},
  ) {
    const { terms, lifetime = 60_000 } = options;
    const all: Terms = {
      approvers: roster
        .identities()
        .map(({ identity }) => identity)
        .sort(),
      quorum: 1,
      rejections: 1,
      editable: true,
      requester: null,
      ...terms,
    };
    const sealer = options.keys ?? keys;
    const key = base64url(randomBytes(8));
    const paper: Paper = {
      type: "guard/v1/paper",
      nonce: base64url(randomBytes(32)),
      action: { tool: "refund", args: options.args ?? { amount: 900 }, schemaDigest: null },
      salt: sealer.salt(app, key),
      facts: options.facts ?? {},
      schema: null,
      callId: null,
      session: null,
      terms: all,
      policy: { version: "1", rule: "rules[0]", reasons: ["refunds are asked"] },
      createdAt: now(),
      expiresAt: now() + lifetime,
      useBy: now() + lifetime + 300_000,
      round: 0,
      supersedes: null,
      roster: roster.head,
      ...options.paper,
    };
    const recipients = all.approvers.flatMap((identity) => roster.devicesOf(identity));
    const keyId = sealer.keyId(app, key);
    const sealed = await sealRequest({
      keys: sealer,
      paper,
      app,
      agent: "billing",
      keyId,
      devices: recipients,
    });
    return { paper, body: { header: sealed.header, ...sealed.envelope } };
  }

  async function post(body: unknown): Promise<RequestView> {
    return (await agent.call("POST", "/v1/requests", { body, schema: requestViewSchema })).value;
  }

  return {
    app,
    clock,
    now,
    fetch,
    keys,
    append,
    invite,
    confirm,
    device,
    draft,
    ask: async (options?: Parameters<typeof draft>[0]) => post((await draft(options)).body),
    /** What the agent sees of a request. */
    seen: async (request: string) =>
      (await agent.call("GET", `/v1/requests/${request}`, { schema: requestViewSchema })).value,
    roster: () => roster,
    reread: () => readRoster(roster.entries, { app }),
  };
}

export type Party = Awaited<ReturnType<typeof party>>;
