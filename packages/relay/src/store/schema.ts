/**
 * The tables as TypeScript sees them, and the query builder over them. Kysely only writes the SQL here: the
 * driver is a dummy, because every statement is executed synchronously inside a unit of work.
 */
import type { RequestState } from "@guard/core";
import {
  DummyDriver,
  type Generated,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";

export interface MetaRow {
  name: string;
  value: string;
}

export interface AppRow {
  app: string;
  head_seq: number;
  head_hash: string;
  created_at: number;
}

export interface EntryRow {
  app: string;
  seq: number;
  body: string;
  signature: string;
}

export type TokenKind = "owner" | "agent" | "device" | "invitation";

export interface TokenRow {
  /** SHA-256 of the token; the token itself is nowhere. */
  hash: string;
  app: string;
  kind: TokenKind;
  /** Agent name, device id, or the empty string. */
  subject: string;
  created_at: number;
  expires_at: number | null;
}

export interface InviteRow {
  token_hash: string;
  app: string;
  invite: string;
  expires_at: number;
  /** Null until the device posted. */
  enrolment: string | null;
}

export interface RequestRow {
  /** Given by the database, in the order of arrival. */
  number: number;
  app: string;
  request: string;
  agent: string;
  key_id: string;
  round: number;
  state: RequestState;
  version: number;
  header: string;
  header_signature: string;
  created_at: number;
  expires_at: number;
  use_by: number;
  /** When the clock moves the state by itself; null where it never does. */
  due_at: number | null;
  attempt: string | null;
  receipt: string | null;
  report: string | null;
}

/** The sealed envelope: one row, so that a view is one read. */
export interface EnvelopeRow {
  number: number;
  ciphertext: string;
  wraps: string;
}

/** Which devices a request is sealed to; kept small, because inboxes are scanned. */
export interface InboxRow {
  app: string;
  device: string;
  number: number;
}

export interface StatementRow {
  number: number;
  n: number;
  id: string;
  device: string;
  statement: string;
  reply: string | null;
  /** 1 where it came after the outcome: recorded, not passed on. */
  late: number;
  received_at: number;
}

/** Another system's wire as the app's owner switched it on, as signed. */
export interface ForeignAppRow {
  app: string;
  body: string;
  signature: string;
}

/** A device of another system, registered by itself. */
export interface ForeignDeviceRow {
  number: number;
  app: string;
  /** The id that its identity and keys make. */
  device: string;
  /** Digest of both keys, which is all that it authenticates with. */
  keys: string;
  identity: string;
  public_key: Uint8Array;
  kem_key: Uint8Array;
  type: string;
  /** Digest of the secret that its registration showed; null where it showed none. */
  proof: string | null;
  /** 1 where it is or was on the roster. */
  kept: number;
  /** 1 where it ended itself. What the roster says comes on top. */
  revoked: number;
  registered_at: number;
}

export type DecisionState = "pending" | "approved" | "rejected" | "expired";

/** What an agent asks one identity over another system's wire. */
export interface DecisionRow {
  number: number;
  app: string;
  identity: string;
  /** The client's id. */
  decision: string;
  agent: string;
  state: DecisionState;
  created_at: number;
  expires_at: number;
  /** The device whose answer stands. */
  answered_by: string | null;
  closed_at: number | null;
}

/** A decision as it is sealed to one device. */
export interface DeliveryRow {
  n: number;
  number: number;
  app: string;
  device: string;
  kem_ciphertext: Uint8Array | null;
  nonce: Uint8Array | null;
  ciphertext: Uint8Array | null;
}

export interface UsageRow {
  app: string;
  /** `2026-11`, in UTC. */
  month: string;
  used: number;
}

type Numbered<Row, Name extends keyof Row> = Omit<Row, Name> & { [K in Name]: Generated<number> };

interface Tables {
  meta: MetaRow;
  app: AppRow;
  entry: EntryRow;
  token: TokenRow;
  invite: InviteRow;
  request: Numbered<RequestRow, "number">;
  envelope: EnvelopeRow;
  inbox: InboxRow;
  statement: StatementRow;
  foreign_app: ForeignAppRow;
  foreign_device: Numbered<ForeignDeviceRow, "number">;
  decision: Numbered<DecisionRow, "number">;
  delivery: Numbered<DeliveryRow, "n">;
  decision_usage: UsageRow;
}

export const sqlite: Kysely<Tables> = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});
