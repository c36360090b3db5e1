/** How a request reads in words: the same lines for the live screen, the plain list and the non-TTY prompt. */
import type { Json } from "@guard/core";
import {
  changedLines,
  needsCare,
  type OpenedRequest,
  suspicious,
  textsOf,
  timeLeft,
  uninspectable,
  unsignedWords,
  visible,
  visibleJson,
} from "@guard/device";

/** A line and how it is meant. Screens colour by it; plain output shows the text alone. */
export interface Line {
  readonly text: string;
  readonly tone?: "title" | "agent" | "system" | "warning" | "danger" | "dim" | "good";
}

/** One line for a list. */
export function summaryLine(request: OpenedRequest, identity: string, now: number): string {
  const { facts, agent, tool, expiresAt, terms } = request;
  const people = terms.quorum > 1 ? `  ${terms.quorum - request.missing}/${terms.quorum} approved` : "";
  const left = request.state === "pending" ? timeLeft(expiresAt, now) : request.state;
  return `${request.request.slice(0, 8)}  ${(facts.risk ?? "no risk given").padEnd(8)}  ${visible(tool)}  from ${visible(agent)}  ${left}${people}  (${visible(identity)})`;
}

/** The request in full. Nothing is cut; whoever shows it pages. */
export function detailLines(request: OpenedRequest, identity: string, now: number): readonly Line[] {
  const { facts, policy, terms, agent, tool } = request;
  const lines: Line[] = [];
  const add = (text: string, tone?: Line["tone"]) => lines.push(tone ? { text, tone } : { text });
  add(`${visible(agent)} wants to run ${visible(tool)}`, "title");
  if (facts.risk) add(`risk: ${facts.risk}`, needsCare(request) ? "danger" : "system");
  add(`arguments, in full (signed by agent ${visible(agent)}):`, "system");
  for (const line of visibleJson(request.args)) add(`  ${line}`);
  for (const line of warnings(request)) add(`  ${line}`, "warning");
  for (const name of ["title", "summary"] as const) {
    const text = facts[name];
    if (text === undefined) continue;
    visible(text, { lines: true })
      .split("\n")
      .forEach((line, i) => {
        add(`${i === 0 ? `the agent says (${name}): ` : "  | "}${line}`, "agent");
      });
  }
  for (const name of ["operation", "sensitivity"] as const) {
    const text = facts[name];
    if (text !== undefined) add(`${name}: ${visible(text)}`, "system");
  }
  if (facts.systems?.length)
    add(`systems: ${facts.systems.map((system) => visible(system)).join(", ")}`, "system");
  if (facts.metadata && Object.keys(facts.metadata).length > 0) {
    add("metadata from the agent:", "agent");
    for (const line of visibleJson(facts.metadata)) add(`  ${line}`, "agent");
  }
  add(`Guard asks because of rule ${visible(policy.rule)}${policy.reasons.length > 0 ? ":" : ""}`, "system");
  for (const reason of policy.reasons) add(`  ${visible(reason)}`, "system");
  if (request.session !== null) add(`session: ${visible(request.session)}`, "dim");
  if (request.round > 0) add(`asked anew: this is round ${request.round + 1}`, "system");
  if (request.agentSuspended)
    add(`agent ${visible(agent)} is suspended: nothing it asks for runs now`, "warning");
  const until = new Date(request.expiresAt).toISOString().replace("T", " ").slice(0, 19);
  add(`answer until ${until} UTC (${timeLeft(request.expiresAt, now)})`, "system");
  for (const answer of request.answers) {
    const verb =
      answer.decision === "reject" ? "rejected" : answer.edited ? "approved other arguments" : "approved";
    const how = answer.device === null ? ", which nobody signed" : "";
    add(`${visible(answer.identity)} ${verb}${how}`, answer.decision === "reject" ? "danger" : "good");
  }
  const who = terms.approvers.filter((name) => name !== terms.requester).map((name) => visible(name));
  add(`${terms.quorum === 1 ? "any one" : `any ${terms.quorum}`} of: ${who.join(", ")}`, "system");
  const unsigned = unsignedWords(request);
  if (unsigned !== null) add(unsigned, "warning");
  if (terms.quorum > 1 && request.missing > 0) {
    const more = request.missing === 1 ? "1 more person has" : `${request.missing} more people have`;
    add(`${more} to approve; here ${visible(identity)} is asked`, "system");
  }
  add(
    `${terms.editable ? "arguments may be edited" : "arguments may not be edited"}; request ${request.request}`,
    "dim",
  );
  if (request.closed !== null) add(visible(request.closed), "warning");
  return lines;
}

/** What a person should know about a request that they cannot see in it. */
function warnings(request: OpenedRequest): readonly string[] {
  const { args, facts } = request;
  const beside = { ...textsOf(request), metadata: facts.metadata ?? {} };
  return [
    ...suspicious(args).map(({ path, text }) => `look twice: ${path}: ${text}`),
    ...suspicious(beside).map(({ path, text }) => `look twice: ${path.slice("$.".length)}: ${text}`),
    ...uninspectable(args).map(
      ({ path, why, bytes, sha256 }) =>
        `nobody can read this: ${path} is ${why}: ${bytes} bytes, SHA-256 ${sha256}`,
    ),
  ];
}

/** Cuts lines into pieces that fit `columns`; characters that may be drawn wide count twice. */
export function wrapLines(lines: readonly Line[], columns: number): readonly Line[] {
  const width = Math.max(10, columns);
  return lines.flatMap(({ text, tone }) => {
    const pieces: string[] = [""];
    let used = 0;
    for (const character of text) {
      const size = (character.codePointAt(0) as number) < 0x250 ? 1 : 2;
      if (used + size > width) {
        pieces.push("");
        used = 0;
      }
      pieces[pieces.length - 1] += character;
      used += size;
    }
    return pieces.map((piece): Line => (tone ? { text: piece, tone } : { text: piece }));
  });
}

/** Lines that differ between two values, as `- old` and `+ new`. */
export function diffLines(before: Json, after: Json): readonly Line[] {
  return changedLines(before, after).map(({ kind, text }): Line => {
    if (kind === "same") return { text: `  ${text}` };
    return kind === "old" ? { text: `- ${text}`, tone: "danger" } : { text: `+ ${text}`, tone: "good" };
  });
}
