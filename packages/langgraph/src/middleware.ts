/**
 * `guardMiddleware`: every tool call of LangChain's `createAgent`, behind the guard. It waits, or suspends the run
 * by LangGraph's interrupt and attempts the call again whenever the run is resumed.
 *
 * Guarantees: what a run is resumed with grants nothing (self-approval-by-model, forged-history); each call has an
 * interrupt and an outcome of its own (sibling-loss, positional-mismatch); the gate stands in the tool itself,
 * behind whatever other middleware changes, so that what was approved is what runs (toctou-args).
 */
import { ConfigurationError, type Execution, type GuardError, isGuardError, isPassing } from "@guard/core";
import { type Attempt, attempt } from "@guard/core/plugin";
import { type BaseMessage, ToolMessage } from "@langchain/core/messages";
import type { ToolCall } from "@langchain/core/messages/tool";
import type { StructuredToolInterface } from "@langchain/core/tools";
import {
  type Command,
  getConfig,
  getCurrentTaskInput,
  interrupt,
  isGraphBubbleUp,
  isGraphInterrupt,
  type LangGraphRunnableConfig,
} from "@langchain/langgraph";
import { actionOf, callKey, deniedMessage, type PinnedTool, threadOf } from "./call.ts";
import { markEdit, rewriteEdits } from "./edits.ts";
import { type GatedCall, gated } from "./gated.ts";
import { gateable, nameOf } from "./guard-tools.ts";
import { editedArgs, lastAiMessage, placeOf } from "./history.ts";
import { interruptValue } from "./interrupt.ts";
import { kept } from "./keep.ts";
import { merged } from "./merged.ts";
import { checkOptions, type GuardMiddlewareOptions, remembered, who } from "./middleware-options.ts";
import { pausableThread } from "./suspend.ts";

/** What is used of langchain's `ToolCallRequest`. Langchain itself is not imported: other agents do not need it. */
export interface ToolCallRequest {
  readonly toolCall: ToolCall;
  readonly tool: unknown;
  readonly state: { readonly messages: BaseMessage[] };
}

type Output = ToolMessage | Command;

/** What langchain's `createMiddleware` makes. */
export interface GuardMiddleware {
  readonly name: "guardMiddleware";
  wrapToolCall<R extends ToolCallRequest>(
    request: R,
    handler: (request: R) => Output | Promise<Output>,
  ): Promise<Output>;
  beforeModel(state: { messages: BaseMessage[] }): { messages: BaseMessage[] } | undefined;
}

/** For `createAgent`, last in its list of middleware. @throws ConfigurationError that says what to do. */
export function guardMiddleware(options: GuardMiddlewareOptions): GuardMiddleware {
  checkOptions(options);
  const { mode = "suspend", ungated = [], tools } = options;
  const pinned = new WeakMap<object, readonly [StructuredToolInterface, PinnedTool]>();
  const pin = (tool: object) => {
    const pins = pinned.get(tool) ?? gateable(who, tool);
    pinned.set(tool, pins);
    return pins;
  };
  for (const tool of tools ?? []) if (!ungated.includes(nameOf(tool))) pin(tool);

  const middleware: GuardMiddleware = {
    name: who,

    async wrapToolCall(request, handler) {
      const { toolCall, tool, state } = request;
      if (typeof tool !== "object" || tool === null) return noSuchTool(toolCall);
      const config: LangGraphRunnableConfig = getConfig();
      const once = <R>(run: () => Promise<R>) => kept(config, placeOf(toolCall, state).id, run);
      if (ungated.includes(nameOf(tool))) {
        try {
          return await once(async () => handler(request));
        } catch (error) {
          return failed(options, toolCall, error, config.signal);
        }
      }
      const [structured, pins] = pin(tool);
      if (mode === "suspend") checkPausable(config, request);
      return once(async () => {
        const passage = newPassage(options, pins, request, config);
        const guarded = gated(structured, passage.gate);
        // Where nothing invokes it, something else has answered in its place.
        let invoked = false;
        const invoke: StructuredToolInterface["invoke"] = (input, given) => {
          invoked = true;
          return structured.invoke.call(guarded, input, given);
        };
        Object.defineProperty(guarded, "invoke", { value: invoke });
        let output: Output | undefined;
        let thrown: unknown;
        try {
          output = await handler({ ...request, tool: guarded });
        } catch (error) {
          thrown = error;
        }
        return passage.leave(output, thrown, invoked);
      });
    },

    beforeModel({ messages }) {
      // Seen in the first step of the first run, whether or not anybody will have to be asked.
      if (mode === "suspend") pausableThread(who, getConfig());
      return rewriteEdits(messages);
    },
  };
  return remembered(middleware, options);
}

/** One call's way through the gate. */
function newPassage(
  options: GuardMiddlewareOptions,
  pinned: PinnedTool,
  { toolCall, state }: ToolCallRequest,
  config: LangGraphRunnableConfig,
) {
  const { guard, mode = "suspend", requester, facts } = options;
  const session = options.session ?? threadOf(config);
  const callId = toolCall.id ?? null;
  const key = callKey(config, placeOf(toolCall, state));
  let once: Promise<unknown> | null = null;
  let started = false;
  let edited: ReturnType<typeof editedArgs>;
  let refused: GuardError | null = null;
  let paused: unknown = null;
  let signal: AbortSignal | undefined;

  async function pass({ args, config: { signal: given }, run }: GatedCall): Promise<unknown> {
    signal = given;
    const action = actionOf(pinned, args, { callId, session, requester, facts });
    const execute = (execution: Execution) => {
      started = true;
      edited = editedArgs(args, execution.args);
      return run(execution);
    };
    let wake: unknown;
    for (;;) {
      const tried =
        mode === "wait"
          ? await waited(() =>
              guard.run(action, execute, { ...(key && { key }), ...(given && { signal: given }) }),
            )
          : await attempt(guard, action, execute, { wake, ...(key && { key }) });
      if (tried.status === "ran") return tried.result;
      if (tried.status === "denied") {
        refused = tried.error;
        throw tried.error;
      }
      const { requestId: request, expiresAt } = tried;
      wake = interrupt(
        interruptValue([{ request, tool: toolCall.name, args: toolCall.args, callId, expiresAt }]),
      );
    }
  }

  /** A refusal is told from an error of the tool: {@link attempt} for a call that waits. */
  async function waited(run: () => Promise<unknown>): Promise<Attempt<unknown>> {
    try {
      return { status: "ran", result: await run() };
    } catch (error) {
      if (started || !isGuardError(error)) throw error;
      return { status: "denied", error };
    }
  }

  return {
    /** A call is attempted once, also where other middleware retries it: it has one approval, for one run. */
    gate(call: GatedCall): Promise<unknown> {
      once ??= pass(call).catch((error: unknown) => {
        if (isGraphInterrupt(error)) paused = error;
        throw error;
      });
      return once;
    },

    /** What the agent gets. `output` or `thrown` is what has come of the call through other middleware. */
    leave(output: Output | undefined, thrown: unknown, invoked: boolean): Output {
      // Also where something in between took it for an error.
      if (paused !== null) throw paused;
      if (refused !== null) {
        // What passes is for whoever resumes the run to wait out: told to the model, the call would be lost.
        const fatal = refused.code === "configuration" || (mode === "suspend" && isPassing(refused));
        if (fatal || signal?.aborted) throw refused;
        return deniedMessage(toolCall, refused);
      }
      if (output !== undefined) {
        if (!invoked) throw answeredElsewhere(toolCall);
        return edited === undefined ? output : markEdit(output, toolCall, edited);
      }
      // Between the tool's own schema and its start only the guard can fail.
      if (once !== null && !started) throw thrown;
      return failed(options, toolCall, thrown, signal);
    },
  };
}

/**
 * What `createAgent` makes of a tool's error where no middleware wraps tool calls: with any that does, the run fails.
 * @throws the error, where it is not the tool's or not for the model
 */
function failed(
  { toolErrors = "model" }: GuardMiddlewareOptions,
  call: ToolCall,
  error: unknown,
  signal: AbortSignal | undefined,
): ToolMessage {
  // An agent in the tool may wait for several calls; one interrupt is stored.
  if (isGraphInterrupt(error)) throw merged([error]);
  const ofTool = !isGraphBubbleUp(error) && brandOf(error) !== "MiddlewareError";
  if (!ofTool || toolErrors === "throw" || signal?.aborted || isGuardError(error, "configuration"))
    throw error;
  const unfit = brandOf(error) === "ToolInvocationError";
  return errorMessage(call, unfit ? (error as Error).message : `${error}\n Please fix your mistakes.`);
}

/** @throws ConfigurationError where the run cannot be paused, or would do more than this call when it goes on. */
function checkPausable(config: LangGraphRunnableConfig, request: ToolCallRequest): void {
  pausableThread(who, config);
  const alone = Object.hasOwn(getCurrentTaskInput<object>(config), "lg_tool_call");
  if (!alone && callsIn(request) > 1) {
    throw new ConfigurationError(
      `${who}: this agent runs all calls of a turn in one step, and a resumed step is run again from its top, with the ` +
        'calls that ran already. Leave out version: "v1" and jumpTo: "tools", or use mode: "wait".',
    );
  }
}

/** How many calls the turn has that this one belongs to. */
const callsIn = ({ state }: ToolCallRequest) => lastAiMessage(state)?.tool_calls?.length ?? 0;

function answeredElsewhere({ name }: ToolCall): ConfigurationError {
  return new ConfigurationError(
    `${who}: middleware after it answered for ${name} without this tool, so nobody knows what it did. ` +
      "Put guardMiddleware last.",
  );
}

/** What `createAgent` says, but for the names of the other tools, which middleware is not told. */
function noSuchTool(call: ToolCall): ToolMessage {
  return errorMessage(call, `Error: ${call.name} is not a valid tool.`);
}

const errorMessage = ({ name, id = "" }: ToolCall, content: string) =>
  new ToolMessage({ content, name, tool_call_id: id, status: "error" });

/** How langchain marks the errors that it tells apart. */
function brandOf(error: unknown): unknown {
  return error instanceof Error && "~brand" in error ? error["~brand"] : undefined;
}
