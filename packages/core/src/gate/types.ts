/** What an application and a plugin hand to the gate, and what they get back. */
import type { Json } from "../action/canonical.ts";
import type { Facts } from "../approval/request.ts";
import type { GuardError } from "../errors.ts";
import type { RequestState } from "../relay/api.ts";

/** A tool as the model saw it: pinned by its digest, and the form from which an approver may edit. */
export interface ToolSchema {
  readonly name: string;
  readonly description: string | null;
  /** JSON Schema of the arguments. */
  readonly inputSchema: Json;
}

/** What is about to be done. */
export interface ActionInput {
  readonly tool: string;
  /** Read once, into a plain JSON snapshot. */
  readonly args: unknown;
  readonly schema?: ToolSchema | null | Promise<ToolSchema | null>;
  /** Or a function of the snapshot, so that what is judged is what runs. */
  readonly facts?: Facts | ((args: Json) => Facts);
  /** The conversation, ticket or job that this belongs to: restarted, it does not ask twice. */
  readonly session?: string | null;
  /** The framework's id of this call, shown and recorded. */
  readonly callId?: string | null;
  /** Whether the framework gives the call the same id after a restart; then the id makes the idempotency key. */
  readonly stableCallId?: boolean;
  /** On whose behalf the agent acts: this person cannot approve it. */
  readonly requester?: string | null;
  /**
   * The tool's own validation of its input, for edited arguments: resolves to the validated value, rejects
   * where it does not fit. Without it approvers cannot edit.
   */
  readonly validate?: (args: Json) => Promise<unknown>;
}

/** What a tool is run with. */
export interface Execution {
  /** The approved snapshot: frozen, plain JSON. */
  readonly args: Json;
  /** Pass it on as an idempotency key: the same for the same approval. */
  readonly executionId: string;
  /** The approval request; null where policy allowed the call. */
  readonly request: string | null;
}

export type Execute<R> = (execution: Execution) => R | Promise<R>;

export interface RunOptions {
  /** Idempotency key. It never leaves the agent. Default: from session, call id or arguments. */
  readonly key?: string;
  /** Ends the waiting; the request stays open. */
  readonly signal?: AbortSignal;
  /** Longest wait for an answer in milliseconds. Default: until the request expires. */
  readonly timeout?: number;
}

export interface CheckOptions extends Pick<RunOptions, "key"> {
  /** `suspend`: the process may go away while it waits, so the approval may be used for 24 h (else 5 min). */
  readonly mode?: "wait" | "suspend";
}

/** What the gate says about an action right now. */
export type Check =
  | {
      readonly status: "ready";
      /** The snapshot that `run` runs: the approver's, where they edited it. */
      readonly args: Json;
      run<R>(execute: Execute<R>): Promise<R>;
    }
  | { readonly status: "denied"; readonly error: GuardError }
  | {
      readonly status: "pending";
      readonly requestId: string;
      readonly expiresAt: number;
      /** Who may approve, and how many of them have to. */
      readonly approvers: readonly string[];
      readonly quorum: number;
    };

/** A request that this agent made, in this process or an earlier one, as it opens it again. */
export interface OwnRequest {
  readonly request: string;
  /** What the relay says of it. It decides nothing: the gate verifies the outcome before anything runs. */
  readonly state: RequestState;
  readonly tool: string;
  readonly args: Json;
  readonly session: string | null;
  readonly callId: string | null;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** What hooks are told. Arguments are in it: log with care. */
export interface PendingEvent {
  readonly request: string;
  readonly tool: string;
  readonly args: Json;
  readonly approvers: readonly string[];
  readonly quorum: number;
  readonly reasons: readonly string[];
  readonly expiresAt: number;
  readonly session: string | null;
  readonly callId: string | null;
  /** Whether an earlier process had asked already, and this one joined. */
  readonly joined: boolean;
}

export interface DecidedEvent {
  readonly request: string;
  readonly tool: string;
  readonly outcome: RequestState | "verification_failed";
  /** Who made the outcome. */
  readonly by: readonly string[];
  readonly edited: boolean;
}

/** A log of the application's own (pino, console, …). It gets ids and codes, never arguments or keys. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
