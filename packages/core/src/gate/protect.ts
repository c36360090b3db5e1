/** `guard.protect`: any function behind the gate, with its types. */
import type { Json } from "../action/canonical.ts";
import type { Facts } from "../approval/request.ts";
import { ConfigurationError } from "../errors.ts";
import type { ActionInput, RunOptions } from "./types.ts";

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

export interface ProtectedCall extends RunOptions {
  readonly session?: string;
  readonly callId?: string;
  readonly requester?: string;
}

/** Runs the function through the guard; rejects with a GuardError where it did not run. */
export type Protected<A, R> = (args: A, call?: ProtectedCall) => Promise<Awaited<R>>;

const known = ["description", "schema", "inputSchema", "facts", "session", "requester"];

/** Checks the options and returns what turns a call into an action. */
export function protectedInput<A>(
  tool: string,
  options: ProtectOptions<A>,
): (args: A, call: ProtectedCall) => ActionInput {
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    throw new ConfigurationError(
      `protect("${tool}") has no option ${unknown.join(", ")}. It knows: ${known.join(", ")}.`,
    );
  }
  const { schema, facts, inputSchema, description = null } = options;
  return (args, call) => {
    const session = call.session ?? options.session;
    const requester = call.requester ?? options.requester;
    return {
      tool,
      args,
      ...(inputSchema === undefined ? {} : { schema: { name: tool, description, inputSchema } }),
      ...(facts === undefined
        ? {}
        : { facts: typeof facts === "function" ? (taken: Json) => facts(taken as A) : facts }),
      ...(session === undefined ? {} : { session }),
      ...(call.callId === undefined ? {} : { callId: call.callId }),
      ...(requester === undefined ? {} : { requester }),
      ...(schema === undefined ? {} : { validate: (edited: Json) => validated(schema, edited) }),
    };
  };
}

async function validated<A>(schema: StandardSchema<A>, value: Json): Promise<unknown> {
  const result = await schema["~standard"].validate(value);
  if (result.issues) throw new TypeError(result.issues.map((issue) => issue.message).join("; "));
  return result.value;
}
