/** A tool call: what the agent wants, whom it waits for, and what came of it. Nothing in here can decide. */
import type { GuardPending } from "@guard/vercel-ai";
import type { ReactNode } from "react";
import type { ToolPart } from "../../../lib/message.ts";
import { Time } from "./time.tsx";

export function ToolCard({ part, waiting }: { part: ToolPart; waiting: GuardPending | undefined }) {
  switch (part.state) {
    case "approval-requested":
      return (
        <Card tone="waiting" title={waitsFor(waiting)}>
          to approve {wanted(part)}
          {waiting && (
            <>
              {" "}
              until <Time at={waiting.expiresAt} />
            </>
          )}
        </Card>
      );
    case "output-available":
      return (
        <Card tone={part.type === "tool-refund" ? "done" : "quiet"} title={done(part)}>
          {part.approval && `Approved${waiting?.approvers.length === 1 ? ` by ${people(waiting)}` : ""}`}
        </Card>
      );
    case "output-denied":
      return (
        <Card tone="refused" title={`Not done: ${wanted(part)}`}>
          {part.approval.reason}
        </Card>
      );
    case "output-error":
      return (
        <Card tone="refused" title={`Failed: ${wanted(part)}`}>
          {part.errorText}
        </Card>
      );
    default:
      return <Card tone="running" title={`At work: ${wanted(part)}`} />;
  }
}

function Card(props: { readonly tone: string; readonly title: string; readonly children?: ReactNode }) {
  return (
    <section className={`tool ${props.tone}`}>
      <span className="mark" aria-hidden="true" />
      <div>
        <strong>{props.title}</strong>
        {props.children && <p>{props.children}</p>}
      </div>
    </section>
  );
}

function wanted(part: ToolPart): string {
  const { order } = part.input ?? {};
  return part.type === "tool-refund"
    ? `a refund of ${part.input?.amount} on order ${order}`
    : `looking up order ${order}`;
}

/** From what the tool gave, not from what the model asked for: an approver may have changed that. */
function done(part: Extract<ToolPart, { state: "output-available" }>): string {
  return part.type === "tool-refund"
    ? `Refunded ${part.output.refunded} on order ${part.output.order}`
    : `Looked up order ${part.output.order}`;
}

function waitsFor(waiting: GuardPending | undefined): string {
  if (!waiting) return "Waiting for a person";
  return `Waiting for ${waiting.quorum > 1 ? `${waiting.quorum} of ` : ""}${people(waiting)}`;
}

/** `Alice (alice@example.com)`; an application with a directory of its people takes their names from there. */
function people({ approvers, quorum }: GuardPending): string {
  const named = approvers.map((identity) => {
    const [name = identity] = identity.split("@");
    return `${name.charAt(0).toUpperCase()}${name.slice(1)} (${identity})`;
  });
  return named.join(quorum > 1 ? ", " : " or ");
}
