/** For tests: a relay in memory or in a file, and an app with an owner, agents, people and devices that have real keys. */
import {
  agentKeys,
  appendEntry,
  base64url,
  type Change,
  type Consume,
  decryptionKey,
  deviceIdOf,
  ed25519Signer,
  enrolmentMac,
  foundRoster,
  invitationToken,
  newInvitationCode,
  newToken,
  type Paper,
  type Reply,
  type RequestView,
  randomBytes,
  readHeader,
  replyDigest,
  type Signer,
  type Statement,
  sealReply,
  sealRequest,
  signEntry,
  signObject,
  type Terms,
  tokenHash,
} from "@guard/core";
import { createRelay, type Relay, type RelayOptions } from "../index.ts";

export const operatorToken = "operator-token-of-the-tests";

export interface Answered {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads replies of many shapes, and asserts what it reads
  readonly body: any;
  readonly headers: Headers;
}

type Options = Partial<RelayOptions> & {
  readonly clock?: { now: number };
  /** Instead of a relay of its own: one that the test put together, to reach behind its wires. */
  readonly front?: Pick<Relay, "fetch" | "key">;
};

export async function world({ clock = { now: Date.now() }, front, ...options }: Options = {}) {
  const whole = () =>
    createRelay({ database: ":memory:", operatorToken, logger: false, now: () => clock.now, ...options });
  const relay = (front as Relay | undefined) ?? (await whole());

  async function call(
    token: string | null,
    method: "GET" | "POST",
    path: string,
    body?: unknown,
    init: RequestInit = {},
  ): Promise<Answered> {
    const headers = new Headers(init.headers);
    if (token !== null) headers.set("authorization", `Bearer ${token}`);
    if (body !== undefined && !headers.has("content-type")) headers.set("content-type", "application/json");
    const text = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
    const response = await relay.fetch(
      new Request(`http://127.0.0.1${path}`, { ...init, method, headers, ...text }),
    );
    const json = response.headers.get("content-type")?.includes("json");
    return {
      status: response.status,
      body: json ? await response.json() : response,
      headers: response.headers,
    };
  }

  async function app() {
    const root = await ed25519Signer(randomBytes(32));
    const owner = newToken();
    const first = await foundRoster(root, clock.now);
    await expectStatus(
      call(operatorToken, "POST", "/v1/apps", { root: first, tokenHash: tokenHash(owner) }),
      201,
    );
    let roster = await appendEntry(null, first);
    const { app } = roster;

    const sign = (change: Change, by: { signer: Signer; name: string } = { signer: root, name: "root" }) =>
      signEntry(roster, change, { signer: by.signer, by: by.name, now: clock.now });
    async function append(change: Change): Promise<void> {
      const entry = await sign(change);
      await expectStatus(call(owner, "POST", "/v1/roster", { entry }), 201);
      roster = await appendEntry(roster, entry);
    }
    const grantFor = (name: string, token: string, over: object = {}) =>
      signObject(root, {
        type: "guard/v1/token",
        app,
        agent: name,
        tokenHash: tokenHash(token),
        time: clock.now,
        by: "root",
        ...over,
      });

    async function agent(name: string) {
      const keys = await agentKeys(randomBytes(32));
      const token = newToken();
      const { publicKey: encryptionKey } = keys.decryption;
      await append({ kind: "agent", agent: name, key: keys.signer.key, encryptionKey });
      await expectStatus(call(owner, "POST", "/v1/tokens", { grant: await grantFor(name, token) }), 201);

      async function draft(
        over: {
          terms?: Partial<Terms>;
          paper?: Partial<Paper>;
          key?: string;
          round?: number;
          args?: Paper["action"]["args"];
          devices?: readonly { device: string; encryptionKey: string }[];
          lifetime?: number;
          useFor?: number;
        } = {},
      ) {
        const { lifetime = 60_000, useFor = 300_000, round = 0 } = over;
        const key = over.key ?? base64url(randomBytes(8));
        const terms: Terms = {
          approvers: roster
            .identities()
            .map((person) => person.identity)
            .sort(),
          quorum: 1,
          rejections: 1,
          editable: true,
          requester: null,
          ...over.terms,
        };
        const keyId = keys.keyId(app, key);
        const paper: Paper = {
          type: "guard/v1/paper",
          nonce: base64url(randomBytes(32)),
          action: { tool: "refund", args: over.args ?? { amount: 900 }, schemaDigest: null },
          salt: keys.salt(app, key),
          facts: {},
          schema: null,
          callId: null,
          session: null,
          terms,
          policy: { version: "1", rule: "rules[0]", reasons: [] },
          createdAt: clock.now,
          expiresAt: clock.now + lifetime,
          useBy: clock.now + lifetime + useFor,
          round,
          supersedes: round === 0 ? null : keys.requestId(keyId, round - 1),
          roster: roster.head,
          ...over.paper,
        };
        const devices = over.devices ?? terms.approvers.flatMap((identity) => roster.devicesOf(identity));
        const sealed = await sealRequest({ keys, paper, app, agent: name, keyId, devices });
        return { header: sealed.header, ...sealed.envelope };
      }
      type Draft = Awaited<ReturnType<typeof draft>>;
      const post = (body: unknown) => call(token, "POST", "/v1/requests", body);
      async function ask(over?: Parameters<typeof draft>[0]): Promise<RequestView> {
        const answered = await post(await draft(over));
        if (answered.status !== 201) throw new Error(JSON.stringify(answered.body));
        return answered.body;
      }
      async function consumeOf(view: RequestView, over: Partial<Consume> = {}, signer = keys.signer) {
        const { request, requestDigest, actionDigest } = readHeader(view.header);
        return signObject(signer, {
          type: "guard/v1/consume",
          app,
          request,
          requestDigest,
          effective: actionDigest,
          attempt: base64url(randomBytes(16)),
          executionTimeout: 60_000,
          roster: roster.head,
          ...over,
        });
      }
      return {
        name,
        keys,
        token,
        draft,
        post,
        ask,
        consumeOf,
        get: (request: string, query = "") => call(token, "GET", `/v1/requests/${request}${query}`),
        consume: async (view: RequestView, over?: Partial<Consume>, signer?: Signer) =>
          call(token, "POST", `/v1/requests/${view.request}/consume`, {
            consume: await consumeOf(view, over, signer),
          }),
        report: async (view: RequestView, attempt: string, over: object = {}) =>
          call(token, "POST", `/v1/requests/${view.request}/report`, {
            report: await signObject(keys.signer, {
              type: "guard/v1/report",
              app,
              request: view.request,
              attempt,
              status: "completed",
              time: clock.now,
              ...over,
            }),
          }),
        cancel: async (view: RequestView) =>
          call(token, "POST", `/v1/requests/${view.request}/cancel`, {
            cancel: await signObject(keys.signer, {
              type: "guard/v1/cancel",
              app,
              request: view.request,
              time: clock.now,
            }),
          }),
        asDraft: (body: Draft) => body,
      };
    }

    async function invite(identity: string, over: object = {}) {
      const code = newInvitationCode();
      const token = invitationToken(code);
      const expiresAt = clock.now + 900_000;
      const invite = await signObject(root, {
        type: "guard/v1/invite",
        app,
        tokenHash: tokenHash(token),
        identity,
        expiresAt,
        time: clock.now,
        by: "root",
        ...over,
      });
      return { code, token, expiresAt, invite };
    }

    /** Makes keys and posts them for an invitation; `confirm` puts the device onto the roster. */
    async function enrol(identity: string) {
      if (!roster.identity(identity)) await append({ kind: "identity", identity });
      const { code, token: invitation, expiresAt, invite: signed } = await invite(identity);
      await expectStatus(call(owner, "POST", "/v1/invites", { invite: signed }), 201);
      const signer = await ed25519Signer(randomBytes(32));
      const decryption = await decryptionKey(randomBytes(32));
      const token = newToken();
      const fields = {
        type: "guard/v1/enrolment" as const,
        app,
        identity,
        expiresAt,
        key: signer.key,
        encryptionKey: decryption.publicKey,
        name: "test",
        origin: "terminal",
        tokenHash: tokenHash(token),
      };
      const enrolment = await signObject(signer, { ...fields, mac: enrolmentMac(code, fields) });
      await expectStatus(call(invitation, "POST", "/v1/enrolments", { enrolment }), 201);
      const { key, encryptionKey, name, origin } = fields;
      const device = deviceIdOf(fields);

      async function answerTo(
        view: RequestView,
        over: Partial<Statement> = {},
        reply: Reply | null = null,
        by = signer,
      ) {
        const { request, requestDigest, actionDigest, agent: name } = readHeader(view.header);
        const agentEncryptionKey = roster.agent(name)?.encryptionKey ?? "";
        const sealed = reply === null ? null : await sealReply({ reply, app, device, agentEncryptionKey });
        const statement: Statement = {
          type: "guard/v1/statement",
          app,
          request,
          requestDigest,
          actionDigest,
          effective: actionDigest,
          decision: "approve",
          response: sealed === null ? null : replyDigest(sealed),
          identity,
          device,
          roster: roster.head,
          time: clock.now,
          ...over,
        };
        return { statement: await signObject(by, statement), reply: sealed };
      }
      const post = (request: string, body: unknown) =>
        call(token, "POST", `/v1/requests/${request}/statements`, body);
      return {
        identity,
        device,
        token,
        invitation,
        enrolment,
        signer,
        encryptionKey,
        confirm: () => append({ kind: "device", device, identity, key, encryptionKey, name, origin }),
        get: (request: string, query = "") => call(token, "GET", `/v1/requests/${request}${query}`),
        answerTo,
        post,
        answer: async (view: RequestView, over?: Partial<Statement>, reply?: Reply | null, by?: Signer) =>
          post(view.request, await answerTo(view, over, reply, by)),
      };
    }

    await append({ kind: "relay", relay: "relay", key: relay.key });
    return {
      app,
      root,
      owner,
      first,
      sign,
      append,
      agent,
      invite,
      enrol,
      grantFor,
      roster: () => roster,
      async device(identity: string) {
        const device = await enrol(identity);
        await device.confirm();
        return device;
      },
    };
  }

  return { relay, clock, call, app };
}

async function expectStatus(answered: Promise<Answered>, status: number): Promise<void> {
  const got = await answered;
  if (got.status !== status) throw new Error(`${got.status} ${JSON.stringify(got.body)}`);
}

/** An app with one agent and Alice's device; `app2` makes another one beside it. */
export async function office(options: Options = {}) {
  const place = await world(options);
  async function staffed() {
    const app = await place.app();
    return { app, agent: await app.agent("billing"), alice: await app.device("alice@example.com") };
  }
  return { ...place, ...(await staffed()), app2: staffed };
}

/** Reads events of a stream until `count` are there, or it ends. */
export async function events(response: Response, count: number): Promise<{ event: string; data: unknown }[]> {
  const found: { event: string; data: unknown }[] = [];
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (found.length < count) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (event && data) found.push({ event, data: JSON.parse(data) });
    }
  }
  reader.releaseLock();
  return found;
}
