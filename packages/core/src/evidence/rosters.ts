/**
 * The roster as of any head that evidence names. A head that the verifier's roster does not have is refused:
 * another hash at a known sequence number is a fork, a higher number means that the verifier's roster is old.
 */
import { readAnswer } from "../approval/statement.ts";
import type { SigningKey } from "../crypto/signature.ts";
import type { Head, Signed } from "../crypto/signed.ts";
import { isGuardError, VerificationError } from "../errors.ts";
import type { Roster } from "../roster/roster.ts";

export interface Rosters {
  readonly app: string;
  readonly agent: string;
  /** The agent's signing key. */
  readonly key: SigningKey;
  /** @throws VerificationError where the head is not one of the roster's. */
  at(head: Head): Roster;
  /** By the newest head that these statements, or the chain so far, name. */
  newest(statements: readonly Signed[]): Roster;
}

/** @throws VerificationError where the agent is not on the roster. */
export function rostersOf(roster: Roster, agent: string): Rosters {
  const key = roster.agent(agent)?.key;
  if (!key) throw new VerificationError(`Agent ${agent} is not on the roster.`);
  const known = new Map<number, Roster>([[roster.head.seq, roster]]);
  let newest = -1;

  function at(head: Head): Roster {
    if (head.seq > roster.head.seq) {
      throw new VerificationError(
        `it names roster entry ${head.seq}, and the roster to verify with ends at ${roster.head.seq}: fetch it anew`,
      );
    }
    let then = known.get(head.seq);
    if (!then) {
      then = roster.at(head.seq);
      known.set(head.seq, then);
    }
    if (then.head.hash !== head.hash)
      throw new VerificationError(`roster entry ${head.seq} is another one: a fork`);
    newest = Math.max(newest, head.seq);
    return then;
  }

  return {
    app: roster.app,
    agent,
    key,
    at,
    newest(statements) {
      for (const signed of statements) {
        try {
          at(readAnswer(signed).roster);
        } catch (error) {
          // What cannot be read, or names no head of this roster, is no statement; counting leaves it out.
          if (!isGuardError(error, "verification_failed")) throw error;
        }
      }
      return newest < 0 ? roster : (known.get(newest) as Roster);
    },
  };
}
