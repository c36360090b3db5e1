/**
 * Opens a request on a device and says whether it can be answered. Nothing is shown that was not signed by an
 * agent on the roster, sealed to this device by it, and found to agree with its signed header.
 */
import {
  type AgentRecord,
  type DecryptionKey,
  eligible,
  type Facts,
  type Header,
  type Json,
  openRequest,
  outcomeOf,
  type Paper,
  type RequestState,
  type RequestView,
  type RosterFollower,
  readHeader,
  type Terms,
  VerificationError,
  verifyAnswers,
  verifySigned,
} from "@guard/core";

/** One counted answer of somebody. */
export interface GivenAnswer {
  readonly identity: string;
  /** Null where nobody signed it: it came over another system's wire, and the agent wrote it down. */
  readonly device: string | null;
  readonly decision: "approve" | "reject";
  readonly edited: boolean;
  readonly time: number;
}

/** A request as it may be shown. Everything in it was verified, and is frozen. */
export interface OpenedRequest {
  readonly request: string;
  /** As the relay says, but never `pending` past expiry, and never approved or rejected without the statements. */
  readonly state: RequestState;
  readonly version: number;
  /** The agent that signed the request, by the roster. */
  readonly agent: string;
  readonly agentSuspended: boolean;
  readonly tool: string;
  readonly args: Json;
  /** JSON Schema of the arguments, or null. */
  readonly schema: Json;
  /** The application's and agent's words: `title` and `summary` are the agent's. */
  readonly facts: Facts;
  /** The system's words: which rule asked, and why. */
  readonly policy: Paper["policy"];
  readonly terms: Terms;
  readonly session: string | null;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly useBy: number;
  /** How often this was asked before, with other arguments or terms. */
  readonly round: number;
  /** Verified answers so far. */
  readonly answers: readonly GivenAnswer[];
  /** How many more people have to approve; 0 once the request is closed. */
  readonly missing: number;
  /** Why this device cannot answer (any more); null where it can. */
  readonly closed: string | null;
}

export interface Opened {
  readonly opened: OpenedRequest;
  readonly header: Header;
  readonly paper: Paper;
  readonly agent: AgentRecord;
}

/** @throws VerificationError (sender-impersonation, bad-ciphertext, cross-request-splice, not-an-approver, roster-fork) */
export async function openView(options: {
  view: RequestView;
  app: string;
  identity: string;
  device: string;
  decryption: DecryptionKey;
  follower: RosterFollower;
  now: number;
}): Promise<Opened> {
  const { view, app, identity, device, decryption, follower, now } = options;
  const header = readHeader(view.header);
  if (header.app !== app) throw new VerificationError("The request is another app's.");
  if (header.request !== view.request)
    throw new VerificationError("The relay shows a request under another id.");

  let roster = follower.current();
  if (view.roster.seq > roster.head.seq || !roster.agent(header.agent)) roster = await follower.sync();
  const sender = roster.agent(header.agent);
  if (!sender || sender.revoked || !(await verifySigned(sender.key, view.header))) {
    throw new VerificationError(
      `The request says that it comes from agent "${header.agent}", but that agent did not sign it.`,
    );
  }
  if (!view.wrap) throw new VerificationError("The relay gave no key for this device with the request.");
  const { ciphertext, wrap } = view;
  const paper = await openRequest({ decryption, device, header, ciphertext, wrap });
  roster = await follower.reach(paper.roster);
  const agent = roster.agent(header.agent);
  if (!agent || agent.revoked) throw new VerificationError(`The agent "${header.agent}" was revoked.`);
  const self = roster.device(device);
  if (!self || self.revoked || roster.identity(identity)?.revoked !== false) {
    throw new VerificationError("This device was revoked, or is not on the roster yet.");
  }
  if (!eligible(header.terms).includes(identity)) {
    throw new VerificationError(`${identity} is not among those who may answer this request.`);
  }

  const signed = view.answers.map((answer) => answer.statement);
  const statements = await verifyAnswers(header, roster, signed);
  const outcome = outcomeOf(header, roster, statements, now);
  const state = stateOf(view.state, outcome.status, now >= header.expiresAt);
  const rejecters = new Set(statements.filter((s) => s.decision === "reject").map((s) => s.identity));
  const approvers = new Set(
    statements
      .filter((s) => s.effective === header.actionDigest && !rejecters.has(s.identity))
      .map((s) => s.identity),
  );
  const mine = statements.find((statement) => statement.identity === identity);
  const closed =
    state !== "pending"
      ? `It is ${state === "executing" ? "being executed" : state}.`
      : mine
        ? `${identity} has answered already: ${mine.decision}.`
        : null;
  const opened: OpenedRequest = deepFreeze({
    request: header.request,
    state,
    version: view.version,
    agent: agent.agent,
    agentSuspended: agent.suspended,
    tool: paper.action.tool,
    args: paper.action.args,
    schema: paper.schema,
    facts: paper.facts,
    policy: paper.policy,
    terms: paper.terms,
    session: paper.session,
    createdAt: paper.createdAt,
    expiresAt: paper.expiresAt,
    useBy: paper.useBy,
    round: paper.round,
    answers: statements.map((s) => ({
      identity: s.identity,
      device: s.type === "guard/v1/statement" ? s.device : null,
      decision: s.decision,
      edited: s.effective !== header.actionDigest,
      time: s.time,
    })),
    missing: state === "pending" ? Math.max(0, header.terms.quorum - approvers.size) : 0,
    closed,
  });
  return { opened, header, paper, agent };
}

/** What the relay says, corrected by what can be checked here (stale-delivery, forged-outcome). */
function stateOf(claimed: RequestState, counted: string, past: boolean): RequestState {
  if (claimed === "pending")
    return counted === "pending" ? (past ? "expired" : "pending") : (counted as RequestState);
  if ((claimed === "approved" || claimed === "rejected") && counted !== claimed) {
    throw new VerificationError(
      `The relay says that the request is ${claimed}, but the answers do not add up to that.`,
    );
  }
  return claimed;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
