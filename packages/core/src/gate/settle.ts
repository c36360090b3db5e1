/**
 * Settling: what the statements under a request add up to, verified. The relay's word decides nothing here; it
 * can only say less than the statements do, never more (forged-outcome).
 */
import { canonicalJson, type Json } from "../action/canonical.ts";
import { snapshot } from "../action/snapshot.ts";
import { expiryGrace, type Outcome, outcomeOf, verifyAnswers } from "../approval/outcome.ts";
import { actionDigest } from "../approval/request.ts";
import { openReply } from "../approval/sealing.ts";
import type { Answer, Answered, Statement } from "../approval/statement.ts";
import type { Signed } from "../crypto/signed.ts";
import { isGuardError, RejectedError, ValidationError, VerificationError } from "../errors.ts";
import type { RequestView } from "../relay/api.ts";
import type { Asked } from "./ask.ts";
import type { Context } from "./context.ts";
import { stateError } from "./states.ts";

export type Settled =
  | { readonly status: "pending" }
  | {
      readonly status: "approved";
      readonly effective: string;
      readonly args: Json;
      readonly edited: boolean;
      readonly statements: readonly Answered[];
    }
  /** Approvers returned other arguments where more than one has to agree: they are asked about those. */
  | { readonly status: "superseded"; readonly args: Json };

/**
 * Settles what `view` shows of `asked` and records every end of it.
 * @throws GuardError for every end in which nothing may run.
 */
export async function settle(context: Context, asked: Asked, view: RequestView): Promise<Settled> {
  const { chain, now } = context;
  const { header, prepared } = asked;
  if (view.header.body !== asked.signed.body) {
    throw new VerificationError("The relay answered with another request than the one that was asked.", {
      request: header.request,
    });
  }
  const signed = view.answers.map((answer) => answer.statement);
  // Counted after "pending": nobody looks at statements that the relay does not call an end.
  let outcome: Outcome = { status: "pending", effective: null, by: [] };
  function record(
    result: Outcome["status"] | "cancelled" | "verification_failed",
    effective: string | null,
    kept: readonly Signed[],
  ) {
    if (result === "pending") return;
    chain.append({
      type: "APPROVAL_DECIDED",
      session: prepared.session,
      payload: { call: prepared.call, request: header.request, outcome: result, effective, statements: kept },
    });
    context.notifyDecided({
      request: header.request,
      tool: prepared.action.tool,
      outcome: result,
      by: outcome.by,
      edited: effective !== null && effective !== header.actionDigest,
    });
  }
  function end(
    result: "rejected" | "expired" | "cancelled" | "superseded" | "verification_failed",
    effective: string | null,
    kept: readonly Signed[],
    error: Error,
  ): never {
    record(result, effective, kept);
    throw error;
  }
  function lie(): never {
    return end(
      "verification_failed",
      null,
      signed,
      new VerificationError(
        `The relay says "${view.state}", but no statements signed by approvers' devices say so. Nothing ran.`,
        { request: header.request },
      ),
    );
  }

  if (view.state === "pending") {
    if (now() <= header.expiresAt + expiryGrace) return { status: "pending" };
    return end("expired", null, [], stateError("expired", header.request));
  }
  const counted = await count(context, asked, view);
  outcome = counted.outcome;
  const { statements } = counted;
  switch (view.state) {
    case "approved": {
      if (outcome.status !== "approved" || outcome.effective === null) return lie();
      const args = await argsOf(context, asked, view.answers, statements, outcome.effective);
      const edited = outcome.effective !== header.actionDigest;
      record("approved", outcome.effective, signed);
      if (edited) await requireValid(asked, args);
      return { status: "approved", effective: outcome.effective, args, edited, statements };
    }
    case "rejected": {
      if (outcome.status !== "rejected") return lie();
      const reason = await reasonOf(context, view.answers, statements);
      const who = outcome.by.join(", ");
      const message = `${who} rejected ${prepared.action.tool}${reason === null ? "" : `: ${reason}`}`;
      return end(
        "rejected",
        null,
        signed,
        new RejectedError(message, { request: header.request, reason, by: outcome.by }),
      );
    }
    case "superseded": {
      if (outcome.status !== "superseded" || outcome.effective === null) {
        return end("superseded", null, signed, stateError("superseded", header.request));
      }
      const args = await argsOf(context, asked, view.answers, statements, outcome.effective);
      record("superseded", outcome.effective, signed);
      await requireValid(asked, args);
      return { status: "superseded", args };
    }
    case "expired":
    case "cancelled":
      return end(view.state, null, signed, stateError(view.state, header.request));
    default:
      throw stateError(view.state, header.request);
  }
}

/** Verifies the statements by the newest roster that any of them names, and counts them. */
async function count(
  context: Context,
  asked: Asked,
  view: RequestView,
): Promise<{ outcome: Outcome; statements: readonly Answered[] }> {
  const { follower } = context;
  const signed = view.answers.map((answer) => answer.statement);
  if (view.roster.seq > follower.current().head.seq) await follower.sync();
  let statements = await verifyAnswers(asked.header, follower.current(), signed);
  const before = follower.current().head.seq;
  for (const statement of statements) await follower.reach(statement.roster);
  if (follower.current().head.seq !== before)
    statements = await verifyAnswers(asked.header, follower.current(), signed);
  return { statements, outcome: outcomeOf(asked.header, follower.current(), statements, context.now()) };
}

/** The arguments that `effective` is the digest of. @throws VerificationError (reason-injection) */
async function argsOf(
  context: Context,
  asked: Asked,
  answers: readonly Answer[],
  statements: readonly Answered[],
  effective: string,
): Promise<Json> {
  const { paper, header } = asked;
  // A joined paper was parsed: its arguments are frozen like every snapshot.
  if (effective === header.actionDigest) return snapshot(paper.action.args);
  for (const [answer, statement] of verified(answers, statements)) {
    if (statement.effective !== effective || statement.decision !== "approve" || answer.reply === null)
      continue;
    const reply = await openReply({ decryption: context.keys.decryption, statement, reply: answer.reply });
    if (reply.edit === null) continue;
    const args = snapshot(reply.edit.args);
    if (actionDigest(header.app, header.agent, { ...paper.action, args }, paper.salt) === effective)
      return args;
  }
  throw new VerificationError("An approver's edited arguments are not the ones that they signed.", {
    request: header.request,
  });
}

async function reasonOf(
  context: Context,
  answers: readonly Answer[],
  statements: readonly Answered[],
): Promise<string | null> {
  for (const [answer, statement] of verified(answers, statements)) {
    if (statement.decision !== "reject" || answer.reply === null) continue;
    const reply = await openReply({ decryption: context.keys.decryption, statement, reply: answer.reply });
    if (reply.reason !== null) return reply.reason;
  }
  return null;
}

/** Pairs verified statements with the replies that came with them. Unsigned answers have none. */
function verified(
  answers: readonly Answer[],
  statements: readonly Answered[],
): readonly (readonly [Answer, Statement])[] {
  const signed = statements.filter((statement) => statement.type === "guard/v1/statement");
  const texts = new Map(signed.map((statement) => [canonicalJson(statement), statement]));
  return answers.flatMap((answer) => {
    const statement = texts.get(answer.statement.body);
    return statement ? [[answer, statement] as const] : [];
  });
}

/** An edit has to fit the tool's own schema, and to come out of it unchanged (edited-tool-escape). */
async function requireValid(asked: Asked, args: Json): Promise<void> {
  const { validate, action } = asked.prepared;
  const refuse = (why: string, cause?: unknown): never => {
    throw new ValidationError(
      `The approver's edited arguments for ${action.tool} are not usable: ${why}. Nothing ran.`,
      {
        request: asked.header.request,
        cause,
      },
    );
  };
  if (validate === null) return refuse("the tool has no schema to check them with");
  let value: unknown;
  try {
    value = await validate(args);
  } catch (cause) {
    return refuse("they do not fit the tool's schema", cause);
  }
  let text: string;
  try {
    text = canonicalJson(snapshot(value));
  } catch (cause) {
    if (!isGuardError(cause, "validation")) throw cause;
    return refuse("the tool's schema makes something else than JSON of them", cause);
  }
  if (text !== canonicalJson(args))
    refuse("the tool's schema changes them, so what runs would not be what was approved");
}
