/** What a role is told, by whichever process plays it, and what its exit codes mean. */
import type { Death, Plan } from "../plan.ts";

/** The exit code of a role that somebody has to help: its disk is full, read-only or gone (EX_TEMPFAIL). */
export const cannotGoOn = 75;

export interface Orders {
  /** Role, number and life, for instance `agent-1.2`. */
  readonly name: string;
  readonly plan: Plan;
  readonly death: Death | null;
  /** The role's own directory. */
  readonly directory: string;
  /** Directory of the journals. */
  readonly journal: string;
  /** File with the offset of this role's clock. */
  readonly clock: string;
  /** For the agent. */
  readonly connection: string;
  /** For the relay. */
  readonly database: string;
  readonly port: number;
}

export interface Life {
  /** To be called when the role has begun. */
  begun(): void;
  /** Aborts when the story is over. */
  readonly over: AbortSignal;
}

/** Plays a role to its end. Resolves to an exit code. */
export type Play = (orders: Orders, life: Life) => Promise<number>;
