/**
 * Asking: makes the request for an action, or joins the one that is there already.
 *
 * Guarantees: what an earlier process asked is found again and not asked twice; a request is joined only if
 * it carries this agent's signature and asks the same thing on the same terms; anything else under the same
 * key is superseded by the next round, unless it was used.
 */
import { canonicalJson } from "../action/canonical.ts";
import { outcomeOf, verifyAnswers } from "../approval/outcome.ts";
import { type Header, type Paper, readHeader } from "../approval/request.ts";
import { reopenRequest, sealRequest } from "../approval/sealing.ts";
import { eligible, type Terms } from "../approval/terms.ts";
import { base64url, randomBytes } from "../crypto/encoding.ts";
import { type Signed, verifySigned } from "../crypto/signed.ts";
import { DeniedError, isGuardError, NoDeviceError, UnavailableError, VerificationError } from "../errors.ts";
import type { Decision } from "../policy/policy.ts";
import { type RequestView, requestViewSchema } from "../relay/api.ts";
import type { DeviceRecord } from "../roster/records.ts";
import type { Context } from "./context.ts";
import { reachedBy } from "./foreign.ts";
import { anew, type Prepared } from "./prepare.ts";
import { decide, propose } from "./propose.ts";
import { stateError } from "./states.ts";

/** A request of this agent: asked now, or found. */
export interface Asked {
  /** The action that the request is for; its arguments may come from an earlier approver's edit. */
  readonly prepared: Prepared;
  readonly header: Header;
  readonly signed: Signed;
  readonly paper: Paper;
  readonly joined: boolean;
  readonly view: RequestView;
}

export type Ask = Decision & { readonly outcome: "ask" };
export type Mode = "wait" | "suspend";

/** What it takes to approve `prepared`. @throws DeniedError where nobody is left who could. */
export function termsOf(context: Context, decision: Ask, prepared: Prepared): Terms {
  const { requester } = prepared;
  const { foreign } = context;
  if (foreign?.alone && decision.quorum > 1) {
    throw new DeniedError(
      `${prepared.action.tool} needs ${decision.quorum} people, and what is answered over ${foreign.relay.wire} is unsigned: ` +
        "it never counts towards a quorum above 1. Ask with bridge instead of relay, so that Guard's devices are asked.",
      { reasons: ["unsigned answers make no quorum"] },
    );
  }
  const terms: Terms = {
    approvers: decision.approvers,
    quorum: decision.quorum,
    rejections: decision.rejections,
    editable: decision.editable && prepared.validate !== null && !foreign?.alone,
    requester: requester !== null && !context.selfApproval.has(requester) ? requester : null,
    ...(foreign && decision.quorum === 1 ? { unsigned: foreign.relay.wire } : {}),
  };
  if (eligible(terms).length < terms.quorum) {
    throw new DeniedError(
      `${prepared.action.tool} needs ${terms.quorum} of ${terms.approvers.join(", ")}, and ${requester} cannot approve ` +
        "what was asked on their behalf. Name more approvers, or list them in selfApproval.",
      { reasons: ["the requester cannot approve"] },
    );
  }
  return terms;
}

/** Asks, or joins. `previous` is the request that this one replaces. */
export async function ask(
  context: Context,
  prepared: Prepared,
  options: { decision: Ask; mode: Mode; previous: Header | null },
): Promise<Asked> {
  const { decision, mode } = options;
  const terms = termsOf(context, decision, prepared);
  const keyId = context.keys.keyId(context.app, prepared.key);
  let devices = await recipients(context, terms);
  let previous = options.previous;
  for (let attempt = 0; attempt < 4; attempt++) {
    const made = await post(context, prepared, { keyId, terms, devices, decision, mode, previous });
    if (made === "another round") {
      previous = null; // Another process was faster: look at what it asked.
      continue;
    }
    if (made === "another roster") {
      await context.follower.sync(); // A device went since the roster was read.
      devices = await recipients(context, terms);
      continue;
    }
    const { paper, signed: own, view } = made;
    const header = await ownHeader(context, view, keyId);
    if (view.header.body === own.body) return { prepared, header, signed: own, paper, joined: false, view };
    const joined = await join(context, prepared, { header, terms, view, decision });
    if (joined) return joined;
    if (["executing", "completed", "unknown"].includes(view.state))
      throw stateError(view.state, view.request);
    previous = header;
  }
  throw new UnavailableError(
    "The request could not be placed: several processes ask for the same action on different terms, or its approvers' devices change all the time. Try again.",
  );
}

/** Devices of those who may answer. @throws NoDeviceError that says which command to run. */
async function recipients(context: Context, terms: Terms): Promise<readonly DeviceRecord[]> {
  const people = eligible(terms);
  let roster = context.follower.current();
  const { foreign } = context;
  const elsewhere = terms.unsigned === undefined ? null : foreign;
  const devicesOf = (identity: string) => (foreign?.alone ? [] : roster.devicesOf(identity));
  const missing = () =>
    people.filter(
      (identity) =>
        devicesOf(identity).length === 0 && !(elsewhere && reachedBy(elsewhere, roster, identity)),
    );
  // Somebody may have enrolled since the roster was read.
  if (missing().length > 0) roster = await context.follower.sync({ wanted: missing() });
  const without = missing();
  if (people.length - without.length < terms.quorum) {
    const todo = foreign?.alone ? `guard ${foreign.relay.wire} confirm DEVICE` : `guard invite ${without[0]}`;
    throw new NoDeviceError(
      `Nobody can be asked: no enrolled device for ${without.join(", ")}. Run: ${todo}`,
      { identities: without },
    );
  }
  return people.flatMap(devicesOf);
}

interface PostOptions {
  readonly keyId: string;
  readonly terms: Terms;
  readonly devices: readonly DeviceRecord[];
  readonly decision: Ask;
  readonly mode: Mode;
  readonly previous: Header | null;
}

/** Seals and posts one round; says where the relay knows another round, or another roster, than we do. */
async function post(
  context: Context,
  prepared: Prepared,
  options: PostOptions,
): Promise<{ paper: Paper; signed: Signed; view: RequestView } | "another round" | "another roster"> {
  const { app, agent, keys, client, chain, follower, policy } = context;
  const { keyId, terms, decision, previous } = options;
  const createdAt = context.now();
  const expiresAt = createdAt + decision.expiresIn;
  const paper: Paper = {
    type: "guard/v1/paper",
    nonce: base64url(randomBytes(32)),
    action: prepared.action,
    salt: prepared.salt,
    facts: prepared.facts,
    schema: prepared.schema,
    callId: prepared.callId,
    session: prepared.session,
    terms,
    policy: { version: policy.version, rule: decision.rule, reasons: decision.reasons },
    createdAt,
    expiresAt,
    useBy: expiresAt + context.useWithin[options.mode],
    round: previous === null ? 0 : previous.round + 1,
    supersedes: previous === null ? null : previous.request,
    roster: follower.current().head,
  };
  const { header: signed, envelope } = await sealRequest({
    keys,
    paper,
    app,
    agent,
    keyId,
    devices: options.devices,
  });
  const request = keys.requestId(keyId, paper.round);
  chain.append({
    type: "APPROVAL_REQUESTED",
    session: prepared.session,
    payload: { call: prepared.call, request, header: signed },
  });
  await chain.flush();
  try {
    const body = { header: signed, ...envelope };
    const { value: view } = await client.call("POST", "/v1/requests", {
      schema: requestViewSchema,
      body,
    });
    return { paper, signed, view };
  } catch (error) {
    if (isGuardError(error) && error.relayCode === "round_conflict") return "another round";
    if (isGuardError(error) && error.relayCode === "no_device") return "another roster";
    throw error;
  }
}

/** Reads the header of a view and checks that this agent made it, for this key where one is given. @throws VerificationError */
export async function ownHeader(context: Context, view: RequestView, keyId?: string): Promise<Header> {
  const { app, agent, keys } = context;
  const header = readHeader(view.header);
  const own =
    header.app === app &&
    header.agent === agent &&
    (keyId === undefined || header.keyId === keyId) &&
    header.request === keys.requestId(header.keyId, header.round) &&
    header.request === view.request &&
    (await verifySigned(keys.signer.key, view.header));
  if (!own) {
    throw new VerificationError("The relay answered with a request that this agent did not make.", {
      request: view.request,
    });
  }
  return header;
}

/** Joins the request that is there if it asks the same; null where it asks something else. */
async function join(
  context: Context,
  prepared: Prepared,
  found: { header: Header; terms: Terms; view: RequestView; decision: Ask },
): Promise<Asked | null> {
  const { header, view } = found;
  const paper = await reopenRequest(context.keys, header, view.ciphertext);
  const same =
    header.actionDigest === prepared.digest && canonicalJson(header.terms) === canonicalJson(found.terms);
  const edited = !same && (await descends(context, header, paper, prepared.digest));
  if (!same && !edited) return null;
  const action = edited ? anew(prepared, paper.action.args, context.app, context.agent) : prepared;
  if (edited) {
    propose(context, action);
    decide(context, action);
  }
  context.chain.append({
    type: "APPROVAL_REQUESTED",
    session: action.session,
    payload: { call: action.call, request: header.request, header: view.header },
  });
  return { prepared: action, header, signed: view.header, paper, joined: true, view };
}

/** Whether a request asks for what approvers made of the action with `digest` by editing it. */
async function descends(context: Context, header: Header, paper: Paper, digest: string): Promise<boolean> {
  let wanted = header.actionDigest;
  for (let request = paper.supersedes, round = header.round - 1; request !== null && round >= 0; round--) {
    const { value: view } = await context.client.call("GET", `/v1/requests/${request}`, {
      schema: requestViewSchema,
    });
    const earlier = await ownHeader(context, view, header.keyId);
    const roster = context.follower.current();
    const statements = await verifyAnswers(
      earlier,
      roster,
      view.answers.map((answer) => answer.statement),
    );
    if (outcomeOf(earlier, roster, statements, context.now()).effective !== wanted) return false;
    if (earlier.actionDigest === digest) return true;
    wanted = earlier.actionDigest;
    request = (await reopenRequest(context.keys, earlier, view.ciphertext)).supersedes;
  }
  return false;
}
