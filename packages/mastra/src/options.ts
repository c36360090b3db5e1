/** The options that everything here has in common, and what Mastra says about where a call comes from. */
import type { Guard } from "@guard/core";
import { checkToolOptions, type ToolOptionsSpec } from "@guard/core/plugin";
import type { RequestContext } from "@mastra/core/request-context";

/** Where a call comes from, as far as Mastra says. Each member but `agent` is null where it does not. */
export interface Caller {
  /** Id of the agent or workflow that makes the call. */
  readonly agent: string;
  readonly thread: string | null;
  readonly resource: string | null;
  readonly requestContext: RequestContext | null;
}

export interface CallOptions {
  readonly guard: Guard;
  /**
   * `suspend` (the default): Mastra's own pause; the process may go away, and `resumeWorker` resumes the run.
   * `wait`: the call is held in this process. Where Mastra cannot pause (an MCP server), calls always wait.
   */
  readonly mode?: "suspend" | "wait";
  /** The conversation, ticket or job. Default: Mastra's thread, else the run. */
  readonly session?: string | ((caller: Caller) => string);
  /** On whose behalf the agent acts: this person cannot approve. */
  readonly requester?: string | ((caller: Caller) => string | undefined);
}

export const callOptions = ["guard", "mode", "session", "requester"] as const;

/** @throws ConfigurationError that says what to do. */
export function checkOptions(who: string, options: CallOptions, spec: ToolOptionsSpec): void {
  const { session, requester, ...rest } = options;
  // One agent serves many people: here, and only here, these two may be functions.
  checkToolOptions(
    who,
    {
      ...rest,
      ...(typeof session === "function" ? {} : { session }),
      ...(typeof requester === "function" ? {} : { requester }),
    },
    spec,
  );
}
