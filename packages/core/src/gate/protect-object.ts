/**
 * An object behind the gate: the same methods, each of which asks first and then runs on the object itself.
 *
 * Guarantees: closed by default. Every method is guarded unless it is named in `ungated`; what is no method and no
 * plain value is not handed out, because nobody would guard its methods. What approvers see of a call is all that
 * the method is given, under a name each.
 */
import type { Json } from "../action/canonical.ts";
import type { Facts } from "../approval/request.ts";
import { ConfigurationError, ValidationError } from "../errors.ts";
import { actionOf, checkKnown, known, type ProtectOptions, refuseUncallable } from "./protected-action.ts";
import type { ActionInput, Execute } from "./types.ts";

type Method = (...args: never[]) => unknown;
type Primitive = string | number | bigint | boolean | symbol | null | undefined;
type ParametersOf<F> = F extends (...args: infer P) => unknown ? P : never;
type Names<P extends readonly unknown[]> = { readonly [I in keyof P]-?: string };

/** What is said about a method. */
export interface MethodOptions<F> extends Pick<ProtectOptions<never>, "description" | "inputSchema"> {
  /** The names of its positional parameters, in order: what approvers see and rules test. */
  readonly params?: Names<ParametersOf<F>>;
  /** Validates arguments (by name, where `params` names them) that an approver edited. Without it they cannot be. */
  readonly schema?: ProtectOptions<unknown>["schema"];
  /** Or a function of what the method itself will be called with. */
  readonly facts?: Facts | ((...args: ParametersOf<F>) => Facts);
}

export interface ProtectObjectOptions<T, U extends keyof T & string, N extends keyof T & string> {
  /** By method. Those that take something else than one object need `params`. */
  readonly methods?: { readonly [K in N]: MethodOptions<T[K]> };
  /** Members that are handed out as they are: methods that run without the guard, objects with methods of their own. */
  readonly ungated?: readonly U[];
  readonly session?: string;
  readonly requester?: string;
}

/** The object as its caller sees it: methods are async, objects inside it are not there. */
export type ProtectedObject<T, U extends PropertyKey, N extends PropertyKey> = {
  readonly [K in keyof T & string as K extends U
    ? K
    : T[K] extends Method | Primitive
      ? K
      : never]: K extends U
    ? T[K]
    : T[K] extends (...args: infer P) => infer R
      ? K extends N
        ? (...args: P) => Promise<Awaited<R>>
        : IsOneObject<P> extends true
          ? (...args: P) => Promise<Awaited<R>>
          : [] extends P
            ? () => Promise<Awaited<R>>
            : `Name what ${K} takes: methods: { ${K}: { params: […] } }`
      : T[K];
};
type IsOneObject<P extends readonly unknown[]> = P extends readonly []
  ? true
  : Required<P> extends readonly [infer A]
    ? A extends readonly unknown[] | Method
      ? false
      : A extends object
        ? true
        : false
    : false;

type Run = <R>(action: ActionInput, execute: Execute<R>) => Promise<R>;

/** The options, where the types of the object do not matter any more. */
interface Own extends Omit<ProtectOptions<Json>, "facts"> {
  readonly params?: readonly string[];
  readonly facts?: Facts | ((...args: unknown[]) => Facts);
}
interface Options {
  readonly methods?: Readonly<Record<string, Own>>;
  readonly ungated?: readonly string[];
  readonly session?: string;
  readonly requester?: string;
}

export function protectObject(run: Run, name: string, object: object, options: Options): object {
  const members = membersOf(name, object);
  checkOptions(name, members, options);
  const { methods = {}, ungated = [], ...whose } = options;
  const guarded = {};
  for (const [key, { value }] of members) {
    const read = () => Reflect.get(object, key);
    let member: PropertyDescriptor;
    if (typeof value !== "function") {
      member = { get: ungated.includes(key) ? read : () => plain(name, key, read()) };
    } else if (ungated.includes(key)) {
      member = { value: value.bind(object) };
    } else {
      const own = Object.hasOwn(methods, key) ? (methods[key] as Own) : {};
      const take = taker(`${name}.${key}`, key, value, own);
      const method = async (...given: unknown[]) => {
        const { action, values } = take(given);
        return run({ ...action, ...whose }, async ({ args }) => Reflect.apply(value, object, values(args)));
      };
      member = { value: method };
    }
    Object.defineProperty(guarded, key, { ...member, enumerable: true });
  }
  return Object.freeze(guarded);
}

/** Everything that has a name, the object's own and what its classes give it; the nearest wins. */
function membersOf(name: string, object: object): Map<string, PropertyDescriptor> {
  if (typeof object !== "object" || object === null)
    throw new ConfigurationError(`protect("${name}") needs a function, or an object with methods.`);
  const members = new Map<string, PropertyDescriptor>();
  let from: object | null = object;
  while (from !== null && from !== Object.prototype) {
    for (const [key, member] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
      if (key !== "constructor" && !members.has(key)) members.set(key, member);
    }
    from = Object.getPrototypeOf(from);
  }
  return members;
}

function checkOptions(name: string, members: Map<string, PropertyDescriptor>, options: Options): void {
  const refuse = (why: string) => {
    throw new ConfigurationError(`protect("${name}"): ${why}`);
  };
  checkKnown(`protect("${name}")`, options, ["methods", "ungated", "session", "requester"]);
  const isMethod = (key: string) => typeof members.get(key)?.value === "function";
  if (![...members.keys()].some(isMethod)) refuse("the object has no methods, so there is nothing to guard.");
  if (isMethod("then")) refuse("it is a promise, or would be taken for one. Await it first.");
  for (const key of options.ungated ?? []) {
    if (!members.has(key)) refuse(`it has no member ${key}. Is it misspelt in ungated?`);
    if (Object.hasOwn(options.methods ?? {}, key))
      refuse(`${key} is in methods and in ungated. Remove one of the two.`);
  }
  for (const [key, own] of Object.entries(options.methods ?? {})) {
    if (!isMethod(key)) refuse(`it has no method ${key}. Is it misspelt in methods?`);
    checkKnown(`protect("${name}").methods.${key}`, own, [...known, "params"]);
  }
}

/** An object inside the object would be a way past the guard. */
function plain(name: string, key: string, value: unknown): unknown {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return value;
  throw new ConfigurationError(
    `${name}.${key} gives an object or a function, and nobody would guard that. ` +
      `Protect it by itself, guard.protect("${name}.${key}", …), or list ${key} in ungated.`,
  );
}

/** Makes of what a method is called with an action, and of an action's arguments, perhaps edited, what it is run with. */
function taker(tool: string, key: string, fn: Method, own: Own) {
  refuseUncallable(tool, fn);
  const { params, facts, schema, ...rest } = own;
  const hint = `Name what it takes: methods: { ${key}: { params: […] } }.`;
  if (params === undefined && fn.length > 1)
    throw new ConfigurationError(`protect: ${tool} takes ${fn.length} arguments. ${hint}`);
  if (params !== undefined && !areNames(params, fn.length))
    throw new ConfigurationError(
      `protect: params of ${tool} has to be a list that names its ${fn.length} arguments, each once.`,
    );

  return (given: readonly unknown[]): { action: ActionInput; values(args: Json): unknown[] } => {
    // An argument that is undefined is one that was left out.
    const taken = given.slice(0, given.findLastIndex((value) => value !== undefined) + 1);
    if (params === undefined && !isOneObject(taken))
      throw new ValidationError(`${tool} was called with something else than one plain object. ${hint}`);
    if (params !== undefined && taken.length > params.length)
      throw new ValidationError(`${tool} was called with ${taken.length} arguments. ${hint}`);
    const args =
      params === undefined
        ? (taken[0] ?? {})
        : Object.fromEntries(taken.map((value, i) => [params[i], value]));

    const values = (now: Json): unknown[] => {
      if (params !== undefined) return byPlace(tool, params, now);
      return taken.length === 0 && Object.keys(now as object).length === 0 ? [] : [now];
    };
    const action = actionOf(tool, args, {
      ...rest,
      ...(facts && { facts: typeof facts === "function" ? (now: Json) => facts(...values(now)) : facts }),
      ...(schema && { schema }),
    });
    const { validate } = action;
    if (!validate) return { action, values };
    const fits = async (edited: Json) => {
      values(edited); // What no parameter takes would be signed, and not run.
      return validate(edited);
    };
    return { action: { ...action, validate: fits }, values };
  };
}

function areNames(params: readonly string[], least: number): boolean {
  const names = Array.isArray(params) && params.every((name) => typeof name === "string" && name !== "");
  return names && new Set(params).size === params.length && params.length >= least;
}

function isOneObject(values: readonly unknown[]): boolean {
  const [value] = values;
  if (values.length !== 1) return values.length === 0;
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function byPlace(tool: string, params: readonly string[], args: Json): unknown[] {
  const named = args as Readonly<Record<string, Json>>;
  const other = Object.keys(named).find((key) => !params.includes(key));
  if (other !== undefined) throw new ValidationError(`${tool} takes nothing that is called ${other}.`);
  return params.map((key) => (Object.hasOwn(named, key) ? named[key] : undefined));
}
