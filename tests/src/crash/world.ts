/**
 * What a run left behind, read from where it is: the evidence, the relay's database (after a restart, through its
 * API and directly), the side effects, and what everybody was told. It judges nothing.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  agentKeys,
  createGuard,
  formatConnection,
  fromBase64url,
  isGuardError,
  memoryEvidence,
  type RequestState,
  type RequestView,
  type Roster,
  readLine,
  type Signed,
} from "@guard/core";
import { createRelay, type Relay } from "@guard/relay";
import type { Installation } from "./installation.ts";
import { type Ack, type Effect, readJournal, type Told } from "./journal.ts";
import { inputOf, type Plan, people, policy } from "./plan.ts";
import type { Exit } from "./process.ts";

/** An evidence file and the checkpoint beside it. */
export interface ChainFile {
  readonly file: string;
  readonly lines: readonly string[];
  readonly checkpoint: string | null;
}

/** A request as the relay has it after its restart. */
export interface Stored {
  readonly request: string;
  /** The action that it asks for. */
  readonly item: string | null;
  /** As it was found. */
  readonly before: RequestState;
  /** Once every deadline of a run that was started has passed. */
  readonly state: RequestState;
  readonly version: number;
  readonly header: Signed;
  readonly ciphertext: string;
  /** What counts, as agents and devices get it. */
  readonly answers: RequestView["answers"];
  readonly attempt: string | null;
  readonly receipt: Signed | null;
  readonly report: Signed | null;
}

export interface World {
  readonly plan: Plan;
  readonly roster: Roster;
  readonly chains: readonly ChainFile[];
  readonly stored: readonly Stored[];
  readonly acks: readonly Ack[];
  readonly effects: readonly Effect[];
  readonly told: readonly Told[];
  /** What an agent is told that lost its evidence and asks for everything once more: `ready` if it could run. */
  readonly again: readonly { readonly item: string; readonly end: string }[];
  readonly exits: readonly Exit[];
  /** What SQLite itself finds wrong with the database. */
  readonly damage: readonly string[];
}

/** Reads the world of a run in `directory`, whose processes have all ended. */
export async function readWorld(
  plan: Plan,
  directory: string,
  installation: Installation,
  exits: readonly Exit[],
): Promise<World> {
  const journal = join(directory, "journal");
  const database = join(directory, "relay", "relay.db");
  const { rows, damage } = readRows(database);
  const deadlines = rows.filter(({ state }) => state === "executing").map(({ due_at }) => due_at as number);
  const clock = Number(readFileSync(join(directory, "clock", "relay"), "utf8"));
  const now = Math.max(Date.now() + clock, ...deadlines) + 1;
  const relay = await createRelay({ database, logger: false, now: () => now });
  try {
    const stored: Stored[] = [];
    const { app, seed, token } = installation.connection;
    const keys = await agentKeys(fromBase64url(seed, 32));
    const items = new Map(plan.items.map(({ item }) => [keys.keyId(app, item), item]));
    for (const row of rows) {
      const item = items.get(row.key_id) ?? null;
      stored.push({ ...(await readStored(relay, row, token)), item });
    }
    const chains = readChains(join(directory, "agent"));
    return {
      plan,
      roster: installation.roster,
      chains,
      stored,
      acks: readJournal(journal, "acks"),
      effects: readJournal(journal, "effects"),
      told: readJournal(journal, "told"),
      again: await askAgain(plan, relay, installation, now),
      exits,
      damage,
    };
  } finally {
    await relay.close();
  }
}

interface Row {
  readonly request: string;
  readonly key_id: string;
  readonly state: RequestState;
  readonly due_at: number | null;
  readonly attempt: string | null;
  readonly receipt: string | null;
  readonly report: string | null;
}

function readRows(file: string): { rows: Row[]; damage: string[] } {
  const database = new DatabaseSync(file);
  try {
    const rows = database
      .prepare("SELECT request, key_id, state, due_at, attempt, receipt, report FROM request")
      .all() as unknown as Row[];
    const check = database.prepare("PRAGMA integrity_check").all() as { integrity_check: string }[];
    return { rows, damage: check.map((row) => row.integrity_check).filter((text) => text !== "ok") };
  } finally {
    database.close();
  }
}

async function readStored(relay: Relay, row: Row, token: string): Promise<Omit<Stored, "item">> {
  const response = await relay.fetch(
    new Request(`http://127.0.0.1:1/v1/requests/${row.request}`, {
      headers: { authorization: `Bearer ${token}` },
    }),
  );
  const view = (await response.json()) as RequestView;
  if (!response.ok) throw new Error(`The relay has ${row.request} and does not show it: ${response.status}`);
  const { request, state, version, header, ciphertext, answers } = view;
  const parsed = (text: string | null) => (text === null ? null : (JSON.parse(text) as Signed));
  return {
    request,
    before: row.state,
    state,
    version,
    header,
    ciphertext,
    answers,
    attempt: row.attempt,
    receipt: parsed(row.receipt),
    report: parsed(row.report),
  };
}

function readChains(directory: string): ChainFile[] {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return files
    .filter((file) => file.endsWith(".jsonl"))
    .map((file) => {
      const checkpoint = files.includes(`${file}.checkpoint`)
        ? readFileSync(join(directory, `${file}.checkpoint`), "utf8")
        : null;
      return { file, lines: wholeLines(readFileSync(join(directory, file), "utf8")), checkpoint };
    });
}

/** The lines of a file; the last one only if it is whole, as a guard would find it. */
function wholeLines(text: string): string[] {
  const lines = text.split("\n");
  const last = lines.pop() as string;
  if (last === "") return lines;
  try {
    readLine(last);
    return [...lines, last];
  } catch (error) {
    if (!isGuardError(error, "verification_failed")) throw error;
    return lines;
  }
}

/** An agent with the same key and nothing else asks for everything once more. It runs nothing: it only looks. */
async function askAgain(
  plan: Plan,
  relay: Relay,
  installation: Installation,
  now: number,
): Promise<World["again"]> {
  const told: { item: string; end: string }[] = [];
  const guard = createGuard({
    connection: formatConnection({ ...installation.connection, relay: "http://127.0.0.1:1" }),
    approvers: people,
    policy,
    evidence: memoryEvidence(),
    fetch: async (input, init) => relay.fetch(new Request(input, init)),
    now: () => now,
  });
  try {
    for (const action of plan.items) {
      if (action.answer === null) continue;
      const check = await guard.check(inputOf(plan, action), { key: action.item });
      told.push({ item: action.item, end: check.status === "denied" ? check.error.code : check.status });
    }
  } finally {
    await guard.close();
  }
  return told;
}
