/**
 * Wake-ups: which requests of this agent somebody has to act on now, for a worker that resumes suspended runs.
 *
 * Guarantees: whatever happened while nobody listened is told as well, back to the age that the caller names;
 * nothing is kept outside the relay for it, so a worker on another host hears the same; one stream carries it,
 * and while nothing happens it costs nothing. A wake-up decides nothing: the gate reads the outcome again.
 */
import { reopenRequest } from "../approval/sealing.ts";
import { VerificationError } from "../errors.ts";
import { type RequestList, type RequestState, requestListSchema, requestViewSchema } from "../relay/api.ts";
import { isPassing, newBackoff, retryAfterIn } from "../relay/backoff.ts";
import { ownHeader } from "./ask.ts";
import type { Context } from "./context.ts";
import { hearForeign } from "./foreign.ts";
import { Recent } from "./recent.ts";
import type { OwnRequest } from "./types.ts";

/** Nobody has to act on these: they wait for people, or for the process that runs them. */
const asleep: readonly RequestState[] = ["pending", "executing"];

type Listed = RequestList["requests"][number];

/** Reads a request that this agent made, also an earlier process of it. @throws GuardError */
export async function readOwn(c: Context, request: string): Promise<OwnRequest> {
  const { value: view } = await c.client.call("GET", `/v1/requests/${request}`, {
    schema: requestViewSchema,
  });
  const header = await ownHeader(c, view);
  if (header.request !== request) {
    throw new VerificationError("The relay answered with another request than the one that was read.", {
      request,
    });
  }
  const paper = await reopenRequest(c.keys, header, view.ciphertext);
  return {
    request,
    state: view.state,
    tool: paper.action.tool,
    args: paper.action.args,
    session: paper.session,
    callId: paper.callId,
    createdAt: header.createdAt,
    expiresAt: header.expiresAt,
  };
}

export interface WakeUpOptions {
  readonly signal: AbortSignal;
  /** How old a request may be that is told at the beginning, in milliseconds. */
  readonly lookBack: number;
  /** Called when all that is known so far has been told. */
  readonly onQuiet?: () => void;
}

/**
 * Yields each request once for every change after which somebody has to act, beginning with those made in the
 * last `lookBack` milliseconds. Ends when `signal` aborts.
 */
export async function* wakeUps(
  c: Context,
  { signal, lookBack, onQuiet }: WakeUpOptions,
): AsyncGenerator<Pick<OwnRequest, "request" | "state">, void, undefined> {
  const told = new Recent<number>(100_000);
  const ready: Listed[] = [];
  let open: ReadonlySet<string> | null = null;
  // A whole state that the relay told, and has not been looked through yet.
  let state: readonly Listed[] | null = null;
  let { promise: news, resolve: ring } = Promise.withResolvers<void>();

  const leave = c.watcher.follow((change) => {
    if (change.event === "state") state = change.requests;
    if (change.event === "request") {
      ready.push(change);
      if (c.foreign && change.state === "pending") hear(change.request);
    }
    ring();
  });
  signal.addEventListener("abort", () => ring(), { once: true });

  const heard = new Set<string>();
  /** What is answered over another wire changes the request, which is heard like every change. */
  function hear(request: string): void {
    if (heard.has(request)) return;
    heard.add(request);
    void (async () => {
      const view = await persistently(c, signal, () =>
        c.client.call("GET", `/v1/requests/${request}`, { schema: requestViewSchema, signal, repeat: false }),
      );
      if (view === null) return;
      const header = await ownHeader(c, view.value);
      const paper = await reopenRequest(c.keys, header, view.value.ciphertext);
      await hearForeign(c, { header, paper }, signal);
    })()
      .catch((error: unknown) =>
        c.logger.warn({ request, error: String(error) }, "an answer cannot be heard"),
      )
      .finally(() => heard.delete(request));
  }

  function* fresh(listed: Iterable<Listed>): Generator<Pick<OwnRequest, "request" | "state">> {
    for (const { request, state, version } of listed) {
      if (asleep.includes(state) || (told.get(request) ?? -1) >= version) continue;
      told.set(request, version);
      yield { request, state };
    }
  }

  try {
    while (!signal.aborted) {
      if (state !== null) {
        const now: readonly Listed[] = state;
        state = null;
        yield* fresh(now);
        if (c.foreign) for (const { request, state } of now) if (state === "pending") hear(request);
        const before = open;
        open = new Set(now.map(({ request }) => request));
        for await (const page of closed(c, { signal, lookBack: before === null ? lookBack : null })) {
          const found = [...fresh(page)];
          yield* found;
          // After the first time: what was asked and closed while nobody listened is at the top.
          if (before !== null && found.length < page.length) break;
        }
        for (const request of before ?? []) {
          // Asked long ago, and closed while nobody listened.
          if (!open.has(request)) yield* fresh(await lookedUp(c, request, signal));
        }
      }
      yield* fresh(ready.splice(0));
      if (state !== null || ready.length > 0) continue;
      if (signal.aborted) return;
      if (open !== null) onQuiet?.();
      await news;
      ({ promise: news, resolve: ring } = Promise.withResolvers<void>());
    }
  } finally {
    leave();
  }
}

/** Pages of closed requests, newest first; as far back as `lookBack` says, or to the end. */
async function* closed(
  c: Context,
  { signal, lookBack }: { signal: AbortSignal; lookBack: number | null },
): AsyncGenerator<readonly Listed[]> {
  let before: string | undefined;
  for (;;) {
    const path = `/v1/requests?state=closed${before === undefined ? "" : `&before=${before}`}`;
    const list = await persistently(c, signal, () =>
      c.client.call("GET", path, { schema: requestListSchema, signal, repeat: false }),
    );
    const page = list?.value.requests ?? [];
    yield page;
    before = page.at(-1)?.request;
    if (before === undefined || signal.aborted) return;
    if (lookBack === null) continue;
    const oldest = before;
    const last = await persistently(c, signal, () => readOwn(c, oldest));
    if (last === null || last.createdAt < c.now() - lookBack) return;
  }
}

async function lookedUp(c: Context, request: string, signal: AbortSignal): Promise<readonly Listed[]> {
  const path = `/v1/requests/${request}`;
  const found = await persistently(c, signal, () =>
    c.client.call("GET", path, { schema: requestViewSchema, signal, repeat: false }),
  );
  return found === null ? [] : [found.value];
}

/** The answer, through all outages; null once `signal` aborts. @throws GuardError where waiting does not help */
async function persistently<T>(c: Context, signal: AbortSignal, call: () => Promise<T>): Promise<T | null> {
  const backoff = newBackoff();
  while (!signal.aborted) {
    try {
      return await call();
    } catch (error) {
      if (signal.aborted) return null;
      if (!isPassing(error)) throw error;
      c.logger.warn({ code: error.code }, "the relay cannot be asked about requests; it is asked again");
      await backoff.pause(signal, retryAfterIn(error));
    }
  }
  return null;
}
