/** How the conversations of the vectors are said: steps, the founding of an app, and an agent and devices that talk. */
import {
  base64url,
  canonicalJson,
  enrolmentMac,
  invitationToken,
  type Signed,
  type Signer,
  signObject,
  tokenHash,
} from "../../packages/core/src/index.ts";
import { type Question, statementOf } from "./answers.ts";
import { seed, word } from "./random.ts";
import { hour, type Made } from "./sealing.ts";
import { short } from "./story.ts";
import { now, type Person, type World } from "./world.ts";

export interface Step {
  readonly at: number;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly token: string | null;
  readonly body?: unknown;
  readonly status: number;
  /** Of an error. */
  readonly code?: string;
  /** Members that the reply has to have. */
  readonly reply?: Record<string, unknown>;
}

export const operator = "operator-token-of-the-vectors";

function tokens(w: World) {
  const names = ["owner", "agent", "other agent", ...Object.keys(w.people)];
  return Object.fromEntries(names.map((name) => [name, word(`token ${name}`)])) as Record<string, string>;
}

/** Founds the app of the vectors at a relay: roster, agents' tokens, and devices with their invitations. */
export async function setup(w: World): Promise<Step[]> {
  const token = tokens(w);
  const steps: Step[] = [];
  const at = now - 60_000;
  const owner = token.owner as string;
  const post = (path: string, body: unknown, status: number, as: string | null, rest: Partial<Step> = {}) =>
    steps.push({ at, method: "POST", path, token: as, body, status, ...rest });
  const [root, ...entries] = w.calm.entries;
  post("/v1/apps", { root, tokenHash: tokenHash(owner) }, 201, operator, { reply: w.head(0) });
  post("/v1/apps", { root, tokenHash: tokenHash(owner) }, 201, operator, { reply: w.head(0) });
  for (const [name, person] of Object.entries(w.people)) await enrol(name, person);
  for (const [i, entry] of entries.entries())
    post("/v1/roster", { entry }, 201, owner, { reply: w.head(i + 1) });
  post("/v1/roster", { entry: entries.at(-1) }, 201, owner, { reply: w.calm.head });
  post("/v1/roster", { entry: entries[3] }, 409, owner, { code: "roster_conflict" });
  for (const [agent, as] of [
    ["billing", token.agent],
    ["other", token["other agent"]],
  ]) {
    const grant = {
      type: "guard/v1/token",
      app: w.app,
      agent,
      tokenHash: tokenHash(as as string),
      time: at,
      by: "root",
    };
    post("/v1/tokens", { grant: await signObject(w.root, grant as { type: string }) }, 201, owner, {
      reply: {},
    });
  }
  return steps;

  async function enrol(name: string, { identity, change, signer }: Person) {
    const code = base64url(seed(`code ${name}`).subarray(0, 16));
    const invited = invitationToken(code);
    const expiresAt = at + hour;
    const invite = {
      type: "guard/v1/invite",
      app: w.app,
      tokenHash: tokenHash(invited),
      identity,
      expiresAt,
      time: at,
      by: "root",
    };
    post("/v1/invites", { invite: await signObject(w.root, invite) }, 201, owner, { reply: {} });
    const { key, encryptionKey, origin } = change;
    const facts = {
      type: "guard/v1/enrolment",
      ...{ app: w.app, identity, expiresAt, key, encryptionKey, name: change.name, origin },
      tokenHash: tokenHash(token[name] as string),
    } as const;
    const body = canonicalJson({ ...facts, mac: enrolmentMac(code, facts) });
    const signature = key.kind === "webauthn" ? "" : await signer.sign(new TextEncoder().encode(body));
    post("/v1/enrolments", { enrolment: { body, signature } }, 201, invited, { reply: {} });
    if (name !== "alice") return;
    post("/v1/enrolments", { enrolment: { body, signature } }, 201, invited, { reply: {} });
    post("/v1/requests", {}, 403, invited, { code: "forbidden" });
  }
}

/** Says the steps of one case. */
export class Talk {
  readonly steps: Step[] = [];
  readonly #w: World;
  readonly #token: Record<string, string>;
  at = now;
  constructor(w: World) {
    this.#w = w;
    this.#token = tokens(w);
  }
  call(
    as: string | null,
    method: "GET" | "POST",
    path: string,
    body: unknown,
    status: number,
    rest: Partial<Step> = {},
  ): this {
    const token = as === null ? null : (this.#token[as] as string);
    this.steps.push({
      at: this.at,
      method,
      path,
      token,
      ...(method === "POST" ? { body } : {}),
      status,
      ...rest,
    });
    return this;
  }
  ask({ header, ciphertext, wraps }: Made, status = 201, rest: Partial<Step> = {}, as = "agent"): this {
    return this.call(as, "POST", "/v1/requests", { header, ciphertext, wraps }, status, rest);
  }
  async answer(
    made: Made,
    name: string,
    change: object = {},
    status = 200,
    rest: Partial<Step> = {},
  ): Promise<this> {
    const header = JSON.parse(made.header.body) as Question;
    const who = this.#w.people[name as "alice"];
    const said = { ...statementOf(this.#w, header, who), time: this.at, ...change };
    const statement = await signObject(who.signer, said);
    return this.call(
      name,
      "POST",
      `/v1/requests/${header.request}/statements`,
      { statement, reply: null },
      status,
      rest,
    );
  }
  /** The receipt that has to come back is made here as the relay makes it. */
  async consume(
    made: Made,
    attempt: string,
    options: { status?: number; code?: string; change?: object; signer?: Signer; first?: number } = {},
  ): Promise<this> {
    const { app, request, requestDigest, actionDigest } = JSON.parse(made.header.body) as Question;
    const bound = { app, request, requestDigest, effective: actionDigest, attempt: short(attempt) };
    const consume = await signObject(options.signer ?? this.#w.agent.signer, {
      type: "guard/v1/consume",
      ...{ ...bound, executionTimeout: 600_000, roster: this.#w.calm.head },
      ...options.change,
    } as { type: string });
    const receipt = await signObject(this.#w.relay, {
      type: "guard/v1/receipt",
      ...{ ...bound, relay: "relay", roster: this.#w.calm.head, time: options.first ?? this.at },
    } as { type: string });
    const { status = 200, code } = options;
    const rest = code === undefined ? { reply: { receipt } } : { code };
    return this.call("agent", "POST", `/v1/requests/${request}/consume`, { consume }, status, rest);
  }
  async report(
    made: Made,
    attempt: string,
    word: "completed" | "failed",
    status = 200,
    rest: Partial<Step> = {},
  ): Promise<this> {
    const { app, request } = JSON.parse(made.header.body) as Question;
    const body = {
      type: "guard/v1/report",
      app,
      request,
      attempt: short(attempt),
      status: word,
      time: this.at,
    };
    const report = await signObject(this.#w.agent.signer, body);
    return this.call("agent", "POST", `/v1/requests/${request}/report`, { report }, status, rest);
  }
  async cancel(made: Made, status = 200, rest: Partial<Step> = {}): Promise<this> {
    const { app, request } = JSON.parse(made.header.body) as Question;
    const cancel = await signObject(this.#w.agent.signer, {
      type: "guard/v1/cancel",
      app,
      request,
      time: this.at,
    });
    return this.call("agent", "POST", `/v1/requests/${request}/cancel`, { cancel }, status, rest);
  }
  read(made: Made, state: string, as = "agent"): this {
    const { request } = JSON.parse(made.header.body) as Question;
    return this.call(as, "GET", `/v1/requests/${request}`, undefined, 200, { reply: { request, state } });
  }
  append(entry: Signed): this {
    return this.call("owner", "POST", "/v1/roster", { entry }, 201);
  }
}
