/**
 * The life of one guard: opened by its first call, every pass under way known, the chain's head signed after
 * each, closed once.
 *
 * Guarantees: how a pass was refused is recorded; closing lets everything under way come to its end and be
 * recorded, and nothing new begins.
 */
import { ConfigurationError, type GuardError, isGuardError } from "../errors.ts";
import type { Latest } from "./approve.ts";
import type { Context } from "./context.ts";
import { type Grant, type Started, start } from "./execution.ts";
import { type Ordinals, type Prepared, prepare, type Taken } from "./prepare.ts";
import { propose } from "./propose.ts";
import { Recent } from "./recent.ts";

export interface Lifetime {
  /** Aborts when the guard is closed. */
  readonly closing: AbortSignal;
  /** @throws GuardError where the guard cannot be opened, or is closed */
  context(): Promise<Context>;
  /** Runs one pass, records how it was refused, and signs the chain's head after it. */
  pass<T>(
    taken: Taken,
    key: string | undefined,
    body: (c: Context, latest: Latest) => Promise<T>,
  ): Promise<T>;
  /** Starts, and signs the chain's head once the execution has ended. */
  begin(c: Context, grant: Grant): Promise<Started>;
  /** Records that a call was refused. */
  refused(c: Context, prepared: Prepared, error: GuardError): void;
  /** What `close` waits for, so that it is made to its end and recorded. */
  tracked<T>(work: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function lifetimeOf(opener: () => Promise<Context>): Lifetime {
  const ordinals: Ordinals = new Recent(100_000);
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();
  let opened: Promise<Context> | null = null;
  let sealing = false;

  function requireOpen(): void {
    if (closing.signal.aborted) throw new ConfigurationError("The guard is closed. Make another one.");
  }

  async function context(): Promise<Context> {
    requireOpen();
    opened ??= opener().catch((error: unknown) => {
      opened = null; // An outage may pass: the next call tries again.
      throw error;
    });
    return opened;
  }

  async function passed<T>(
    taken: Taken,
    key: string | undefined,
    body: (c: Context, latest: Latest) => Promise<T>,
  ): Promise<T> {
    const c = await context();
    const prepared = await prepare(taken, { keys: c.keys, app: c.app, agent: c.agent, ordinals, key });
    propose(c, prepared);
    // A call that is asked anew goes on as another one: its end is recorded there.
    const latest = { prepared };
    try {
      return await body(c, latest);
    } catch (error) {
      if (isGuardError(error) && error.code !== "wait_timeout") refused(c, latest.prepared, error);
      throw error;
    }
  }

  /**
   * Signs the chain's head behind the caller's back: once the caller has its result, and once for calls that end
   * together. A chain that cannot be written stops the next call.
   */
  function seal(c: Context): void {
    if (sealing) return;
    sealing = true;
    void tracked(
      (async () => {
        await new Promise((resolve) => setTimeout(resolve));
        sealing = false;
        try {
          await c.chain.checkpoint();
        } catch (error) {
          c.logger.error({ error: String(error) }, "evidence cannot be recorded");
        }
      })(),
    );
  }

  function tracked<T>(work: Promise<T>): Promise<T> {
    const ended = work.then(
      () => {},
      () => {}, // The caller gets the error.
    );
    running.add(ended);
    void ended.finally(() => running.delete(ended));
    return work;
  }

  function refused(c: Context, prepared: Prepared, error: GuardError): void {
    c.chain.append({
      type: "TOOL_CALL_DENIED",
      session: prepared.session,
      payload: {
        call: prepared.call,
        request: error.request ?? null,
        code: error.code,
        reasons: "reasons" in error ? (error.reasons as readonly string[]) : [],
      },
    });
    seal(c);
  }

  return {
    closing: closing.signal,
    context,
    refused,
    tracked,
    pass: (taken, key, body) => tracked(passed(taken, key, body)),

    async begin(c, grant) {
      requireOpen();
      const started = await start(c, grant);
      return {
        execution: started.execution,
        succeeded: (result) => started.succeeded(result).finally(() => seal(c)),
        failed: (error) => started.failed(error).finally(() => seal(c)),
      };
    },

    async close() {
      if (closing.signal.aborted) return;
      // First of all: a call that comes from here on opens nothing that nobody would close.
      closing.abort();
      const c = await opened?.catch(() => null);
      if (!c) return;
      c.watcher.close();
      // What ends signs the chain's head, which is one more thing to wait for.
      while (running.size > 0) await Promise.all(running);
      await c.foreign?.relay.close();
      await c.chain.close();
    },
  };
}
