/**
 * Verifies a chain of evidence offline, for somebody who trusts neither the agent nor the relay: links,
 * checkpoints, and every signature that a call needed, by the roster as of the moment it was used.
 *
 * Streams: memory grows with the number of calls, not with their size.
 */
import * as z from "zod/mini";
import { type Signed, signedSchema, verifySigned } from "../crypto/signed.ts";
import { isGuardError, VerificationError } from "../errors.ts";
import type { Roster } from "../roster/roster.ts";
import { type CallCounts, followCalls, type RequestReport, reasonOf } from "./calls.ts";
import { type Checkpoint, checkpointOf, readCheckpoint } from "./checkpoint.ts";
import type { Envelope } from "./envelope.ts";
import type { Use } from "./equivocation.ts";
import { type Rosters, rostersOf } from "./rosters.ts";
import { type Bad, type Lines, type Link, walk } from "./walk.ts";

export interface VerifyOptions {
  /** The app's roster, verified. Null: hashes and order alone, no signature. */
  readonly roster: Roster | null;
  /** The newest checkpoint known from elsewhere: shows what was cut off, and a second chain of one id. */
  readonly checkpoint?: Signed | null;
  /** The app that the chain has to be of. */
  readonly expectedApp?: string;
}

export interface ChainReport {
  readonly valid: boolean;
  /** How many events are linked without a gap. */
  readonly events: number;
  /** The first event that cannot be relied on; `line` counts from 1. */
  readonly firstBad: Bad | null;
  readonly chain: string | null;
  readonly app: string | null;
  readonly agent: string | null;
  readonly calls: Readonly<CallCounts>;
  readonly requests: readonly Readonly<RequestReport>[];
  /** Verified receipts, in order; empty without a roster. */
  readonly uses: readonly Use[];
  readonly checkpoints: number;
  /** How many events no checkpoint covers, checkpoints themselves not counted. */
  readonly uncovered: number;
  /** Everything that is wrong, in the order of the chain; the first thousand. */
  readonly problems: readonly string[];
}

const maxProblems = 1000;

/** Never throws for what the lines hold; damage is in the report. */
export async function verifyChain(lines: Lines, options: VerifyOptions): Promise<ChainReport> {
  const problems: string[] = [];
  let firstBad: Bad | null = null as Bad | null;
  const problem = (seq: number, why: string) => {
    if (problems.length < maxProblems) problems.push(`seq ${seq}: ${why}`);
    if (firstBad === null || seq < firstBad.seq) firstBad = { seq, line: seq + 1, why };
  };

  const outside = options.checkpoint ? readOutside(options.checkpoint) : null;
  let rosters: Rosters | null = null;
  let calls = followCalls(null);
  let genesis: Checkpoint | null = null as Checkpoint | null;
  let first: Envelope | null = null as Envelope | null;
  let events = 0;
  let checkpoints = 0;
  let covered = -1;
  // Hashes from event `base` on, which a later checkpoint may still name, and where checkpoints stand.
  let base = 0;
  let hashes: string[] = [];
  let marks: number[] = [];

  async function begin(envelope: Envelope): Promise<void> {
    first = envelope;
    if (options.expectedApp !== undefined && envelope.tenant_id !== options.expectedApp) {
      problem(0, "the chain is another app's");
    }
    if (options.roster) {
      if (options.roster.app !== envelope.tenant_id)
        throw new VerificationError("the roster is another app's");
      rosters = rostersOf(options.roster, envelope.user_id);
      calls = followCalls(rosters);
    }
    if (envelope.event_type !== "CHECKPOINT_CREATED")
      throw new VerificationError("a chain begins with a checkpoint");
  }

  async function checkpoint({ envelope }: Link): Promise<void> {
    checkpoints++;
    const signed = checkpointOf(envelope.payload);
    const body = readCheckpoint(signed);
    if (envelope.seq === 0) genesis = body;
    if (body.app !== envelope.tenant_id || body.agent !== envelope.user_id)
      refuse("the checkpoint is another agent's");
    if (body.chain !== genesis?.chain) refuse("the checkpoint is another chain's");
    if (rosters) {
      rosters.at(body.roster);
      if (!(await verifySigned(rosters.key, signed))) refuse("the checkpoint is not signed by the agent");
    }
    if ((body.seq === null) !== (envelope.seq === 0))
      refuse("the first checkpoint, and no other, covers nothing");
    if (body.seq === null) return;
    if (body.seq >= envelope.seq) refuse("the checkpoint covers an event that comes later");
    if (body.seq < covered) refuse("the checkpoint covers less than the one before");
    if (hashes[body.seq - base] !== body.hash) {
      problem(body.seq, `this is not the event that the checkpoint at seq ${envelope.seq} covers`);
      return;
    }
    covered = body.seq;
    hashes = hashes.slice(covered - base);
    base = covered;
    marks = marks.filter((seq) => seq > covered);
  }

  const judged = (seq: number, work: () => undefined | Promise<void>): undefined | Promise<void> => {
    try {
      return work()?.catch((error: unknown) => problem(seq, reasonOf(error)));
    } catch (error) {
      problem(seq, reasonOf(error));
      return undefined;
    }
  };

  const broken = await walk(lines, (link) => {
    const { envelope, hash } = link;
    const { seq } = envelope;
    events++;
    if (seq === outside?.seq && hash !== outside.hash) {
      problem(
        seq,
        "this is not the event that the newest known checkpoint covers: the chain forks here or before",
      );
    }
    hashes.push(hash);
    if (envelope.event_type === "CHECKPOINT_CREATED") marks.push(seq);
    if (seq === 0) {
      return (async () => {
        await judged(0, () => begin(envelope));
        if (envelope.event_type === "CHECKPOINT_CREATED") await judged(0, () => checkpoint(link));
      })();
    }
    if (envelope.event_type === "CHECKPOINT_CREATED") return judged(seq, () => checkpoint(link));
    return judged(seq, () => calls.follow(link));
  });
  if (broken) problem(broken.seq, broken.why);
  if (events === 0 && !broken) problem(0, "there are no events");
  if (outside) await checkOutside(outside);

  async function checkOutside(body: Checkpoint): Promise<void> {
    const signed = options.checkpoint as Signed;
    if (genesis && body.chain !== genesis.chain) problem(0, "the newest known checkpoint is another chain's");
    if (first && (body.app !== first.tenant_id || body.agent !== first.user_id)) {
      problem(0, "the newest known checkpoint is another agent's");
    }
    if (rosters && !(await verifySigned(rosters.key, signed))) {
      throw new VerificationError("The newest known checkpoint is not signed by the agent: it says nothing.");
    }
    if (body.seq !== null && body.seq >= events && !broken) {
      problem(
        events,
        `event ${events} is missing: the chain was cut off, a known checkpoint covers event ${body.seq}`,
      );
    }
  }

  return {
    valid: firstBad === null,
    events,
    firstBad,
    chain: genesis?.chain ?? null,
    app: first?.tenant_id ?? null,
    agent: first?.user_id ?? null,
    calls: calls.counts,
    requests: calls.requests,
    uses: calls.uses,
    checkpoints,
    uncovered: events - 1 - covered - marks.length,
    problems,
  };
}

function refuse(why: string): never {
  throw new VerificationError(why);
}

/** The wrapper comes from a file that anybody wrote, whatever its type says here: its shape is checked first. */
function readOutside(signed: Signed): Checkpoint {
  try {
    const parsed = z.safeParse(signedSchema, signed);
    if (!parsed.success) throw new VerificationError("It is not a signed object.", { cause: parsed.error });
    return readCheckpoint(parsed.data);
  } catch (cause) {
    if (!isGuardError(cause, "verification_failed")) throw cause;
    throw new VerificationError("The newest known checkpoint cannot be read. Pass another one, or none.", {
      cause,
    });
  }
}
