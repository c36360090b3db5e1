/** What the tests of this folder share: a real roster, and a chain with an approved, run call in it. */
import { base64url, randomBytes } from "../crypto/encoding.ts";
import { digestOf } from "../crypto/hash.ts";
import { ed25519Signer, type Signer } from "../crypto/signature.ts";
import { signObject } from "../crypto/signed.ts";
import { type Change, encryptionKeyLength } from "../roster/entry.ts";
import { deviceIdOf } from "../roster/records.ts";
import { appendEntry, foundRoster, type Roster, signEntry } from "../roster/roster.ts";
import type { Chain } from "./chain.ts";

export const time = 1_800_000_000_000;
const digest = (text: string) => digestOf(text);

export interface World {
  readonly roster: Roster;
  readonly agent: Signer;
  readonly relay: Signer;
  readonly device: Signer;
  readonly deviceId: string;
  readonly app: string;
  /** The roster with one more entry. */
  extend(roster: Roster, change: Change): Promise<Roster>;
}

const signer = () => ed25519Signer(randomBytes(32));

export async function world(): Promise<World> {
  const [root, agent, relay, device] = await Promise.all([signer(), signer(), signer(), signer()]);
  let roster = await appendEntry(null, await foundRoster(root, time));
  const extend = async (roster: Roster, change: Change) =>
    appendEntry(roster, await signEntry(roster, change, { signer: root, by: "root", now: time }));
  const encryptionKey = base64url(new Uint8Array(encryptionKeyLength));
  const identity = "alice@example.com";
  const enrolled = { identity, key: device.key, encryptionKey };
  const deviceId = deviceIdOf({ app: roster.app, ...enrolled });
  for (const change of [
    { kind: "agent", agent: "bot", key: agent.key, encryptionKey },
    { kind: "relay", relay: "main", key: relay.key },
    { kind: "identity", identity },
    { kind: "device", device: deviceId, ...enrolled, name: "laptop", origin: "terminal" },
  ] satisfies Change[]) {
    roster = await extend(roster, change);
  }
  return { roster, agent, relay, device, deviceId, app: roster.app, extend };
}

export interface Lies {
  /** Signs the statement; the enrolled device where absent. */
  readonly statementBy?: Signer;
  readonly receiptBy?: Signer;
  readonly consumeBy?: Signer;
  readonly headerBy?: Signer;
  readonly decision?: "approve" | "reject";
  readonly consumedFor?: string;
  readonly receiptTime?: number;
  /** Request id to use again. */
  readonly request?: string;
}

/** Writes an asked, approved and run call, as the gate does; `lies` changes one thing. */
export async function approvedCall(chain: Chain, at: World, lies: Lies = {}): Promise<string> {
  const { app, roster } = at;
  const call = base64url(randomBytes(8));
  const request = lies.request ?? digest(`request ${call}`);
  const requestDigest = digest(`paper ${call}`);
  const actionDigest = digest(`action ${call}`);
  const execution = `execution ${call}`;
  const append = (type: string, payload: object) =>
    chain.append({ type, session: "session", payload: { call, ...payload } } as Parameters<
      Chain["append"]
    >[0]);
  append("TOOL_CALL_PROPOSED", { tool_name: "refund", call_id: null, action_digest: actionDigest });
  append("POLICY_DECISION", { outcome: "require_approval", rule: "refund", version: "1", reasons: [] });
  const identity = "alice@example.com";
  const header = await signObject(lies.headerBy ?? at.agent, {
    type: "guard/v1/request",
    ...{ app, agent: "bot", keyId: digest("key"), round: 0, request, requestDigest, actionDigest },
    nonce: base64url(randomBytes(32)),
    terms: { approvers: [identity], quorum: 1, rejections: 1, editable: false, requester: null },
    ...{ createdAt: time, expiresAt: time + 1000, useBy: time + 2000, ciphertextHash: digest("c") },
    recipients: [{ device: at.deviceId, wrapHash: digest("w") }],
  } as { type: string });
  append("APPROVAL_REQUESTED", { request, header });
  const decision = lies.decision ?? "approve";
  const statement = await signObject(lies.statementBy ?? at.device, {
    type: "guard/v1/statement",
    ...{ app, request, requestDigest, actionDigest, effective: actionDigest, decision, response: null },
    ...{ identity, device: at.deviceId, roster: roster.head, time },
  } as { type: string });
  append("APPROVAL_DECIDED", {
    request,
    outcome: "approved",
    effective: actionDigest,
    statements: [statement],
  });
  const bound = { app, request, requestDigest, effective: actionDigest, attempt: base64url(randomBytes(16)) };
  const consume = await signObject(lies.consumeBy ?? at.agent, {
    type: "guard/v1/consume",
    ...bound,
    ...{ executionTimeout: 60_000, roster: roster.head },
  } as { type: string });
  const receipt = await signObject(lies.receiptBy ?? at.relay, {
    type: "guard/v1/receipt",
    ...bound,
    ...{ effective: lies.consumedFor ?? actionDigest, relay: "main", roster: roster.head },
    time: lies.receiptTime ?? time,
  } as { type: string });
  const allowed = { request, action_digest: actionDigest, effective: actionDigest };
  append("TOOL_CALL_ALLOWED", { ...allowed, consume, receipt, roster: roster.head });
  append("TOOL_CALL_EXECUTED", { request, execution_id: execution, effective: actionDigest });
  append("TOOL_RESULT", { request, execution_id: execution, status: "ok", result_digest: null, error: null });
  return request;
}
