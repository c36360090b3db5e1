/**
 * `guard.protect`: any function, or the methods of any object, behind the gate, with their types.
 *
 * Guarantees: what is protected runs only through the guard, with the snapshot that was approved; options that
 * cannot be meant throw here, not when something is called.
 */
import type { Json } from "../action/canonical.ts";
import { ConfigurationError } from "../errors.ts";
import { type ProtectedObject, type ProtectObjectOptions, protectObject } from "./protect-object.ts";
import { actionOf, checkKnown, known, type ProtectOptions, refuseUncallable } from "./protected-action.ts";
import type { ActionInput, Execute, Execution, RunOptions } from "./types.ts";

export interface ProtectedCall extends RunOptions {
  readonly session?: string;
  readonly callId?: string;
  readonly requester?: string;
}

/** Runs the function through the guard; rejects with a GuardError where it did not run. */
export type Protected<A, R> = (args: A, call?: ProtectedCall) => Promise<Awaited<R>>;

export interface Protect {
  /** A function that runs through the guard. It takes one argument: a plain JSON object. */
  <A, R>(
    tool: string,
    fn: (args: A, execution: Execution) => R,
    options?: ProtectOptions<A>,
  ): Protected<A, R>;
  /**
   * An object of which every method runs through the guard, on the object itself, as the tool `name.method`. A
   * method takes one plain JSON object, or positional arguments that `methods` gives names to.
   *
   * @example
   * const guarded = guard.protect("shop", shop, {
   *   methods: { refund: { params: ["order", "amount"] } },
   *   ungated: ["find"],
   * });
   * await guarded.refund("A-1", 900); // asked as shop.refund { order: "A-1", amount: 900 }
   */
  <T extends object, U extends keyof T & string = never, N extends keyof T & string = never>(
    name: string,
    object: T,
    options?: ProtectObjectOptions<T, U, N>,
  ): ProtectedObject<T, U, N>;
}

type Run = <R>(action: ActionInput, execute: Execute<R>, options?: RunOptions) => Promise<R>;

/** @internal */
export function protector(run: Run): Protect {
  function protect(
    name: string,
    target: object,
    options: ProtectOptions<never> & ProtectObjectOptions<object, never, never> = {},
  ): unknown {
    if (typeof name !== "string" || name.length === 0)
      throw new ConfigurationError("protect needs a name: the tool's, or the object's.");
    if (typeof target === "function") {
      const fn = target as (args: Json, execution: Execution) => unknown;
      return protectFunction(run, name, fn, options as ProtectOptions<Json>);
    }
    return protectObject(run, name, target, options);
  }
  return protect as Protect;
}

function protectFunction(
  run: Run,
  tool: string,
  fn: (args: Json, execution: Execution) => unknown,
  options: ProtectOptions<Json>,
): Protected<Json, unknown> {
  checkKnown(`protect("${tool}")`, options, [...known, "session", "requester"]);
  refuseUncallable(tool, fn);
  return async (args, call = {}) => {
    const { session = options.session, callId, requester = options.requester, ...runOptions } = call;
    const action: ActionInput = {
      ...actionOf(tool, args, options),
      ...(session === undefined ? {} : { session }),
      ...(callId === undefined ? {} : { callId }),
      ...(requester === undefined ? {} : { requester }),
    };
    return run(action, async (execution) => fn(execution.args, execution), runOptions);
  };
}
