/**
 * A device at work: shows what it is asked and signs what its person decides.
 *
 * Guarantees: it signs only for a request that it opened itself, before its expiry, over digests computed from
 * what it opened; an edit only where the terms allow one; one answer for each request, also where another process
 * or tab of this device gave it; a retry posts the very same bytes.
 */
import {
  type Answer,
  actionDigest,
  ClockSkewError,
  ConfigurationError,
  canonicalJson,
  clockTolerance,
  createRelayClient,
  ExpiredError,
  followRoster,
  isGuardError,
  type Json,
  type RequestView,
  type Roster,
  replyDigest,
  requestViewSchema,
  type Signer,
  type Statement,
  sealReply,
  signObject,
  UnavailableError,
  unwound,
  ValidationError,
} from "@guard/core";
import { deviceKeys } from "./keys.ts";
import { type Opened, type OpenedRequest, openView } from "./open.ts";
import type { DeviceProfile, DeviceStore } from "./profile.ts";
import { createReader, type Reader } from "./reader.ts";

export interface OpenDeviceOptions {
  readonly profile: DeviceProfile;
  /** Where the profile came from; keeps the roster between sessions. */
  readonly store: DeviceStore;
  /** Needed where the signing key is kept elsewhere: `signerOf` of `@guard/device/browser` for a passkey. */
  readonly signer?: Signer;
  readonly fetch?: typeof globalThis.fetch | undefined;
  readonly now?: () => number;
  /** Told about outages that are waited out. */
  readonly onProblem?: (error: unknown) => void;
}

export interface Decision {
  readonly decision: "approve" | "reject";
  /** Sealed to the agent; at most {@link longestReason} characters. */
  readonly reason?: string | null;
  /** Other arguments that may run instead; approve only. Absent: as asked. */
  readonly args?: Json;
}

/** How many characters a reason has at most. */
export const longestReason = 4000;

export interface Device extends Reader {
  readonly profile: DeviceProfile;
  roster(): Roster;
  /** @throws VerificationError where something about the request is not as its agent signed it. */
  open(view: RequestView): Promise<OpenedRequest>;
  /**
   * Signs and posts. Repeating the same decision posts the same bytes, unless the relay refused their time.
   * @throws ExpiredError (too late), ValidationError (an edit that is not allowed), ConfigurationError
   *   (another decision was made here before, or the request was not opened by this device)
   */
  decide(opened: OpenedRequest, decision: Decision): Promise<RequestView>;
}

/** A clock that shows a time before the request was made cannot tell whether it expired (clock-rollback). */
function requireClock(createdAt: number, now: number): void {
  if (createdAt - now <= clockTolerance) return;
  throw new ClockSkewError(
    `This device's clock says ${new Date(now).toISOString()}, before the request was made (${new Date(createdAt).toISOString()}). ` +
      "Set the clock. Nothing was signed.",
  );
}

/** Opens an enrolled device and brings its roster up to date. @throws GuardError */
export async function openDevice(options: OpenDeviceOptions): Promise<Device> {
  const { profile, store, fetch, now = Date.now, onProblem } = options;
  const { app, identity, device } = profile;
  const { signer, decryption } = await deviceKeys(profile, { signer: options.signer });
  const client = createRelayClient({ url: profile.relay, token: profile.token, fetch });
  const follower = followRoster({ client, app, floor: null, store: store.roster(profile) });
  try {
    await follower.ready();
    await follower.sync();
  } catch (error) {
    if (!isGuardError(error) || error.relayCode !== "unauthorized") throw error;
    throw new ConfigurationError(
      `The relay does not know the device "${profile.name}" of ${identity}: it was revoked, or the owner has not confirmed it yet.`,
      { cause: error },
    );
  }

  const reader = createReader({ client, follower, onProblem });
  const papers = new WeakMap<OpenedRequest, Opened & { readonly clock: () => number }>();
  /** What was decided, and its signed answer; null where the relay refused that for its time. */
  const given = new Map<string, { readonly choice: string; readonly answer: Promise<Answer> | null }>();

  async function sign(paper: Opened, { decision, reason, args }: Decision): Promise<Answer> {
    const { header } = paper;
    const { action, salt } = paper.paper;
    const edited = args === undefined ? null : (JSON.parse(canonicalJson(args)) as Json);
    const asked = actionDigest(app, header.agent, action, salt);
    const effective =
      args === undefined ? asked : actionDigest(app, header.agent, { ...action, args: edited }, salt);
    const edit = effective === asked ? null : { args: edited };
    const reply =
      reason || edit
        ? await sealReply({
            reply: { type: "guard/v1/reply", request: header.request, reason: reason || null, edit },
            app,
            device,
            agentEncryptionKey: paper.agent.encryptionKey,
          })
        : null;
    const statement: Statement = {
      type: "guard/v1/statement",
      app,
      request: header.request,
      requestDigest: header.requestDigest,
      actionDigest: asked,
      effective,
      decision,
      response: reply ? replyDigest(reply) : null,
      identity,
      device,
      roster: follower.current().head,
      time: now(),
    };
    return { statement: await signObject(signer, statement), reply };
  }

  async function decide(opened: OpenedRequest, decision: Decision): Promise<RequestView> {
    const paper = papers.get(opened);
    if (!paper)
      throw new ConfigurationError("This device did not open that request. Open it first, then decide.");
    const { request } = paper.header;
    const choice = canonicalJson({
      decision: decision.decision,
      reason: decision.reason ?? null,
      edit: decision.args === undefined ? null : { args: decision.args },
    });
    const made = given.get(request);
    let answer = made?.answer ?? null;
    if (made && made.choice !== choice) {
      throw new ConfigurationError("This request was answered here already, with another decision.", {
        request,
      });
    }
    if (!answer) {
      requireClock(paper.header.createdAt, now());
      if (paper.clock() >= paper.header.expiresAt) {
        throw new ExpiredError("Too late: the request has expired. Nothing was signed.", { request });
      }
      if (decision.args !== undefined && decision.decision === "reject") {
        throw new ValidationError("A rejection cannot carry other arguments.", { request });
      }
      if (decision.args !== undefined && !paper.header.terms.editable) {
        throw new ValidationError("The arguments of this request may not be edited. Reject it and say why.", {
          request,
        });
      }
      if ((decision.reason?.length ?? 0) > longestReason)
        throw new ValidationError(`A reason has at most ${longestReason} characters.`);
      answer = requireUnanswered(request).then(() => sign(paper, decision));
      given.set(request, { choice, answer });
      answer.catch(() => given.delete(request));
    }
    try {
      return await post(request, await answer);
    } catch (error) {
      // Nothing was taken. Once the clocks are set, the same decision is signed again, with its right time.
      if (isGuardError(error) && error.relayCode === "clock_skew")
        given.set(request, { choice, answer: null });
      throw error;
    }
  }

  /** Since it was opened this person may have answered in another tab; a second answer could turn the first around. */
  async function requireUnanswered(request: string): Promise<void> {
    const view = await reader.get(request);
    const { opened } = await openView({ view, app, identity, device, decryption, follower, now: now() });
    const mine = opened.answers.find((one) => one.identity === identity);
    if (mine) throw tooLate(request, `${identity} has answered already: ${mine.decision}`);
  }

  function tooLate(request: string, what: string, cause?: unknown): UnavailableError {
    const late = new UnavailableError(`Too late: ${what}.`, { request, cause });
    late.relayCode = "already_decided";
    return late;
  }

  async function post(request: string, body: Answer): Promise<RequestView> {
    try {
      const path = `/v1/requests/${request}/statements`;
      return (await client.call("POST", path, { body, schema: requestViewSchema })).value;
    } catch (error) {
      if (!isGuardError(error)) throw error;
      if (error.relayCode === "expired") {
        throw new ExpiredError("Too late: the request has expired.", { request, cause: error });
      }
      if (error.relayCode === "already_decided") {
        const { state } = await reader.get(request);
        throw tooLate(request, `the request is ${state} already`, error);
      }
      throw error;
    }
  }

  return {
    profile,
    roster: () => follower.current(),
    ...reader,
    async open(view) {
      const opened = await openView({ view, app, identity, device, decryption, follower, now: now() });
      papers.set(opened.opened, { ...opened, clock: unwound(now) });
      return opened.opened;
    },
    decide,
  };
}
