/**
 * The guard: the gate that every action passes through, with a lifetime.
 *
 *     action ─ identify ─ decide ─ approve ─ consume ─ execute ─ record
 *
 * Guarantees: closed by default. Whatever fails at any stage, the tool does not run, and the caller gets an
 * error that says why; what ran is exactly what policy allowed or people approved, once.
 */
import type { Cancel } from "../approval/acts.ts";
import { eligible } from "../approval/terms.ts";
import { signObject } from "../crypto/signed.ts";
import {
  AlreadyExecutedError,
  ConfigurationError,
  type GuardError,
  isGuardError,
  WaitTimeoutError,
} from "../errors.ts";
import { requestViewSchema } from "../relay/api.ts";
import { approve, type Latest } from "./approve.ts";
import type { Asked } from "./ask.ts";
import { type Context, identify } from "./context.ts";
import { type Grant, grantedArgs, type Started, start } from "./execution.ts";
import { openGuard } from "./open.ts";
import { checkOptions, type GuardOptions } from "./options.ts";
import { type Ordinals, type Prepared, prepare, type Taken, take } from "./prepare.ts";
import { propose } from "./propose.ts";
import { type Protect, protector } from "./protect.ts";
import { Recent } from "./recent.ts";
import { settle } from "./settle.ts";
import type {
  ActionInput,
  Check,
  CheckOptions,
  Execute,
  Execution,
  OwnRequest,
  RunOptions,
} from "./types.ts";
import { waitFor } from "./wait.ts";
import { readOwn, type WakeUpOptions, wakeUps } from "./wake-ups.ts";

export interface Guard extends AsyncDisposable {
  /** Decides and, where people have to be asked, asks; never waits for them. */
  check(action: ActionInput, options?: CheckOptions): Promise<Check>;
  /** Decides, asks, waits and runs. @throws GuardError where it did not run; the tool's own error where it did. */
  run<R>(action: ActionInput, execute: Execute<R>, options?: RunOptions): Promise<R>;
  /** {@link run} for a tool that yields values while it runs. */
  runStream<T>(
    action: ActionInput,
    execute: (execution: Execution) => AsyncIterable<T>,
    options?: RunOptions,
  ): AsyncGenerator<T, void, undefined>;
  /** A function, or every method of an object, that runs through the guard. */
  readonly protect: Protect;
  /** Withdraws an open request: a signed act. */
  cancel(request: string): Promise<void>;
  /** Reads a request of this agent again. @throws GuardError where there is none, or it cannot be opened */
  read(request: string): Promise<OwnRequest>;
  /**
   * Requests that somebody has to act on, from now on and among those made in the last `lookBack` milliseconds,
   * until `signal` aborts or the guard is closed. What the state says is a wake-up: check the action again.
   */
  wakeUps(options: WakeUpOptions): AsyncGenerator<Pick<OwnRequest, "request" | "state">, void, undefined>;
  /** Resolves once connection, roster and evidence are usable; fails early where they are not. */
  ready(): Promise<void>;
  /**
   * Ends waiting, lets running tools end, makes the evidence durable and signs its head. Not to be awaited inside a tool.
   * @throws UnavailableError where some evidence could not be recorded, also earlier; the guard is closed all the same.
   */
  close(): Promise<void>;
}

/** @throws ConfigurationError where an option or a rule is not usable. Nothing is contacted yet. */
export function createGuard(options: GuardOptions = {}): Guard {
  checkOptions(options);
  const opener = openGuard(options);
  const ordinals: Ordinals = new Recent(100_000);
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();
  let opened: Promise<Context> | null = null;

  async function context(): Promise<Context> {
    if (closing.signal.aborted) throw new ConfigurationError("The guard is closed. Make another one.");
    opened ??= opener().catch((error: unknown) => {
      opened = null; // An outage may pass: the next call tries again.
      throw error;
    });
    return opened;
  }

  /** Runs one pass, records how it was refused, and signs the chain's head after it. */
  function pass<T>(
    taken: Taken,
    key: string | undefined,
    body: (c: Context, latest: Latest) => Promise<T>,
  ): Promise<T> {
    return tracked(passed(taken, key, body));
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

  let sealing = false;

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

  /** What `close` waits for, so that it is made to its end and recorded. */
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

  /** Starts, and signs the chain's head once the execution has ended. */
  async function begin(c: Context, grant: Grant): Promise<Started> {
    if (closing.signal.aborted) throw new ConfigurationError("The guard is closed. Make another one.");
    const started = await start(c, grant);
    return {
      execution: started.execution,
      succeeded: (result) => started.succeeded(result).finally(() => seal(c)),
      failed: (error) => started.failed(error).finally(() => seal(c)),
    };
  }

  const run = async <R>(input: ActionInput, execute: Execute<R>, options: RunOptions = {}): Promise<R> => {
    const started = await admit(take(input), options);
    return tracked(perform(started, execute));
  };

  /** Everything before the tool: to a started execution, or an error. */
  function admit(taken: Taken, options: RunOptions): Promise<Started> {
    const signal = options.signal ? AbortSignal.any([options.signal, closing.signal]) : closing.signal;
    return pass(taken, options.key, async (c, latest) => {
      // A call that is under way is always made to its end: what was asked has to be known.
      if (signal.aborted)
        throw new WaitTimeoutError("The caller stopped before anything was asked.", { cause: signal.reason });
      const grant = await approve(c, latest, "wait", async (asked) =>
        waitFor(c, asked, { signal, ...(options.timeout === undefined ? {} : { timeout: options.timeout }) }),
      );
      if (grant === null) throw new TypeError("A wait ended without an outcome.");
      return begin(c, grant.grant);
    });
  }

  async function* stream<T>(
    taken: Promise<Taken>,
    execute: (execution: Execution) => AsyncIterable<T>,
    options: RunOptions,
  ): AsyncGenerator<T, void, undefined> {
    const started = await admit(await taken, options);
    let last: unknown;
    let ended = false;
    try {
      for await (const value of execute(started.execution)) {
        last = value;
        yield value;
      }
      ended = true;
    } catch (error) {
      ended = true;
      await started.failed(error);
      throw error;
    } finally {
      // Whoever reads may stop in the middle; the tool ran all the same.
      if (!ended) await started.failed(new Error("stopped by its reader"));
    }
    await started.succeeded(last);
  }

  return {
    run,

    async check(input, options = {}) {
      const { mode = "suspend", key } = options;
      let asked: Asked | null = null;
      try {
        const grant = await pass(take(input), key, async (c, latest) => {
          const result = await approve(c, latest, mode, async (request) => {
            asked = request;
            return settle(c, request, request.view);
          });
          return result && { c, grant: result.grant };
        });
        if (grant === null) {
          const { request: requestId, expiresAt, terms } = (asked as unknown as Asked).header;
          const { quorum } = terms;
          return { status: "pending", requestId, expiresAt, approvers: eligible(terms), quorum };
        }
        let used = false;
        return {
          status: "ready",
          args: grantedArgs(grant.grant),
          run: async (execute) => {
            if (used)
              throw new AlreadyExecutedError("This check has been run already. Check again for another run.");
            used = true;
            let started: Started;
            try {
              started = await tracked(begin(grant.c, grant.grant));
            } catch (error) {
              if (isGuardError(error) && !closing.signal.aborted)
                refused(grant.c, grant.grant.prepared, error);
              throw error;
            }
            return tracked(perform(started, execute));
          },
        };
      } catch (error) {
        if (!isGuardError(error)) throw error;
        return { status: "denied", error };
      }
    },

    runStream(input, execute, options = {}) {
      // Taken at the call, although a generator does nothing before it is read.
      const taken = (async () => take(input))();
      taken.catch(() => {}); // Whoever reads gets the error.
      return stream(taken, execute, options);
    },

    protect: protector(run),

    async cancel(request) {
      const c = await context();
      const body: Cancel = { type: "guard/v1/cancel", app: c.app, request, time: c.now() };
      const cancel = await signObject(c.keys.signer, body);
      await c.client.call("POST", `/v1/requests/${request}/cancel`, {
        schema: requestViewSchema,
        body: { cancel },
      });
    },

    async read(request) {
      return readOwn(await context(), request);
    },

    async *wakeUps(options) {
      const signal = AbortSignal.any([options.signal, closing.signal]);
      yield* wakeUps(await context(), { ...options, signal });
    },

    async ready() {
      const c = await context();
      await identify(c);
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
      await c.chain.close();
    },

    async [Symbol.asyncDispose]() {
      await this.close();
    },
  };
}

async function perform<R>(started: Started, execute: Execute<R>): Promise<R> {
  let result: R;
  try {
    result = await execute(started.execution);
  } catch (error) {
    await started.failed(error);
    throw error;
  }
  await started.succeeded(result);
  return result;
}
