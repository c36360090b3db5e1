/**
 * A guard's chain of evidence: events in one order, each linked to the one before, signed now and then.
 *
 * Guarantees: append never reorders and never waits; what `flush` has resolved for is durable; after a failure
 * to record, every later append and flush throws, so nothing acts without a log (act-without-log).
 */
import { canonicalJson, type JsonObject } from "../action/canonical.ts";
import { base64url, randomBytes } from "../crypto/encoding.ts";
import { hexDigestOf } from "../crypto/hash.ts";
import type { Signer } from "../crypto/signature.ts";
import { type Head, type Signed, signObject } from "../crypto/signed.ts";
import { type GuardError, isGuardError, UnavailableError } from "../errors.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type EventType, lineOf } from "./envelope.ts";
import type { ChainEvent } from "./payloads.ts";
import { noteConsumed, resume } from "./resume.ts";
import type { EvidenceStore } from "./store.ts";

export interface ChainOptions {
  readonly store: EvidenceStore;
  readonly app: string;
  readonly agent: string;
  /** The agent's signing key: it signs the checkpoints. */
  readonly signer: Signer;
  /** Milliseconds since 1970; the system's clock where absent. */
  readonly now?: () => number;
  /** The roster head that the agent knows, named in checkpoints. */
  readonly roster: () => Head;
}

export interface Chain {
  /** base64url of 16 random bytes; fixed by the first event, the same after a restart. */
  readonly id: string;
  /**
   * Takes an event, in order.
   * @throws UnavailableError after a failure to record, or when closed.
   * @throws ValidationError where the payload is not plain JSON; the chain is as before.
   */
  append(event: ChainEvent): void;
  /** Resolves when all events so far are durable. @throws UnavailableError, and then for ever. */
  flush(): Promise<void>;
  /** Signs the last event, and resolves when the signature is durable. Calls at one time share a signature. */
  checkpoint(): Promise<void>;
  /** Whether this chain shows `request` as used, also by an earlier process. */
  consumed(request: string): boolean;
  /** The last event's sequence number, and its hash in 64 hex digits. */
  head(): { readonly seq: number; readonly hash: string };
  /**
   * Signs and flushes what is there, and gives the store up. Nothing can be appended afterwards.
   * @throws UnavailableError where something could not be recorded, also earlier; the store is given up all the same.
   */
  close(): Promise<void>;
}

/**
 * Begins a chain in `store`, or continues the one that is there.
 * @throws VerificationError where what is there is damaged or cut off; the message names the first bad event.
 * @throws ConfigurationError where the store is in use, or another agent's.
 * @throws UnavailableError where the store cannot be written.
 */
export async function openChain(options: ChainOptions): Promise<Chain> {
  const { store } = options;
  try {
    return await begin(options);
  } catch (error) {
    // The first failure is the one to report; a store that could not be opened has nothing to close.
    await store.close().catch(() => undefined);
    throw error;
  }
}

async function begin({ store, app, agent, signer, now = Date.now, roster }: ChainOptions): Promise<Chain> {
  const resumed = await resume(store, { app, agent, signer });
  const id = resumed?.id ?? base64url(randomBytes(16));
  const consumed = resumed?.consumed ?? new Set<string>();
  let head = resumed ? { seq: resumed.seq, hash: resumed.hash } : null;
  let covered = resumed?.covered ?? false;
  let failure: unknown;
  let closing: Promise<void> | undefined;

  const unavailable = (cause: unknown) =>
    new UnavailableError(
      `Evidence could not be recorded in ${store.place}, so nothing runs. Mend it and restart.`,
      {
        cause,
      },
    );
  const usable = () => {
    if (failure !== undefined) throw unavailable(failure);
  };
  const failed = (cause: unknown): GuardError => {
    failure ??= cause;
    return isGuardError(cause, "unavailable") ? cause : unavailable(cause);
  };

  function write(type: EventType, session: string | null, payload: object): void {
    usable();
    const seq = head === null ? 0 : head.seq + 1;
    const line = lineOf({
      tenant_id: app,
      user_id: agent,
      session_id: session ?? id,
      seq,
      ts_unix_ms: Math.floor(now()),
      event_type: type,
      // canonicalJson refuses what is not plain JSON.
      payload: payload as JsonObject,
      ...(head === null ? {} : { prev_hash: head.hash }),
    });
    try {
      store.append(line);
    } catch (cause) {
      throw failed(cause);
    }
    head = { seq, hash: hexDigestOf(line) };
    covered = type === "CHECKPOINT_CREATED";
    noteConsumed(consumed, type, payload);
  }

  async function flush(): Promise<void> {
    usable();
    try {
      await store.flush();
    } catch (cause) {
      throw failed(cause);
    }
    usable();
  }

  async function sign(): Promise<void> {
    usable();
    if (covered) return flush();
    // Other events may be appended while the signature is made: the checkpoint says which event it covers.
    const body: Checkpoint = {
      type: "guard/v1/checkpoint",
      app,
      agent,
      chain: id,
      seq: head?.seq ?? null,
      hash: head?.hash ?? null,
      roster: roster(),
      time: Math.floor(now()),
    };
    const signed: Signed = await signObject(signer, body);
    write("CHECKPOINT_CREATED", null, { checkpoint: signed });
    covered = head?.seq === (body.seq ?? -1) + 1;
    await flush();
    try {
      await store.saveCheckpoint?.(`${canonicalJson(signed)}\n`);
    } catch (cause) {
      throw failed(cause);
    }
  }

  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  // One at a time, and one more for everybody who came meanwhile: their events may be newer than its head.
  function checkpoint(): Promise<void> {
    if (next) return next;
    const start = () => {
      next = undefined;
      const mine = sign().finally(() => {
        if (running === mine) running = undefined;
      });
      running = mine;
      return mine;
    };
    if (!running) return start();
    next = running.then(start, start);
    return next;
  }

  async function end(): Promise<void> {
    const broken = failure;
    try {
      if (broken === undefined) await checkpoint();
    } finally {
      failure ??= new Error("The chain is closed.");
      await store.close();
    }
    // What ended in the background has told nobody yet that its events are not there.
    if (broken !== undefined) throw unavailable(broken);
  }

  if (head === null) await checkpoint();
  else await flush();
  return {
    id,
    append(event) {
      if (closing) throw new UnavailableError("The chain of evidence is closed. Create a new guard.");
      write(event.type, event.session, event.payload);
    },
    flush,
    checkpoint,
    consumed: (request) => consumed.has(request),
    head: () => head as { seq: number; hash: string },
    close() {
      closing ??= end();
      return closing;
    },
  };
}
