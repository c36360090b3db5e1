/** How a request reads in words: the same lines for the live screen, the plain list and the non-TTY prompt. */
import type { Json } from "@guard/core";
import { homographs, type OpenedRequest, visible, visibleJson } from "@guard/device";

/** A line and how it is meant. Screens colour by it; plain output shows the text alone. */
export interface Line {
  readonly text: string;
  readonly tone?: "title" | "agent" | "system" | "warning" | "danger" | "dim" | "good";
}

const ranks = { critical: 0, high: 1, medium: 2, low: 3 } as const;

/** Most dangerous first, then what ends first. */
export function byUrgency(a: OpenedRequest, b: OpenedRequest): number {
  const rank = (request: OpenedRequest) => ranks[request.facts.risk ?? "medium"];
  return rank(a) - rank(b) || a.expiresAt - b.expiresAt;
}

/** `4 min 05 s`; `over` once it is past. */
export function timeLeft(until: number, now: number): string {
  const seconds = Math.floor((until - now) / 1000);
  if (seconds < 0) return "over";
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600),
    Math.floor(seconds / 60),
  ];
  if (days > 1) return `${days} days`;
  if (hours > 1) return `${hours} h ${minutes % 60} min`;
  if (minutes > 0) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${seconds} s`;
}

/** How much has to be typed to approve: a key for the ordinary, the word for what is dangerous. */
export const needsWord = (request: OpenedRequest): boolean =>
  request.facts.risk === "high" || request.facts.risk === "critical";

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
  if (facts.risk) add(`risk: ${facts.risk}`, needsWord(request) ? "danger" : "system");
  add(`arguments, in full (signed by agent ${visible(agent)}):`, "system");
  for (const line of visibleJson(request.args)) add(`  ${line}`);
  for (const { word, looksLike, scripts } of homographs(stringsOf(request.args).join(" "))) {
    add(
      `  look-alike: ${visible(word)} (${scripts.join(" and ")} letters) looks like ${visible(looksLike)}`,
      "warning",
    );
  }
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
    add(`${visible(answer.identity)} ${verb}`, answer.decision === "reject" ? "danger" : "good");
  }
  const who = terms.approvers.filter((name) => name !== terms.requester).map((name) => visible(name));
  add(`${terms.quorum === 1 ? "any one" : `any ${terms.quorum}`} of: ${who.join(", ")}`, "system");
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

/** Every string in a value, keys too. */
function stringsOf(value: Json): readonly string[] {
  if (typeof value === "string") return [value];
  if (value === null || typeof value !== "object") return [];
  if (Array.isArray(value)) return value.flatMap(stringsOf);
  return Object.entries(value).flatMap(([key, member]) => [key, ...stringsOf(member as Json)]);
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

/** Past this many pairs of lines, what changed is shown as a whole: a paper must not exhaust its reader's machine. */
const mostPairs = 1_000_000;

/** Lines that differ between two values, as `- old` and `+ new`. */
export function diffLines(before: Json, after: Json): readonly Line[] {
  const [a, b] = [visibleJson(before), visibleJson(after)];
  if (a.length * b.length > mostPairs) {
    return [
      ...a.map((text): Line => ({ text: `- ${text}`, tone: "danger" })),
      ...b.map((text): Line => ({ text: `+ ${text}`, tone: "good" })),
    ];
  }
  // Longest common subsequence: arguments are short, and clarity is worth n·m.
  const common: number[][] = Array.from({ length: a.length + 1 }, () =>
    new Array<number>(b.length + 1).fill(0),
  );
  const at = (i: number, j: number) => common[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      (common[i] as number[])[j] =
        a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ text: `  ${a[i]}` });
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ text: `- ${a[i++]}`, tone: "danger" });
    } else {
      lines.push({ text: `+ ${b[j++]}`, tone: "good" });
    }
  }
  return lines;
}
