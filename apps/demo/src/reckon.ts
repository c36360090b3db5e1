/**
 * The reckoning: compares what people signed with the rows of the shop and with the verified evidence. Nothing
 * is taken from the agent but the ends of its calls, and those have to agree with all three.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type ChainReport, canonicalJson, type Roster, readEvidence, verifyChain } from "@guard/core";
import { inWords, names } from "./output.ts";
import type { AskedRequest, CallEnd, GivenAnswer } from "./processes.ts";
import { type Effect, readShop } from "./shop.ts";
import { alice, expected, type Tally } from "./story.ts";

/** What the processes reported, in order. */
export interface Journal {
  readonly asked: AskedRequest[];
  readonly answered: GivenAnswer[];
  /** By call and end: what has become of a call may be looked at more than once. */
  readonly ended: Map<string, CallEnd>;
  /** The model's last words, by ticket. */
  readonly said: Map<string, string>;
  /** How often the agent was killed. */
  killed: number;
}

export function newJournal(): Journal {
  return { asked: [], answered: [], ended: new Map(), said: new Map(), killed: 0 };
}

/** Whether nobody has to answer any more: enough people did, or somebody rejected or changed it. */
export function settled({ request, quorum }: AskedRequest, answered: readonly GivenAnswer[]): boolean {
  const given = answered.filter((answer) => answer.request === request);
  const final = given.some(({ decision, edited }) => decision === "reject" || edited);
  return final || new Set(given.map(({ identity }) => identity)).size >= quorum;
}

export interface Reckoning {
  readonly tally: Tally;
  /** How often the agent was killed. */
  readonly killed: number;
  /** The table: asked, answered, ran, evidence; the first row is its head. */
  readonly rows: readonly (readonly string[])[];
  readonly chain: ChainReport;
  /** Whether the evidence verifies and says the same as everything else. */
  readonly evidence: boolean;
  /** What became of the relay's lie; `missing` where it told none. */
  readonly forged: "refused" | "accepted" | "missing";
  /** All that is not as it should be. */
  readonly problems: readonly string[];
}

export interface ReckonOptions {
  readonly journal: Journal;
  readonly shop: string;
  readonly evidence: string;
  readonly roster: Roster;
  /** Whether model and people followed the script, so that the numbers are known. */
  readonly scripted: boolean;
  /** Whether runs were suspended: then each call passes the gate at least twice. */
  readonly suspend: boolean;
}

type Act = Pick<Effect, "tool" | "args">;
type Approved = Pick<GivenAnswer, "tool" | "args" | "edited">;

export async function reckon(options: ReckonOptions): Promise<Reckoning> {
  const { journal, roster, scripted, suspend } = options;
  const ends = [...journal.ended.values()];
  const { effects, customers } = readShop(options.shop);
  const problems: string[] = [];
  const doubts: string[] = [];
  const must = (holds: boolean, problem: string, list = problems) => void (holds || list.push(problem));

  const files = (await readdir(options.evidence)).filter((name) => name.endsWith(".jsonl"));
  must(files.length === 1, `one chain was expected, there are ${files.length}`, doubts);
  const lines = readEvidence(join(options.evidence, files[0] ?? "missing"));
  const chain = await verifyChain(lines, { roster, expectedApp: roster.app });
  for (const problem of chain.problems) doubts.push(`evidence: ${problem}`);
  must(chain.uncovered === 0, `${chain.uncovered} events are under no checkpoint`, doubts);

  const tally = countCalls(journal, chain);
  const { calls } = chain;
  const ran = tally.allowed + tally.approved + tally.edited;
  must(calls.allowed === ran, `the chain allows ${calls.allowed} calls, ${ran} ran`, doubts);
  must(calls.executed === ran, `the chain runs ${calls.executed} calls, ${ran} ran`, doubts);
  must(calls.unknown === 0, `${calls.unknown} runs have no result`, doubts);

  // An answer may come too late or not fit the tool, so what was approved may run, and nothing else may.
  const approved = ends.filter(({ end }) => end === "ran").flatMap((call) => approvedOf(journal, call));
  const byRule = ends.filter(
    (call) => call.end === "ran" && !call.tool.startsWith("lookup") && !requestsOf(journal, call).length,
  );
  must(
    byRule.every(({ tool, args }) => tool === "refund" && (args.amount as number) <= 50),
    "something ran unasked that no rule allows",
  );
  // What the page changed only the agent was told: that it is what ran, the chain proves.
  const unknown = new Set(
    ends
      .filter((call) => approvedOf(journal, call).some(({ args }) => args === null))
      .map(({ callId }) => callId),
  );
  const known = approved.flatMap(({ tool, args }) => (args === null ? [] : [{ tool, args }]));
  const should = sorted([...known, ...byRule]);
  const did = sorted(effects.filter(({ callId }) => !unknown.has(callId)));
  must(
    canonicalJson(should) === canonicalJson(did),
    `the shop's rows are not what was approved: ${did.join(" ")} instead of ${should.join(" ")}`,
  );
  must(customers === 5, "a customer was deleted");

  const lie = ends.find(({ end }) => end === "verification_failed");
  const lied = journal.answered.some((answer) => answer.tool === lie?.tool && answer.decision === "reject");
  const paid = effects.some(({ tool }) => tool === "payOut");
  const forged = paid ? "accepted" : lied ? "refused" : "missing";
  must(forged === "refused", `the relay's lie is ${forged}`);
  if (scripted) {
    for (const [name, count] of Object.entries(expected) as [keyof Tally, number][]) {
      must(tally[name] === count, `${name} is ${tally[name]} instead of ${count}`);
    }
    const came = (outcome: string) => chain.requests.filter((request) => request.outcome === outcome).length;
    const proposed = suspend ? calls.proposed > tally.calls : calls.proposed === tally.calls;
    must(proposed, "the chain proposes other calls", doubts);
    must(came("approved") === tally.approved + tally.edited, "the chain has other approvals", doubts);
    must(came("rejected") === tally.rejected, "the chain has other rejections", doubts);
    must(journal.asked.length === chain.requests.length, "the chain has other requests", doubts);
    must(journal.killed === (suspend ? 1 : 0), `the agent was killed ${journal.killed} times`);
    const recipients = effects.filter(({ tool }) => tool === "sendEmail").map(({ args }) => args.to);
    // Suspended, both were answered before the run went on.
    must(
      suspend || `${recipients}` === "bea@mail.example,adam@mail.example",
      "the e-mails went out in another order",
    );
    const reason = journal.answered.find((a) => a.identity === alice && a.decision === "reject")?.reason;
    must(
      typeof reason === "string" && journal.said.get("ticket-7")?.includes(reason) === true,
      "the model did not see why it was rejected",
    );
  }
  return {
    tally,
    killed: journal.killed,
    rows: rowsOf(journal, effects, chain),
    chain,
    evidence: chain.valid && doubts.length === 0,
    forged,
    problems: [...problems, ...doubts],
  };
}

/** All requests of one call: an edit that several have to agree to is asked anew. */
function requestsOf({ asked }: Journal, { callId }: CallEnd): readonly AskedRequest[] {
  return asked.filter((request) => request.callId === callId);
}

function approvedOf(journal: Journal, call: CallEnd): readonly Approved[] {
  return requestsOf(journal, call).flatMap((asked) => approvedBy(asked, journal.answered));
}

function countCalls(journal: Journal, chain: ChainReport): Tally {
  const ends = [...journal.ended.values()];
  const count = (wanted: (call: CallEnd) => boolean) => ends.filter(wanted).length;
  const ran = (call: CallEnd) => call.end === "ran";
  const byRule = (call: CallEnd) => ran(call) && requestsOf(journal, call).length === 0;
  const edited = (call: CallEnd) => ran(call) && approvedOf(journal, call).some((act) => act.edited);
  return {
    calls: ends.length,
    allowed: count(byRule),
    approved: count((call) => ran(call) && !byRule(call) && !edited(call)),
    edited: count(edited),
    rejected: count(({ end }) => end === "rejected"),
    denied: count(({ end }) => end === "denied"),
    forged: count(({ end }) => end === "verification_failed"),
    executed: chain.calls.executed,
  };
}

/** What enough distinct people agreed to, by their own word; nothing where one of them said no. */
function approvedBy(
  { request, quorum }: AskedRequest,
  answered: readonly GivenAnswer[],
): readonly Approved[] {
  const given = answered.filter((answer) => answer.request === request);
  if (given.some(({ decision }) => decision === "reject")) return [];
  for (const { tool, args, edited } of given) {
    const agree = given.filter((other) => canonicalJson(other.args) === canonicalJson(args));
    if (new Set(agree.map(({ identity }) => identity)).size >= quorum) return [{ tool, args, edited }];
  }
  return [];
}

const sorted = (acts: readonly Act[]): readonly string[] =>
  acts.map(({ tool, args }) => canonicalJson({ tool, args })).sort();

function rowsOf(journal: Journal, effects: readonly Effect[], chain: ChainReport): readonly string[][] {
  const rows = journal.asked.map(({ request, callId, call }) => {
    const given = journal.answered.filter((answer) => answer.request === request);
    const words = given.map(({ identity, decision, edited }) => {
      const word = decision === "reject" ? "no" : edited ? "edited" : "yes";
      return `${names([identity])} ${word}`;
    });
    const proved = chain.requests.find((candidate) => candidate.request === request);
    const effect = proved?.executed ? effects.find((candidate) => candidate.callId === callId) : undefined;
    const asked = inWords(call.tool, call.args);
    const ran = effect ? inWords(effect.tool, effect.args) : "—";
    return [asked, words.join(", ") || "nobody", ran === asked ? "as asked" : ran, proof(proved)];
  });
  return [["asked", "answered", "ran", "evidence"], ...rows];
}

function proof(proved: ChainReport["requests"][number] | undefined): string {
  if (!proved) return "missing";
  if (proved.outcome === "verification_failed") return "forgery refused";
  return proved.by.length > 0 ? `${proved.outcome}: ${names(proved.by)}` : proved.outcome;
}
