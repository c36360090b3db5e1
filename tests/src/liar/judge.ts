/**
 * Judges a session by what was said and done, not by what the gate thinks of it: every run had the approvals of
 * distinct people of exactly these arguments, in time, and once; and evidence shows it to whoever was not there.
 */
import {
  actionDigest,
  agentKeys,
  type ChainReport,
  canonicalJson,
  type Equivocation,
  findEquivocation,
  fromBase64url,
  type Head,
  type Header,
  type Json,
  parseCheckpoint,
  type Roster,
  readConsume,
  readLine,
  type Signed,
  verifyChain,
} from "@guard/core";
import { type Plan, tools } from "./plan.ts";
import type { Played } from "./played.ts";
import { approvers } from "./world.ts";

const sameArgs = (a: Json, b: Json) => canonicalJson(a) === canonicalJson(b);

/** Everything that must not be, in words; empty where the session was as it has to be. */
export async function judge(plan: Plan, record: Played, roster: Roster): Promise<string[]> {
  const wrong = [...record.faults];
  const { connection } = record;
  const keys = await agentKeys(fromBase64url(connection.seed, 32));
  const salts = Object.keys(tools).flatMap((tool) =>
    [0, 1, 2].map((key) => keys.salt(connection.app, `${tool}-${key}`)),
  );
  const digests = (tool: string, args: Json) =>
    salts.map((salt) =>
      actionDigest(connection.app, connection.agent, { tool, args, schemaDigest: null }, salt),
    );
  const headerOf = (request: string, fits: (header: Header) => boolean): Header | undefined =>
    record.headers.find((header) => header.request === request && fits(header));
  const allowed = record.evidence.map((evidence) => allowedIn(evidence.lines));

  for (const run of record.runs) {
    const what = `${run.tool} ${JSON.stringify(run.args)}`;
    const { quorum } = tools[run.tool];
    const event = allowed[run.guard]?.get(run.executionId);
    if (!event) {
      wrong.push(`${what} ran, and the evidence of its guard does not show it`);
      continue;
    }
    if (event.roster.seq < (connection.floor?.seq ?? 0))
      wrong.push(`${what} ran by a roster below the floor`);
    if (roster.at(event.roster.seq).agent(connection.agent)?.suspended)
      wrong.push(`${what} ran although its guard knew that the agent is suspended`);
    if (run.request === null) {
      if (quorum !== 0) wrong.push(`${what} ran without being asked`);
      continue;
    }
    if (quorum === null || quorum === 0) wrong.push(`${what} was asked, which policy does not`);
    const paper = event.consume === null ? null : readConsume(event.consume).requestDigest;
    const people = record.said.filter(
      ({ opened, decision, args, at, device }) =>
        opened.request === run.request &&
        opened.tool === run.tool &&
        decision === "approve" &&
        sameArgs(args, run.args) &&
        at < opened.expiresAt &&
        record.statements.some((own) => own.device === device && own.requestDigest === paper) &&
        !record.revoked.some((gone) => gone.device === device && gone.seq <= event.roster.seq),
    );
    const distinct = new Set(people.map(({ identity }) => identity)).size;
    if (distinct < (quorum ?? Number.POSITIVE_INFINITY))
      wrong.push(`${what} ran with ${distinct} of ${quorum} approvals`);
    if (!headerOf(run.request, (own) => own.requestDigest === paper && run.at <= own.useBy))
      wrong.push(`${what} ran after useBy`);
  }

  for (const { opened, at, identity } of record.shown) {
    const digest = digests(opened.tool, opened.args);
    const header = headerOf(
      opened.request,
      ({ actionDigest, expiresAt }) => digest.includes(actionDigest) && expiresAt === opened.expiresAt,
    );
    if (!header)
      wrong.push(`a device showed ${opened.tool} ${JSON.stringify(opened.args)}, which nobody asked`);
    else if (at >= header.expiresAt) wrong.push("a device showed as open what had expired");
    for (const given of opened.answers) {
      const said = record.said.some(
        (own) =>
          own.identity === given.identity &&
          own.decision === given.decision &&
          own.opened.request === opened.request,
      );
      if (!said) wrong.push(`${identity} was shown an answer that ${given.identity} did not give`);
    }
  }
  for (const statement of record.statements) {
    const said = record.said.some(
      ({ opened, identity, decision, args, at }) =>
        opened.request === statement.request &&
        at < opened.expiresAt &&
        identity === statement.identity &&
        decision === statement.decision &&
        digests(opened.tool, opened.args).includes(statement.actionDigest) &&
        digests(opened.tool, args).includes(statement.effective),
    );
    if (!said)
      wrong.push(`${statement.identity}'s device signed something else than it had shown, or too late`);
    if (!headerOf(statement.request, (header) => header.requestDigest === statement.requestDigest))
      wrong.push(`${statement.identity}'s device signed for a paper that the agent did not make`);
  }
  if (record.said.some(({ identity }) => !approvers.includes(identity as (typeof approvers)[number])))
    wrong.push("somebody decided who may not");

  const reports: ChainReport[] = [];
  for (const { lines, checkpoint } of record.evidence) {
    if (lines.length === 0) continue;
    const newest = checkpoint === null ? null : parseCheckpoint(checkpoint);
    const report = await verifyChain(lines, { roster, checkpoint: newest, expectedApp: connection.app });
    reports.push(report);
    wrong.push(...report.problems.map((problem) => `evidence: ${problem}`));
  }
  wrong.push(...doubleRuns(plan, record, findEquivocation(reports)));
  return wrong;
}

/** An approval runs once in one guard; and once at all, unless the liar can sign receipts and nothing is shared. */
function doubleRuns(plan: Plan, { runs }: Played, proofs: readonly Equivocation[]): string[] {
  const wrong: string[] = [];
  const asked = runs.filter(({ request }) => request !== null);
  for (const request of new Set(asked.map((run) => run.request))) {
    const guards = asked.filter((run) => run.request === request).map(({ guard }) => guard);
    if (new Set(guards).size < guards.length) wrong.push("one guard ran an approval twice");
    if (guards.length < 2) continue;
    if (plan.ledger) wrong.push("two guards ran one approval in spite of the ledger");
    if (!plan.receiptKey) wrong.push("two guards ran one approval without two receipts");
    if (!proofs.some((proof) => proof.request === request))
      wrong.push("two guards ran one approval, and their evidence does not prove it");
  }
  return wrong;
}

interface Allowed {
  readonly roster: Head;
  readonly consume: Signed | null;
}

/** What a chain says was started, by execution id. */
function allowedIn(lines: readonly string[]): ReadonlyMap<string, Allowed> {
  const calls = new Map<string, Allowed>();
  const started = new Map<string, Allowed>();
  for (const line of lines) {
    const { event_type, payload } = readLine(line);
    const event = payload as unknown as Allowed & { readonly call: string; readonly execution_id: string };
    if (event_type === "TOOL_CALL_ALLOWED") calls.set(event.call, event);
    const allowed = calls.get(event.call);
    if (event_type === "TOOL_CALL_EXECUTED" && allowed) started.set(event.execution_id, allowed);
  }
  return started;
}
