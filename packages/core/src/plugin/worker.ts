/**
 * The loop of every `resumeWorker`: hears which requests have an outcome, has the plugin find the run that waits
 * for it, and resumes that run.
 *
 * Guarantees: one stream for all runs, and nothing kept outside relay and framework, so that any process with the
 * connection can be the worker; one run at a time for each session; outages are waited out, and a run that
 * fails is tried again a few times and then told to `onError`. Two workers may be at the same run: the gate
 * lets the tool run once, this only saves work.
 */
import pLimit from "p-limit";
import { ConfigurationError } from "../errors.ts";
import type { Guard } from "../gate/guard.ts";
import type { OwnRequest } from "../gate/types.ts";
import { isPassing, newBackoff, pauseFor } from "../relay/backoff.ts";

export interface ResumeWorkerOptions {
  readonly guard: Guard;
  /** Runs that are resumed at once. Default 8. */
  readonly concurrency?: number;
  /** How old a request may be that is looked at when the worker starts, in milliseconds. Default 7 days. */
  readonly lookBack?: number;
  /**
   * How long a process may take to store that its run waits, or what a call gave, in milliseconds, before the run
   * counts as gone, or the result as lost. Default 10,000.
   */
  readonly storedWithin?: number;
  /** Told what could not be resumed after five attempts, or (with null) why the worker has ended. Default: `console.error`. */
  readonly onError?: (error: unknown, wake: WakeUp | null) => void;
}

/** The request whose outcome wakes a run. Its state decides nothing. */
export type WakeUp = OwnRequest;

export interface ResumeLoopOptions extends ResumeWorkerOptions {
  /** Looks for the run that waits for this request: what resumes it, or null where none waits (any more). */
  readonly find: (wake: WakeUp) => Promise<(() => Promise<void>) | null>;
}

export interface ResumeWorker extends AsyncDisposable {
  /** Resolves once everything that is known by now has been acted on. Rejects where the worker has ended by an error. */
  idle(): Promise<void>;
  /** Hears nothing more, and lets the runs that it has resumed end. */
  close(): Promise<void>;
}

export const resumeWorkerOptions = ["guard", "concurrency", "lookBack", "storedWithin", "onError"] as const;

const most = 5;
const day = 86_400_000;
/** How long a model may speak on after it has asked for a call: until then its run is stored nowhere. */
const speaking = 10 * 60_000;

/** @throws ConfigurationError */
export function resumeLoop(options: ResumeLoopOptions): ResumeWorker {
  const { guard, find, concurrency = 8, lookBack = 7 * day, storedWithin = 10_000 } = options;
  const { onError = (error, wake) => console.error(sayOf(wake), error) } = options;
  for (const [name, value, least] of [
    ["concurrency", concurrency, 1],
    ["lookBack", lookBack, 0],
    ["storedWithin", storedWithin, 0],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < least)
      throw new ConfigurationError(`resumeWorker: ${name} has to be a whole number of at least ${least}.`);
  }
  const stop = new AbortController();
  const limit = pLimit(concurrency);
  const lines = new Map<string, Promise<void>>();
  const busy = new Map<string, { again: boolean }>();
  const work = new Set<Promise<void>>();
  const looks = new Map<string, number>();
  const heard = Promise.withResolvers<void>();
  heard.promise.catch(() => {}); // Whoever asks `idle` gets it, and `onError` has it.

  /** In the session's line, and then among the few that are at work at once. */
  function inLine<T>(session: string, step: () => Promise<T>): Promise<T> {
    const mine = (lines.get(session) ?? Promise.resolve()).then(() => limit(step));
    const ended = mine.then(
      () => {},
      () => {}, // The caller gets the error.
    );
    lines.set(session, ended);
    void ended.then(() => lines.get(session) === ended && lines.delete(session));
    return mine;
  }

  /** Resumes the run that waits for `wake`, if one does. `storing`: its result may be on the way to the storage. */
  async function resume(wake: WakeUp, patient: boolean): Promise<"resumed" | "absent" | "storing"> {
    const run = stop.signal.aborted ? null : await find(wake);
    if (run === null) return "absent";
    if (wake.state === "completed" && patient) return "storing";
    await run();
    return "resumed";
  }

  /**
   * A run may have been answered before it was stored as waiting, and nothing else would ever wake it: it is looked
   * for again, ever less often, for as long as a model may go on speaking after a call.
   */
  function lookAgain({ request, createdAt }: WakeUp): void {
    if (Date.now() - createdAt > speaking) return void looks.delete(request);
    const delay = looks.get(request) ?? 100;
    looks.set(request, Math.min(delay * 2, 30_000));
    void pauseFor(delay, stop.signal).then(() => stop.signal.aborted || schedule(request));
  }

  async function act(request: string): Promise<void> {
    const backoff = newBackoff();
    let wake: WakeUp | null = null;
    for (let attempt = 1; !stop.signal.aborted; attempt++) {
      try {
        const own = await limit(() => guard.read(request));
        wake = own;
        if (own.state === "pending" || own.state === "executing") return void looks.delete(request);
        const session = own.session ?? request;
        const done = await inLine(session, () => resume(own, true));
        if (done === "absent" && own.state !== "completed") lookAgain(own);
        else looks.delete(request);
        if (done !== "storing") return;
        await pauseFor(storedWithin, stop.signal);
        await inLine(session, () => resume(own, false));
        return;
      } catch (error) {
        if (stop.signal.aborted) return;
        if (attempt >= most && !isPassing(error)) return onError(error, wake);
        await backoff.pause(stop.signal);
      }
    }
  }

  function schedule(request: string): void {
    const task = busy.get(request);
    if (task) {
      task.again = true;
      return;
    }
    const mine = { again: false };
    busy.set(request, mine);
    const done = (async () => {
      do {
        mine.again = false;
        await act(request);
      } while (mine.again && !stop.signal.aborted);
    })().finally(() => {
      busy.delete(request);
      work.delete(done);
    });
    work.add(done);
  }

  async function listen(): Promise<void> {
    const backoff = newBackoff();
    while (!stop.signal.aborted) {
      try {
        const onQuiet = () => heard.resolve();
        for await (const { request } of guard.wakeUps({ signal: stop.signal, lookBack, onQuiet })) {
          schedule(request);
        }
        return;
      } catch (error) {
        if (stop.signal.aborted) return;
        if (!isPassing(error)) throw error;
        await backoff.pause(stop.signal);
      }
    }
  }

  const listening = listen().catch((error: unknown) => {
    heard.reject(error);
    onError(error, null);
  });

  const worker: ResumeWorker = {
    async idle() {
      await heard.promise;
      while (work.size > 0) await Promise.all(work);
    },
    async close() {
      stop.abort();
      heard.resolve();
      await listening;
      await Promise.all(work);
    },
    [Symbol.asyncDispose]: () => worker.close(),
  };
  return worker;
}

function sayOf(wake: WakeUp | null): string {
  return wake === null
    ? "Guard's resume worker has ended:"
    : `Guard could not resume the run that waits for ${wake.tool} (request ${wake.request}):`;
}
