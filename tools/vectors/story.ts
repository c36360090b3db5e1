/** A chain of evidence written by hand, event by event, so that a vector can lie in any place of it. */
import { createHash } from "node:crypto";
import {
  base64url,
  canonicalJson,
  digestOf,
  type Head,
  type Signed,
  type Signer,
  type Statement,
  signObject,
  type Terms,
} from "../../packages/core/src/index.ts";
import { type Question, question, statementOf } from "./answers.ts";
import { seed, word } from "./random.ts";
import { hour } from "./sealing.ts";
import { now, type Person, type World } from "./world.ts";

export const hashOf = (line: string) => createHash("sha256").update(line).digest("hex");
export const short = (label: string) => base64url(seed(label).subarray(0, 16));

type Members = Record<string, unknown>;
export interface Lies {
  readonly terms?: Partial<Terms>;
  readonly said?: readonly (Signed | [Person, Partial<Statement>?])[];
  readonly outcome?: string;
  readonly effective?: string;
  readonly head?: Head;
  readonly header?: Members;
  readonly headerBy?: Signer;
  readonly consume?: Members;
  readonly consumeBy?: Signer;
  readonly receipt?: Members;
  readonly receiptBy?: Signer;
  readonly allowed?: Members;
  readonly executed?: Members;
  readonly result?: Members;
  readonly args?: unknown;
  /** Use the request of another call again. */
  readonly request?: string;
  /** Stop after this many events of the call. */
  readonly stop?: number;
}

export class Story {
  readonly w: World;
  lines: string[] = [];
  checkpoints: Signed[] = [];
  readonly id: string;
  readonly agent: string;
  readonly signer: Signer;
  head: Head;
  session: string | null = "chat-1";
  time = now;

  constructor(w: World, options: { id?: string; agent?: string; signer?: Signer; head?: Head } = {}) {
    this.w = w;
    this.id = short(options.id ?? "chain");
    this.agent = options.agent ?? "billing";
    this.signer = options.signer ?? w.agent.signer;
    this.head = options.head ?? w.calm.head;
  }

  static async begin(w: World, options: ConstructorParameters<typeof Story>[1] = {}): Promise<Story> {
    const story = new Story(w, options);
    await story.checkpoint();
    return story;
  }

  append(type: string, payload: Members, envelope: Members = {}): this {
    const last = this.lines.at(-1);
    const event = {
      tenant_id: this.w.app,
      user_id: this.agent,
      session_id: this.session ?? this.id,
      seq: this.lines.length,
      ts_unix_ms: this.time++,
      event_type: type,
      payload,
      ...(last === undefined ? {} : { prev_hash: hashOf(last) }),
      ...envelope,
    };
    this.lines.push(canonicalJson(event));
    return this;
  }

  async checkpoint(change: Members = {}, signer = this.signer): Promise<this> {
    const last = this.lines.at(-1);
    const signed = await signObject(signer, {
      type: "guard/v1/checkpoint",
      ...{ app: this.w.app, agent: this.agent, chain: this.id },
      seq: last === undefined ? null : this.lines.length - 1,
      hash: last === undefined ? null : hashOf(last),
      ...{ roster: this.head, time: this.time },
      ...change,
    } as { type: string });
    this.checkpoints.push(signed);
    const { session } = this;
    this.session = null;
    this.append("CHECKPOINT_CREATED", { checkpoint: signed });
    this.session = session;
    return this;
  }

  propose(call: string, outcome: string, rest: Members = {}): this {
    const action_digest = digestOf(`action ${call}`);
    this.append("TOOL_CALL_PROPOSED", {
      call: short(call),
      tool_name: "refund",
      call_id: null,
      action_digest,
      ...rest,
    });
    return this.append("POLICY_DECISION", {
      call: short(call),
      outcome,
      rule: "refund",
      version: "v1",
      reasons: [],
    });
  }

  deny(call: string, request: string | null, code: string, reasons: readonly string[] = []): this {
    return this.append("TOOL_CALL_DENIED", { call: short(call), request, code, reasons });
  }

  /** What policy allows by itself, and runs. */
  allow(call: string, lies: Pick<Lies, "allowed" | "executed" | "result" | "args" | "stop"> = {}): this {
    const effective = digestOf(`action ${call}`);
    this.propose(call, "allow", lies.args === undefined ? {} : { args: lies.args });
    const allowed = { request: null, action_digest: effective, effective, consume: null, receipt: null };
    this.append("TOOL_CALL_ALLOWED", { call: short(call), ...allowed, roster: this.head, ...lies.allowed });
    this.run(call, null, short(call), effective, lies);
    return this;
  }

  run(
    call: string,
    request: string | null,
    execution_id: string,
    effective: string,
    lies: Pick<Lies, "executed" | "result" | "stop"> = {},
  ): this {
    if (lies.stop === 5) return this;
    this.append("TOOL_CALL_EXECUTED", {
      call: short(call),
      request,
      execution_id,
      effective,
      ...lies.executed,
    });
    if (lies.stop === 6) return this;
    const result = { execution_id, status: "ok", result_digest: word("result"), error: null };
    return this.append("TOOL_RESULT", { call: short(call), request, ...result, ...lies.result });
  }

  question(call: string, lies: Lies = {}): Question {
    const of = question(this.w, call, lies.terms);
    return { ...of, request: lies.request ?? of.request };
  }

  async header(of: Question, lies: Lies = {}): Promise<Signed> {
    return signObject(lies.headerBy ?? this.signer, {
      type: "guard/v1/request",
      ...of,
      ...{ agent: this.agent, keyId: word("key id"), round: 0, nonce: word("nonce") },
      ...{ createdAt: now, useBy: now + 2 * hour, ciphertextHash: word("ciphertext") },
      recipients: [{ device: this.w.people.alice.device, wrapHash: word("wrap") }],
      ...lies.header,
    } as { type: string });
  }

  /** The events of a call that people are asked about, up to its decision. */
  async ask(call: string, lies: Lies = {}): Promise<{ of: Question; statements: Signed[] }> {
    const of = this.question(call, lies);
    this.propose(call, "require_approval");
    this.append("APPROVAL_REQUESTED", {
      call: short(call),
      request: of.request,
      header: await this.header(of, lies),
    });
    const statements: Signed[] = [];
    for (const one of lies.said ?? [[this.w.people.alice]]) {
      if ("body" in one) statements.push(one);
      else {
        const [who, change] = one;
        const said = { roster: lies.head ?? this.head, ...change };
        statements.push(await signObject(who.signer, statementOf(this.w, of, who, said)));
      }
    }
    return { of, statements };
  }

  async decide(call: string, outcome: string, effective: string | null, lies: Lies = {}): Promise<Question> {
    const { of, statements } = await this.ask(call, lies);
    this.append("APPROVAL_DECIDED", {
      call: short(call),
      request: of.request,
      outcome,
      effective,
      statements,
    });
    return of;
  }

  /** A call that is asked, approved, consumed and run: seven events. `lies` changes one thing. */
  async approved(call: string, lies: Lies = {}): Promise<string> {
    const wanted = digestOf(`action ${call}`);
    const effective = lies.effective ?? wanted;
    const of = await this.decide(call, lies.outcome ?? "approved", effective, lies);
    const { app, request, requestDigest } = of;
    const bound = { app, request, requestDigest, effective, attempt: short(`attempt ${call}`) };
    const head = lies.head ?? this.head;
    const consume = await signObject(lies.consumeBy ?? this.signer, {
      type: "guard/v1/consume",
      ...bound,
      ...{ executionTimeout: 600_000, roster: head },
      ...lies.consume,
    } as { type: string });
    const receipt = await signObject(lies.receiptBy ?? this.w.relay, {
      type: "guard/v1/receipt",
      ...bound,
      ...{ relay: "relay", roster: head, time: this.time },
      ...lies.receipt,
    } as { type: string });
    const allowed = { request, action_digest: wanted, effective, consume, receipt, roster: head };
    this.append("TOOL_CALL_ALLOWED", { call: short(call), ...allowed, ...lies.allowed });
    this.run(call, request, request, effective, lies);
    return request;
  }
}
