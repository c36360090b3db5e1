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
import { AlreadyExecutedError, isGuardError, WaitTimeoutError } from "../errors.ts";
import { requestViewSchema } from "../relay/api.ts";
import { approve } from "./approve.ts";
import type { Asked } from "./ask.ts";
import { identify } from "./context.ts";
import { grantedArgs, type Started } from "./execution.ts";
import { lookForeign } from "./foreign.ts";
import { lifetimeOf } from "./lifetime.ts";
import { openGuard } from "./open.ts";
import { checkOptions, type GuardOptions } from "./options.ts";
import { type Taken, take } from "./prepare.ts";
import { type Protect, protector } from "./protect.ts";
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
  const { closing, context, pass, begin, refused, tracked, close } = lifetimeOf(openGuard(options));

  const run = async <R>(input: ActionInput, execute: Execute<R>, options: RunOptions = {}): Promise<R> => {
    const started = await admit(take(input), options);
    return tracked(perform(started, execute));
  };

  /** Everything before the tool: to a started execution, or an error. */
  function admit(taken: Taken, options: RunOptions): Promise<Started> {
    const signal = options.signal ? AbortSignal.any([options.signal, closing]) : closing;
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
            const settled = await settle(c, request, request.view);
            if (settled.status !== "pending") return settled;
            const answered = await lookForeign(c, request);
            return answered ? settle(c, request, answered) : settled;
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
              if (isGuardError(error) && !closing.aborted) refused(grant.c, grant.grant.prepared, error);
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
      const signal = AbortSignal.any([options.signal, closing]);
      yield* wakeUps(await context(), { ...options, signal });
    },

    async ready() {
      const c = await context();
      await identify(c);
    },

    close,
    [Symbol.asyncDispose]: close,
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
