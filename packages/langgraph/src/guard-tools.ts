/**
 * `guardTools`, the mode in which a call waits: LangChain tools, each of which asks, waits, and runs what was
 * approved.
 *
 * Guarantees: a tool that could run without the guard is refused when the tools are wrapped, not when the model
 * calls it; where a call did not run, the model reads why.
 */
import { ConfigurationError, type Guard, isGuardError } from "@guard/core";
import { checkToolOptions } from "@guard/core/plugin";
import type { StructuredToolInterface } from "@langchain/core/tools";
import { actionOf, callKey, deniedMessage, type PinnedTool, pin, type ToolFacts, threadOf } from "./call.ts";
import { checkGateable, gated } from "./gated.ts";

/** What may stand in a list of tools: LangChain's own tools, and, where they are ungated, a provider's definitions. */
export type AnyTool = StructuredToolInterface | { readonly name?: string; readonly type?: string };

export interface GuardToolsOptions {
  readonly guard: Guard;
  /** The conversation, ticket or job. Default: the thread that the call runs in. */
  readonly session?: string;
  /** On whose behalf the agent acts: this person cannot approve. */
  readonly requester?: string;
  /** What a call means beside its arguments, by the tool's name. */
  readonly facts?: ToolFacts;
  /** Tools that run without the guard, by name. */
  readonly ungated?: readonly string[];
}

const known = ["guard", "session", "requester", "facts", "ungated"];

/** @throws ConfigurationError that names the tool and says what to do. */
export function guardTools<T extends readonly AnyTool[]>(tools: T, options: GuardToolsOptions): T {
  checkToolOptions("guardTools", options, { known, tools: namesOf("guardTools", tools) });
  return tools.map((tool) =>
    options.ungated?.includes(nameOf(tool)) ? tool : waiting(...gateable("guardTools", tool), options),
  ) as unknown as T;
}

/** The names of the tools. @throws ConfigurationError where two have the same one. */
export function namesOf(who: string, tools: readonly AnyTool[]): readonly string[] {
  if (!Array.isArray(tools)) throw new ConfigurationError(`${who} needs a list of tools.`);
  const names = tools.map(nameOf);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new ConfigurationError(`${who}: two tools are called ${twice}. Rename one.`);
  return names;
}

export const nameOf = (tool: AnyTool): string =>
  tool.name ?? ("type" in tool && typeof tool.type === "string" ? tool.type : "");

/** A tool that can be guarded, and what of it is pinned. @throws ConfigurationError where it cannot. */
export function gateable(who: string, tool: AnyTool): [StructuredToolInterface, PinnedTool] {
  checkGateable(who, nameOf(tool), tool);
  const structured = tool as StructuredToolInterface;
  return [structured, pin(who, structured)];
}

function waiting(tool: StructuredToolInterface, pinned: PinnedTool, options: GuardToolsOptions) {
  const { guard, session, requester, facts } = options;
  return gated(tool, async ({ args, config, run }) => {
    const { signal, toolCall } = config;
    const action = actionOf(pinned, args, {
      callId: toolCall?.id ?? null,
      session: session ?? threadOf(config),
      requester,
      facts,
    });
    const key = callKey(config, { id: toolCall?.id });
    let started = false;
    try {
      return await guard.run(
        action,
        (execution) => {
          started = true;
          return run(execution);
        },
        { ...(signal ? { signal } : {}), ...(key === undefined ? {} : { key }) },
      );
    } catch (error) {
      // A tool's own errors are the framework's to handle, and so is whatever ends the run.
      if (started || !isGuardError(error) || toolCall?.id === undefined || signal?.aborted) throw error;
      return deniedMessage(toolCall, error);
    }
  });
}
