/**
 * What a paused run says in LangGraph's `interrupt`: which calls wait, in the shape that LangChain's inboxes
 * list, and the ids of their requests, by which a worker finds the interrupt again.
 *
 * Guarantee: it carries nothing that decides. Whatever comes back as the resume value is a wake-up, so an inbox
 * that answers "approve" makes the run look again and approves nothing (self-approval-by-model, forged-history).
 */

/** A call that waits for people. */
export interface WaitingCall {
  /** Id of the approval request. */
  readonly request: string;
  readonly tool: string;
  /** As the model wrote them. */
  readonly args: unknown;
  /** The model's id of the call; null where there is none. */
  readonly callId: string | null;
  /** Until when it can be answered, in milliseconds since 1970; null where nobody has to answer any more. */
  readonly expiresAt: number | null;
}

interface ActionRequest {
  readonly name: string;
  readonly args: unknown;
  readonly description: string;
}

/**
 * The value of an interrupt: LangChain's `HITLRequest`, once as its JavaScript libraries write it and once as its
 * Python libraries do (Agent Inbox and agent-chat-ui read the latter only), and what Guard itself needs.
 */
export interface GuardInterrupt {
  readonly actionRequests: readonly ActionRequest[];
  readonly reviewConfigs: readonly {
    readonly actionName: string;
    readonly allowedDecisions: readonly ["approve"];
  }[];
  readonly action_requests: readonly ActionRequest[];
  readonly review_configs: readonly {
    readonly action_name: string;
    readonly allowed_decisions: readonly ["approve"];
  }[];
  readonly guard: { readonly requests: readonly Omit<WaitingCall, "args">[] };
}

// One decision, because an empty list is read as "all are allowed", and a reject or an edit typed there would be lost.
const decisions = ["approve"] as const;

/** The value for `interrupt` while `calls` wait. */
export function interruptValue(calls: readonly WaitingCall[]): GuardInterrupt {
  const actions = calls.map(({ tool, args, request }) => ({
    name: tool,
    args,
    description:
      `${tool} waits for an approval in Guard (request ${request}). ` +
      "Answer it there: an answer given here approves nothing, it only makes the run look again.",
  }));
  return {
    actionRequests: actions,
    reviewConfigs: calls.map(({ tool }) => ({ actionName: tool, allowedDecisions: decisions })),
    action_requests: actions,
    review_configs: calls.map(({ tool }) => ({ action_name: tool, allowed_decisions: decisions })),
    guard: {
      requests: calls.map(({ request, tool, callId, expiresAt }) => ({ request, tool, callId, expiresAt })),
    },
  };
}

/** Whether an interrupt's value says that its run waits for `request`. Reads storage: any shape may come. */
export function waitsFor(value: unknown, request: string): boolean {
  const requests = member(member(value, "guard"), "requests");
  return Array.isArray(requests) && requests.some((each) => member(each, "request") === request);
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}
