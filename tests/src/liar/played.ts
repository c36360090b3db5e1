/** What is written down of a session, on the clients' side of the liar, and what survives a client's restart. */
import type {
  Connection,
  Header,
  Json,
  Ledger,
  MemoryEvidence,
  RosterStore,
  Signed,
  Statement,
} from "@guard/core";
import type { OpenedRequest } from "@guard/device";
import type { Tool } from "./plan.ts";

/** A run of a tool, as the tool saw it. */
export interface Run {
  readonly guard: number;
  readonly tool: Tool;
  readonly args: Json;
  readonly request: string | null;
  readonly executionId: string;
  readonly at: number;
}

/** What an approver decided, and what their device had shown them. */
export interface Said {
  readonly identity: string;
  readonly device: string;
  readonly opened: OpenedRequest;
  readonly decision: "approve" | "reject";
  /** What may run by their word. */
  readonly args: Json;
  readonly at: number;
}

export interface Played {
  readonly connection: Connection;
  readonly runs: Run[];
  readonly said: Said[];
  /** What devices took for open, and when. */
  readonly shown: { readonly opened: OpenedRequest; readonly at: number; readonly identity: string }[];
  /** Every header that the agent's processes posted. */
  readonly headers: Header[];
  readonly statements: Statement[];
  readonly evidence: readonly MemoryEvidence[];
  /** How calls ended that did not run: the codes of their errors. */
  readonly ends: string[];
  readonly revoked: { readonly device: string; readonly seq: number }[];
  /** What went wrong regardless of the liar: no error of ours, no end in time, a roster that went back. */
  readonly faults: string[];
  /** Every lie that was told. */
  readonly lies: string[];
}

export function memoryRoster(): RosterStore {
  let kept: readonly Signed[] | null = null;
  return {
    load: async () => kept,
    async save(entries) {
      kept = entries;
    },
  };
}

export function memoryLedger(): Ledger {
  const taken = new Map<string, string>();
  return {
    async claim(request, attempt) {
      if (!taken.has(request)) taken.set(request, attempt);
      return taken.get(request) === attempt;
    },
  };
}
