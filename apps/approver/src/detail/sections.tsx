/**
 * Everything about a request beside its arguments. Each line says whose word it is: the system's (the policy,
 * the signed terms) or the agent's, which may be a lie (lies-in-the-loop).
 */
import type { Json } from "@guard/core";
import { needsCare, type OpenedRequest, textsOf, timeLeft, unsignedWords, visible } from "@guard/device";
import { Fragment } from "preact";
import { ArgumentsTree, Warnings } from "./arguments-tree.tsx";
import { hasMetadata, memberPath } from "./parts.ts";
import { ShownText } from "./shown-text.tsx";

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** A short text of the paper, in a box of its own, with what is wrong with it. */
function Said({ text, path }: { text: string; path: string }) {
  return (
    <>
      <span class="text">
        <ShownText text={text} path={path} />
      </span>
      <Warnings path={path} />
    </>
  );
}

/** Who wants what, how bad that can be, and how long there is to answer. */
export function Headline({
  opened,
  identity,
  now,
}: {
  opened: OpenedRequest;
  identity: string;
  now: number;
}) {
  const { agent, tool, facts, expiresAt, closed } = opened;
  const left = closed === null ? timeLeft(expiresAt, now) : null;
  return (
    <header class="headline">
      <h1 id="detail-title" tabIndex={-1}>
        <span class="who">{visible(agent)}</span> wants to run{" "}
        <span class="tool">
          <ShownText name text={tool} path="tool" />
        </span>
      </h1>
      <p class="badges">
        <span class={needsCare(opened) ? "badge danger" : "badge"}>
          {facts.risk ? `${facts.risk} risk` : "no risk given"}
        </span>
        <span class="badge time">
          {left === null ? "closed" : left === "over" ? "time is over" : `${left} left`}
        </span>
        <span class="badge">asks {visible(identity)}</span>
      </p>
      <p class="origin">
        Agent <b>{visible(agent)}</b>: its signature was checked against the roster.
        {opened.agentSuspended && <span class="warning">It is suspended: nothing it asks for runs now.</span>}
      </p>
      <Warnings path="tool" />
    </header>
  );
}

/** What the agent says about its action. */
export function AgentSays({ opened }: { opened: OpenedRequest }) {
  const { facts } = opened;
  if (facts.title === undefined && facts.summary === undefined && !hasMetadata(opened)) return null;
  return (
    <section class="agent-says" aria-labelledby="detail-says">
      <h2 id="detail-says">The agent says</h2>
      <p class="remark">The agent's own words. Nobody checked them; what runs are the arguments above.</p>
      {facts.title !== undefined && (
        <p class="says-title">
          <ShownText text={facts.title} path="title" />
          <Warnings path="title" />
        </p>
      )}
      {facts.summary !== undefined && (
        <p class="says-summary">
          <ShownText text={facts.summary} path="summary" />
          <Warnings path="summary" />
        </p>
      )}
      {hasMetadata(opened) && <ArgumentsTree value={facts.metadata as Json} path="metadata" />}
    </section>
  );
}

/** Why Guard asks: the policy's words, and what the application says that the action is. */
export function Why({ opened }: { opened: OpenedRequest }) {
  const { round } = opened;
  const { rule, reasons, operation, sensitivity, systems } = textsOf(opened);
  return (
    <section aria-labelledby="detail-why">
      <h2 id="detail-why">Why you are asked</h2>
      <p class="remark">
        The policy's rule{" "}
        <b>
          <ShownText text={rule} path="rule" />
        </b>
        {reasons.length > 0 ? " says:" : " asks about this."}
        <Warnings path="rule" />
      </p>
      {reasons.length > 0 && (
        <ul class="reasons">
          {reasons.map((reason, i) => {
            const path = memberPath("reasons", i);
            return (
              <li key={path}>
                <ShownText text={reason} path={path} />
                <Warnings path={path} />
              </li>
            );
          })}
        </ul>
      )}
      <dl class="facts">
        {Object.entries({ operation, sensitivity }).map(([name, text]) =>
          text === null ? null : (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <Said text={text} path={name} />
              </dd>
            </div>
          ),
        )}
        {systems.length > 0 && (
          <div>
            <dt>systems</dt>
            <dd>
              {systems.map((system, i) => (
                <Fragment key={i}>
                  <Said text={system} path={memberPath("systems", i)} />{" "}
                </Fragment>
              ))}
            </dd>
          </div>
        )}
        {round > 0 && (
          <div>
            <dt>asked anew</dt>
            <dd>round {round + 1}: arguments or terms changed since it was asked before</dd>
          </div>
        )}
      </dl>
    </section>
  );
}

/** Until when, and who else. */
export function Terms({ opened, identity }: { opened: OpenedRequest; identity: string }) {
  const { terms, answers, missing, expiresAt, request } = opened;
  const { approvers, requester, session } = textsOf(opened);
  const unsigned = unsignedWords(opened);
  const more = missing === 1 ? "1 person has" : `${missing} people have`;
  return (
    <section aria-labelledby="detail-terms">
      <h2 id="detail-terms">Who decides, and until when</h2>
      <dl class="facts">
        <div>
          <dt>until</dt>
          <dd>{clock.format(expiresAt)}</dd>
        </div>
        <div>
          <dt>needed</dt>
          <dd>
            {terms.quorum === 1 ? "one approval" : `${terms.quorum} approvals by different people`}
            {terms.quorum > 1 && missing > 0 && `; ${more} still to approve`}
            {unsigned !== null && <p class="warning">{unsigned}</p>}
          </dd>
        </div>
        <div>
          <dt>may answer</dt>
          <dd>
            {approvers.map((name, i) => (
              <Fragment key={i}>
                {i > 0 && ", "}
                <ShownText text={name} path={memberPath("approvers", i)} />
                {name === identity && " (you)"}
                <Warnings path={memberPath("approvers", i)} />
              </Fragment>
            ))}
          </dd>
        </div>
        {requester !== null && (
          <div>
            <dt>on behalf of</dt>
            <dd>
              <ShownText text={requester} path="requester" />
              <Warnings path="requester" />
            </dd>
          </div>
        )}
        {answers.map((answer) => (
          <div key={`${answer.identity} ${answer.device}`}>
            <dt>answered</dt>
            <dd class={answer.decision === "reject" ? "rejected" : "approved"}>
              {visible(answer.identity)}{" "}
              {answer.decision === "reject"
                ? "rejected"
                : answer.edited
                  ? "approved other arguments"
                  : "approved"}{" "}
              at {clock.format(answer.time)}
              {answer.device === null && ", which nobody signed"}
            </dd>
          </div>
        ))}
        {session !== null && (
          <div>
            <dt>session</dt>
            <dd>
              <Said text={session} path="session" />
            </dd>
          </div>
        )}
        <div>
          <dt>request</dt>
          <dd>
            <code>{request}</code>
          </dd>
        </div>
      </dl>
    </section>
  );
}
