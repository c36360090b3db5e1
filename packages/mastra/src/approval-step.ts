/**
 * `approvalStep`: a workflow step that asks, waits suspended, and runs what was approved.
 *
 * Guarantees: whatever the step is resumed with grants nothing; a step that Mastra starts again joins its request
 * and runs at most once; a refusal fails the step with its reason, unless `denied` makes something else of it.
 */
import {
  type ActionInput,
  ConfigurationError,
  type Execution,
  type GuardError,
  type GuardErrorCode,
  isGuardError,
} from "@guard/core";
import type { InferPublicSchema, PublicSchema } from "@mastra/core/schema";
import { createStep, type DefaultEngineType, type ExecuteFunctionParams } from "@mastra/core/workflows";
import { pass, text } from "./call.ts";
import { type CallOptions, callOptions, checkOptions } from "./options.ts";
import { readSchema } from "./schema.ts";

/** What Mastra calls the step with. */
export type StepParams<I, O> = ExecuteFunctionParams<unknown, I, O, unknown, unknown, DefaultEngineType>;

type ParamsOf<I extends PublicSchema, O extends PublicSchema> = StepParams<
  InferPublicSchema<I>,
  InferPublicSchema<O>
>;
type ResultOf<O extends PublicSchema> = InferPublicSchema<O> | Promise<InferPublicSchema<O>>;

export interface ApprovalStepOptions<Id extends string, I extends PublicSchema, O extends PublicSchema>
  extends CallOptions {
  readonly id: Id;
  readonly description?: string;
  readonly inputSchema: I;
  readonly outputSchema: O;
  /** What is asked. Called on every pass: it has to give the same for the same input. */
  readonly action: (params: ParamsOf<I, O>) => Pick<ActionInput, "tool" | "args" | "facts">;
  /** Schema of the action's arguments. With it approvers can edit them. */
  readonly argsSchema?: PublicSchema;
  /** Gets what was approved, and `executionId` to pass on as an idempotency key. */
  readonly execute: (execution: Execution, params: ParamsOf<I, O>) => ResultOf<O>;
  /** What the step gives where nothing ran: rejected, denied, expired. Default: the step fails with the reason. */
  readonly denied?: (error: GuardError, params: ParamsOf<I, O>) => ResultOf<O>;
}

const known = [
  ...callOptions,
  "id",
  "description",
  "inputSchema",
  "outputSchema",
  "action",
  "argsSchema",
  "execute",
  "denied",
] as const;

/** Somebody said no, or nobody answered. An outage is none of these: the step fails. */
const refusals: readonly GuardErrorCode[] = ["rejected", "denied", "expired", "cancelled"];

/** An edit that cannot run is a person's answer too; an action that nobody can be asked about is a mistake of the step. */
const isRefusal = ({ code, request }: GuardError) =>
  refusals.includes(code) || (code === "validation" && request !== undefined);

/** @throws ConfigurationError that says what to do. */
export function approvalStep<Id extends string, I extends PublicSchema, O extends PublicSchema>(
  options: ApprovalStepOptions<Id, I, O>,
) {
  checkOptions("approvalStep", options, { known });
  const { id, description, inputSchema, outputSchema, action, argsSchema, execute, denied } = options;
  for (const [name, value] of Object.entries({ action, execute })) {
    if (typeof value !== "function")
      throw new ConfigurationError(`approvalStep: ${name} has to be a function of the step's parameters.`);
  }
  const read =
    argsSchema === undefined ? null : readSchema("approvalStep", id, argsSchema, description ?? null);

  return createStep({
    id,
    inputSchema,
    outputSchema,
    ...(description === undefined ? {} : { description }),
    execute: async (given) => {
      const params = given as unknown as ParamsOf<I, O>;
      const { tool, args, facts } = action(params);
      let started = false;
      try {
        const passed = await pass(
          options,
          placeOf(id, params),
          {
            tool,
            args,
            ...(facts === undefined ? {} : { facts }),
            ...(read ? { schema: { ...read.schema, name: tool }, validate: read.validate } : {}),
          },
          (execution) => {
            started = true;
            return execute(execution, params);
          },
        );
        // What the step gives when it is suspended is not looked at.
        return (passed.suspended ? undefined : passed.result) as InferPublicSchema<O>;
      } catch (error) {
        if (denied && !started && isGuardError(error) && isRefusal(error)) return denied(error, params);
        throw error;
      }
    },
  });
}

function placeOf<I, O>(id: string, params: StepParams<I, O>) {
  const { runId, workflowId, resourceId, requestContext, suspend, abortSignal } = params;
  return {
    agent: workflowId,
    thread: null,
    resource: text(resourceId),
    requestContext,
    callId: null,
    step: id,
    run: runId,
    // A run is resumed by this label, wherever in nested workflows the step stands.
    suspend: (payload: { readonly request: string }) => suspend(payload, { resumeLabel: payload.request }),
    resumeData: params.resumeData,
    suspendPayload: params.suspendData,
    signal: abortSignal,
  };
}
