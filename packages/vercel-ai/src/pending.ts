/**
 * What a page is told of a call that waits: for whom, and until when. Types and plain data only; a client may
 * `import type` them, and nothing in them decides anything.
 */

/** A call that waits for people. */
export interface GuardPending {
  readonly toolCallId: string;
  readonly tool: string;
  /** Who may approve. */
  readonly approvers: readonly string[];
  /** How many of them have to. */
  readonly quorum: number;
  /** When the request expires, in milliseconds since 1970. */
  readonly expiresAt: number;
  /** Id of the request: `guard.cancel(request)` withdraws it. */
  readonly request: string;
}

/** The data parts of a chat, for `UIMessage<unknown, GuardDataParts>`. */
export type GuardDataParts = { "guard-pending": GuardPending };

/** A message part: `part.type === "data-guard-pending"`. Its id is the tool call's. */
export interface GuardPendingPart {
  readonly type: "data-guard-pending";
  readonly id: string;
  readonly data: GuardPending;
}

/**
 * An `onPending` for `suspendTools` that writes a `data-guard-pending` part into a chat's own message stream.
 *
 * @example
 * createUIMessageStream<ChatMessage>({
 *   execute({ writer }) {
 *     const suspended = suspendTools(tools, { guard, session, onPending: writePending(writer) });
 *     writer.merge(toUIMessageStream({ stream: streamText({ model, messages, ...suspended }).stream }));
 *   },
 * });
 */
export function writePending(writer: {
  write(part: GuardPendingPart): void;
}): (pending: GuardPending) => void {
  return (data) => writer.write({ type: "data-guard-pending", id: data.toolCallId, data });
}

/** Said on the approval request itself, where a page has no part of its own for it. */
export function untilWhen({ approvers, quorum, expiresAt }: GuardPending): string {
  const who = `${quorum > 1 ? `${quorum} of ` : ""}${approvers.join(", ")}`;
  return `Waiting for ${who} to approve, until ${new Date(expiresAt).toISOString()}.`;
}
