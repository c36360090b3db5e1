/**
 * Reads a device's requests from its relay: what is open now and what changes, through outages and sleep, and
 * what has ended. Nothing of it is verified here; `Device.open` does that.
 */
import {
  isGuardError,
  isPassing,
  newBackoff,
  type RelayClient,
  type RequestList,
  type RequestView,
  type RosterFollower,
  requestListSchema,
  requestViewSchema,
  retryAfterIn,
  type StreamEvent,
  VerificationError,
} from "@guard/core";
import { deviceChanges } from "./changes.ts";

export interface Reader {
  /**
   * Everything open now, and then every request that changes, until `signal` aborts. `onConnection` hears null
   * when all that the relay told of so far was yielded, and otherwise what keeps the device from it, which is waited out.
   * @throws GuardError where waiting is of no use: the device was revoked, the roster forked.
   */
  requests(options: {
    signal: AbortSignal;
    onConnection?: (problem: unknown) => void;
  }): AsyncGenerator<RequestView>;
  /** Whoever follows {@link requests} connects anew at once: after sleep a stream may be dead without a word. */
  wake(): void;
  /** Everything that is open now. */
  list(): Promise<readonly RequestView[]>;
  /**
   * A page (of 50 or so) of what does not wait for an answer any more, newest first: what is approved or running and has not
   * ended, then what has. `before` is the id of the last request of the page before.
   */
  history(options?: { before?: string }): Promise<readonly RequestView[]>;
  /** One request by its id. */
  get(request: string): Promise<RequestView>;
}

/** How many ended requests are one page of {@link Reader.history}: a shorter one is the last. */
export const historyPage = 50;
/** How many are under way at once: enough for a link with a long way, few enough for a relay's limits. */
const width = 8;

export function createReader(options: {
  client: RelayClient;
  follower: RosterFollower;
  onProblem?: ((error: unknown) => void) | undefined;
}): Reader {
  const { client, follower, onProblem } = options;
  /** The rounds of {@link Reader.requests} that are under way. */
  const rounds = new Set<AbortController>();

  async function get(request: string): Promise<RequestView> {
    const path = `/v1/requests/${encodeURIComponent(request)}`;
    const { value } = await client.call("GET", path, { schema: requestViewSchema });
    if (value.request === request) return value;
    throw new VerificationError("The relay answered with another request than the one that was asked for.", {
      request,
    });
  }

  async function listed(query: string): Promise<RequestList["requests"]> {
    return (await client.call("GET", `/v1/requests?${query}`, { schema: requestListSchema })).value.requests;
  }

  async function readAll(found: RequestList["requests"]): Promise<readonly RequestView[]> {
    const ids = found.map(({ request }) => request);
    const views: RequestView[] = [];
    for await (const view of ahead(ids, get)) views.push(view);
    return views;
  }

  async function* requests({
    signal,
    onConnection,
  }: Parameters<Reader["requests"]>[0]): AsyncGenerator<RequestView> {
    const open = new Map<string, number>();
    const backoff = newBackoff();
    const lost = (problem: unknown) => {
      onProblem?.(problem);
      onConnection?.(problem);
    };
    let round = new AbortController();
    try {
      while (!signal.aborted) {
        rounds.delete(round);
        round = new AbortController();
        rounds.add(round);
        const either = AbortSignal.any([signal, round.signal]);
        let away = 0;
        try {
          for await (const change of deviceChanges({ client, signal: either, onProblem: lost })) {
            for await (const view of ahead(await changedIds(change, open), get)) {
              if (view.state === "pending") open.set(view.request, view.version);
              else open.delete(view.request);
              yield view;
            }
            onConnection?.(null);
          }
        } catch (error) {
          if (signal.aborted) return;
          if (!isWaitedOut(error)) throw error;
          lost(error);
          away = retryAfterIn(error);
        }
        // From the beginning: what could not be read is listed again.
        await backoff.pause(either, away);
      }
    } finally {
      rounds.delete(round);
    }
  }

  /** An outage, or one bad answer of the relay; a roster that forked is neither, and neither is a refused token. */
  function isWaitedOut(error: unknown): boolean {
    if (isGuardError(error, "verification_failed")) return follower.current() !== null;
    return isPassing(error);
  }

  async function changedIds(change: StreamEvent, open: Map<string, number>): Promise<readonly string[]> {
    switch (change.event) {
      case "roster":
        // The stream's word is signed by nobody: it says that there may be something to read.
        if (change.seq > follower.current().head.seq) await follower.sync();
        return [];
      case "request":
        return [change.request];
      case "state": {
        if (change.roster.seq > follower.current().head.seq) await follower.sync();
        const listed = new Set(change.requests.map(({ request }) => request));
        const gone = [...open.keys()].filter((id) => !listed.has(id));
        const changed = change.requests.filter(({ request, version }) => open.get(request) !== version);
        return [...gone, ...changed.map(({ request }) => request)];
      }
    }
  }

  return {
    requests,
    get,
    wake() {
      for (const round of rounds) round.abort();
    },
    list: async () => readAll(await listed("state=open")),
    async history({ before } = {}) {
      const from = before === undefined ? "" : `&before=${encodeURIComponent(before)}`;
      const ended = (await listed(`state=closed${from}`)).slice(0, historyPage);
      if (before !== undefined) return readAll(ended);
      const running = (await listed("state=open")).filter(({ state }) => state !== "pending");
      return readAll([...running, ...ended]);
    },
  };
}

/** Reads many without waiting a round trip for each: `read` of each of `ids`, in their order. @throws what `read` throws, in its turn */
async function* ahead<T>(ids: readonly string[], read: (id: string) => Promise<T>): AsyncGenerator<T> {
  const under: Promise<T>[] = [];
  for (let next = 0; next < ids.length || under.length > 0; ) {
    while (under.length < width && next < ids.length) {
      const reading = read(ids[next++] as string);
      reading.catch(() => {}); // Thrown below, in its turn, unless an earlier one was.
      under.push(reading);
    }
    yield await (under.shift() as Promise<T>);
  }
}
