/**
 * Follows the roster: knows the newest verified head, fetches up to any higher one that somebody names, and
 * stops for good at a fork.
 *
 * Guarantees: the roster only grows; it reaches at least the floor of the connection; an entry that is not
 * signed by the root or an admin of its moment never gets in (key-substitution); two entries with one
 * sequence number stop everything (roster-fork).
 */
import { type Head, idOf, type Signed } from "../crypto/signed.ts";
import { isGuardError, UnavailableError, VerificationError } from "../errors.ts";
import { appendEntry, type Roster, readRoster } from "../roster/roster.ts";
import { rosterPageSchema } from "./api.ts";
import type { RelayClient } from "./client.ts";

/** Where a process keeps the highest roster that it has seen, so that a restart does not go back. */
export interface RosterStore {
  load(): Promise<readonly Signed[] | null>;
  /** @throws VerificationError where another history is kept there by now: a fork. */
  save(entries: readonly Signed[]): Promise<void>;
}

export interface RosterFollower {
  /** The newest verified roster. @throws VerificationError after a fork; UnavailableError before `ready`. */
  current(): Roster;
  /** The newest verified head, also after a fork: for evidence, which goes on when nothing else does. */
  head(): Head;
  /** Loads the roster from the store or the relay, at least up to the floor. */
  ready(): Promise<Roster>;
  /** Fetches what is new. `wanted` names identities that the caller misses. */
  sync(options?: { wanted?: readonly string[]; signal?: AbortSignal | undefined }): Promise<Roster>;
  /** Fetches up to a head that somebody named, and checks that it is on this roster. */
  reach(head: Head, signal?: AbortSignal): Promise<Roster>;
  /** How long ago the relay was last asked successfully, in milliseconds; null before. */
  sinceSync(): number | null;
}

export function followRoster(options: {
  client: RelayClient;
  app: string;
  floor: Head | null;
  store: RosterStore | null;
}): RosterFollower {
  const { client, app, floor, store } = options;
  let roster: Roster | null = null;
  let stopped: VerificationError | null = null;
  let syncedAt: number | null = null;
  let loading: Promise<Roster> | null = null;
  // Fetches are queued: two at once would judge the same entry twice against different heads.
  let queue: Promise<unknown> = Promise.resolve();

  function stop(why: string): never {
    stopped = new VerificationError(
      `The roster forked: ${why}. Somebody signed two histories, or the relay lies. Nothing runs until the owner has looked into it.`,
    );
    throw stopped;
  }

  function current(): Roster {
    if (stopped) throw stopped;
    if (!roster) throw new UnavailableError("The roster is not loaded yet. Await ready() first.");
    return roster;
  }

  /** Whether `head` lies on the roster as far as it is known. */
  function contains(known: Roster, head: Head): boolean {
    const entry = known.entries[head.seq];
    return entry !== undefined && idOf(entry) === head.hash;
  }

  /** Another last entry: a fork where somebody signed it, and one bad answer of the relay where nobody did. */
  async function other(known: Roster, entry: Signed): Promise<never> {
    const { seq } = known.head;
    try {
      const fork = await appendEntry(seq === 0 ? null : known.at(seq - 1), entry);
      if (fork.app !== app) throw new VerificationError("It begins another app's roster.");
    } catch (cause) {
      if (!isGuardError(cause, "verification_failed")) throw cause;
      throw new VerificationError(
        `The relay gave a roster entry ${seq} that is none: ${cause.message} It is kept out.`,
        {
          cause,
        },
      );
    }
    return stop(`entry ${seq} is not the one that was there before`);
  }

  async function fetchNew(wanted: readonly string[], signal?: AbortSignal): Promise<Roster> {
    if (stopped) throw stopped;
    const before = roster;
    for (;;) {
      // The last known entry is asked for again: another one in its place is a fork.
      const from: number = roster ? roster.head.seq : 0;
      const query = new URLSearchParams([["from", String(from)], ...wanted.map((name) => ["wanted", name])]);
      const { value: page } = await client.call("GET", `/v1/roster?${query}`, {
        schema: rosterPageSchema,
        signal,
      });
      let entries = page.entries;
      if (roster) {
        const again = entries[0];
        // Fewer entries than we have already is an old relay, not a fork: we keep what we know (stale-roster).
        if (again && idOf(again) !== roster.head.hash) await other(roster, again);
        entries = entries.slice(1);
      }
      for (const entry of entries) {
        roster = await appendEntry(roster, entry);
        if (roster.app !== app) throw new VerificationError("The relay gave another app's roster.");
      }
      if (!roster) throw new VerificationError("The relay gave an empty roster.");
      if (entries.length === 0 || roster.head.seq >= page.head.seq) break;
    }
    syncedAt = performance.now();
    if (store && roster !== before) await keep(store, roster);
    return roster;
  }

  async function keep(store: RosterStore, known: Roster): Promise<void> {
    try {
      await store.save(known.entries);
    } catch (error) {
      if (isGuardError(error, "verification_failed")) stopped = error as VerificationError;
      throw error;
    }
  }

  function enqueue(work: () => Promise<Roster>): Promise<Roster> {
    const next = queue.then(work);
    queue = next.catch(() => {}); // Whoever asked gets the error; the queue goes on.
    return next;
  }

  async function reach(head: Head, signal?: AbortSignal): Promise<Roster> {
    let known = current();
    if (known.head.seq < head.seq) known = await enqueue(() => fetchNew([], signal));
    if (known.head.seq < head.seq) {
      throw new VerificationError(
        `The relay hides roster entries: ${head.seq} is signed, it gives up to ${known.head.seq} only.`,
      );
    }
    if (!contains(known, head)) stop(`entry ${head.seq} is signed in two versions`);
    return known;
  }

  async function load(): Promise<Roster> {
    const kept = await store?.load();
    if (kept && kept.length > 0) roster = await readRoster(kept, { app });
    if (!roster) await enqueue(() => fetchNew([]));
    if (floor) await reach(floor);
    return current();
  }

  return {
    current,
    head() {
      if (!roster) throw new UnavailableError("The roster is not loaded yet. Await ready() first.");
      return roster.head;
    },
    ready() {
      loading ??= load().catch((error: unknown) => {
        // An outage may pass; a lie does not get a second chance in this process.
        if (!isGuardError(error, "verification_failed")) loading = null;
        throw error;
      });
      return loading;
    },
    sync: ({ wanted = [], signal } = {}) => enqueue(() => fetchNew(wanted, signal)),
    reach,
    // By a clock that nobody sets: one that is turned back must not stop the asking (clock-rollback).
    sinceSync: () => (syncedAt === null ? null : performance.now() - syncedAt),
  };
}
