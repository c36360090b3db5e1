/** What a function and a method behind the gate have in common: their options, and the action that a call of them is. */
import type { Json } from "../action/canonical.ts";
import type { Facts } from "../approval/request.ts";
import { ConfigurationError } from "../errors.ts";
import type { ActionInput } from "./types.ts";

/** The part of Standard Schema (standardschema.dev, version 1) that is used: zod, valibot, arktype have it. */
export interface StandardSchema<A> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    validate(value: unknown): StandardResult<A> | Promise<StandardResult<A>>;
  };
}
type StandardResult<A> =
  | { readonly value: A; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/** What is said about a function or a method beside its name. */
export interface ProtectOptions<A> {
  /** Shown to approvers and pinned with the schema. */
  readonly description?: string;
  /** Validates arguments that an approver edited. Without it they cannot be edited. */
  readonly schema?: StandardSchema<A>;
  /** JSON Schema of the arguments: pinned, and the form from which an approver edits. */
  readonly inputSchema?: Json;
  readonly facts?: Facts | ((args: A) => Facts);
  readonly session?: string;
  readonly requester?: string;
}

/** The options that a function and a method have in common. */
export const known: readonly string[] = ["description", "schema", "inputSchema", "facts"];

export function checkKnown(who: string, options: object, names: readonly string[]): void {
  const unknown = Object.keys(options).filter((key) => !names.includes(key));
  if (unknown.length === 0) return;
  throw new ConfigurationError(`${who} has no option ${unknown.join(", ")}. It knows: ${names.join(", ")}.`);
}

const generators = [function* () {}, async function* () {}].map((fn) => fn.constructor);

/** @throws ConfigurationError for functions that would not run when they are called. */
export function refuseUncallable(tool: string, fn: object): void {
  // The evidence would say that it ran before it did.
  if (generators.some((kind) => fn instanceof kind)) {
    throw new ConfigurationError(
      `protect: ${tool} is a generator, which runs while it is read. Use guard.runStream for it.`,
    );
  }
  if (Object.getOwnPropertyDescriptor(fn, "prototype")?.writable === false) {
    throw new ConfigurationError(
      `protect: ${tool} is a class. Protect an object of it, or a function that makes one.`,
    );
  }
}

/** What a call of `tool` with `args` is, as far as the options say. */
export function actionOf(tool: string, args: unknown, options: ProtectOptions<Json>): ActionInput {
  const { schema, facts, inputSchema, description = null } = options;
  return {
    tool,
    args,
    ...(inputSchema === undefined ? {} : { schema: { name: tool, description, inputSchema } }),
    ...(facts === undefined ? {} : { facts }),
    ...(schema === undefined ? {} : { validate: (edited) => validated(schema, edited) }),
  };
}

async function validated(schema: StandardSchema<unknown>, value: Json): Promise<unknown> {
  const result = await schema["~standard"].validate(value);
  if (result.issues) throw new TypeError(result.issues.map((issue) => issue.message).join("; "));
  return result.value;
}
