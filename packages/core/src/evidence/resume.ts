/**
 * Reads what a store holds before a chain is continued. Continuing damaged evidence would bury the damage, so
 * anything that does not fit stops here and names the first bad event.
 */
import type { Signer } from "../crypto/signature.ts";
import { verifySigned } from "../crypto/signed.ts";
import { ConfigurationError, VerificationError } from "../errors.ts";
import { type Checkpoint, checkpointOf, parseCheckpoint, readCheckpoint } from "./checkpoint.ts";
import type { Envelope } from "./envelope.ts";
import type { EvidenceStore } from "./store.ts";
import { walk } from "./walk.ts";

export interface Resumed {
  readonly id: string;
  readonly seq: number;
  readonly hash: string;
  /** Whether the last event is a checkpoint, which leaves nothing to cover. */
  readonly covered: boolean;
  readonly consumed: Set<string>;
}

/**
 * Null where the store is empty.
 * @throws VerificationError, ConfigurationError (another app's or agent's chain), UnavailableError
 */
export async function resume(
  store: EvidenceStore,
  owner: { app: string; agent: string; signer: Signer },
): Promise<Resumed | null> {
  const { lines, checkpoint } = await store.open();
  const refuse = (why: string): never => {
    throw new VerificationError(
      `The evidence in ${store.place} is damaged: ${why} Keep the file for examination and start a new one.`,
    );
  };
  const kept =
    typeof checkpoint === "string" ? await readOwn(parseCheckpoint(checkpoint), owner, store) : null;
  const consumed = new Set<string>();
  let genesis: Checkpoint | null = null;
  let last: { envelope: Envelope; hash: string } | null = null as { envelope: Envelope; hash: string } | null;
  const bad = await walk(lines, (link) => {
    const { envelope } = link;
    last = link;
    noteConsumed(consumed, envelope.event_type, envelope.payload);
    if (envelope.seq === kept?.seq && link.hash !== kept.hash) {
      refuse(`event ${envelope.seq} is not the one that the newest checkpoint covers.`);
    }
    if (envelope.seq > 0) return undefined;
    return readGenesis(envelope, owner, store).then((read) => {
      genesis = read;
    });
  });
  if (bad) refuse(`event ${bad.seq} (line ${bad.line}): ${bad.why}`);
  const begun = genesis as Checkpoint | null;
  if (last === null || begun === null) {
    if (kept) refuse(`event 0 is missing, although a checkpoint was kept.`);
    return null;
  }
  if (kept && kept.chain !== begun.chain)
    refuse("event 0 begins another chain than the newest checkpoint's.");
  if (kept && kept.seq !== null && kept.seq > last.envelope.seq) {
    refuse(
      `event ${last.envelope.seq + 1} is missing: it was cut off, since the newest checkpoint covers event ${kept.seq}.`,
    );
  }
  const { seq } = last.envelope;
  const covered = await coversAll(last.envelope, begun.chain, owner, store);
  return { id: begun.chain, seq, hash: last.hash, covered, consumed };
}

/** Whether the last event is a checkpoint of all before it. No later event vouches for it, so it is read itself. */
async function coversAll(
  last: Envelope,
  chain: string,
  owner: { app: string; agent: string; signer: Signer },
  store: EvidenceStore,
): Promise<boolean> {
  if (last.event_type !== "CHECKPOINT_CREATED") return false;
  const checkpoint = await readOwn(checkpointOf(last.payload), owner, store);
  if (last.seq === 0) return true;
  const covers = checkpoint.seq === last.seq - 1;
  const earlier = checkpoint.seq !== null && checkpoint.seq < last.seq;
  if (checkpoint.chain !== chain || !earlier || (covers && checkpoint.hash !== last.prev_hash)) {
    throw new VerificationError(
      `The evidence in ${store.place} is damaged: event ${last.seq} is a checkpoint of something else. Keep the file for examination and start a new one.`,
    );
  }
  return covers;
}

/** Remembers the request of an event that shows it as used. */
export function noteConsumed(
  consumed: Set<string>,
  type: string,
  payload: { readonly request?: unknown },
): void {
  if (type !== "TOOL_CALL_ALLOWED" && type !== "TOOL_CALL_EXECUTED") return;
  if (typeof payload.request === "string") consumed.add(payload.request);
}

async function readGenesis(
  envelope: Envelope,
  owner: { app: string; agent: string; signer: Signer },
  store: EvidenceStore,
): Promise<Checkpoint> {
  if (envelope.tenant_id !== owner.app || envelope.user_id !== owner.agent) throw foreign(store);
  if (envelope.event_type !== "CHECKPOINT_CREATED") {
    throw new VerificationError(`The evidence in ${store.place} is damaged: event 0 does not begin a chain.`);
  }
  const checkpoint = await readOwn(checkpointOf(envelope.payload), owner, store);
  if (checkpoint.seq === null) return checkpoint;
  throw new VerificationError(`The evidence in ${store.place} is damaged: event 0 covers another event.`);
}

async function readOwn(
  signed: Parameters<typeof readCheckpoint>[0],
  owner: { app: string; agent: string; signer: Signer },
  store: EvidenceStore,
): Promise<Checkpoint> {
  const checkpoint = readCheckpoint(signed);
  if (checkpoint.app !== owner.app || checkpoint.agent !== owner.agent) throw foreign(store);
  if (await verifySigned(owner.signer.key, signed)) return checkpoint;
  throw new VerificationError(
    `A checkpoint of the evidence in ${store.place} is not signed with this agent's key. ` +
      "If the agent was set up anew, keep the old file and start a new one.",
  );
}

function foreign(store: EvidenceStore): ConfigurationError {
  return new ConfigurationError(
    `The evidence in ${store.place} is another app's or agent's. Give each agent a file of its own.`,
  );
}
