/** Vectors of statements: who signed what, and whether it counts. */
import {
  base64url,
  canonicalJson,
  digestOf,
  expiryGrace,
  fromBase64url,
  type Signature,
  type Signed,
  type Signer,
  type Statement,
  signObject,
  type Terms,
  type UnsignedAnswer,
  utf8,
} from "../../packages/core/src/index.ts";
import { word } from "./random.ts";
import { hour } from "./sealing.ts";
import { type Lies, type Passkey, software } from "./signers.ts";
import { now, type Person, type VectorFile, type World } from "./world.ts";

export interface Question {
  readonly app: string;
  readonly request: string;
  readonly requestDigest: string;
  readonly actionDigest: string;
  readonly terms: Terms;
  readonly expiresAt: number;
}

export function question(w: World, name: string, terms: Partial<Terms> = {}): Question {
  return {
    ...{ app: w.app, request: digestOf(`request ${name}`), requestDigest: digestOf(`paper ${name}`) },
    ...{ actionDigest: digestOf(`action ${name}`), expiresAt: now + hour },
    terms: {
      approvers: ["alice@example.com", "bob@example.com", "carol@example.com", "dave@example.com"],
      ...{ quorum: 1, rejections: 1, editable: true, requester: null },
      ...terms,
    },
  };
}

export function statementOf(w: World, of: Question, who: Person, change: Partial<Statement> = {}): Statement {
  const { app, request, requestDigest, actionDigest } = of;
  return {
    type: "guard/v1/statement",
    ...{ app, request, requestDigest, actionDigest, effective: actionDigest },
    ...{ decision: "approve", response: null, identity: who.identity, device: who.device },
    ...{ roster: w.calm.head, time: now + 60_000 },
    ...change,
  };
}

/** What somebody answered over another system's wire, as the agent wrote it down. */
export function unsignedOf(
  w: World,
  of: Question,
  who: Person,
  change: Partial<UnsignedAnswer> = {},
): UnsignedAnswer {
  const { app, request, requestDigest, actionDigest } = of;
  return {
    type: "guard/v1/unsigned",
    ...{ app, request, requestDigest, actionDigest, effective: actionDigest },
    ...{ decision: "approve", response: null, identity: who.identity, wire: "noxy", reference: "0b7c9a1e" },
    ...{ roster: w.calm.head, time: now + 60_000 },
    ...change,
  };
}

export async function statements(w: World): Promise<VectorFile> {
  const { alice, bob, carol, dave, mallory } = w.people;
  const ask = question(w, "statements");
  const cases: object[] = [];
  const stranger = await software("stranger");
  const add = (name: string, signed: Signed, why: string | null, head = w.calm.head.seq) =>
    cases.push({
      name,
      roster: head,
      statement: signed,
      counts: why === null,
      ...(why === null ? {} : { why }),
    });
  const sign = (who: Person, change: object = {}, signer: Signer = who.signer) =>
    signObject(signer, { ...statementOf(w, ask, who), ...change });
  const good = async (name: string, who: Person, change: object = {}) =>
    add(name, await sign(who, change), null);
  const bad = async (
    name: string,
    why: string,
    who: Person,
    change: object = {},
    signer: Signer = who.signer,
  ) => add(name, await sign(who, change, signer), why);

  await good("ed25519", alice);
  await good("p256", bob);
  await good("webauthn, ES256", carol);
  await good("webauthn, EdDSA", dave);
  await good("a rejection", alice, { decision: "reject" });
  await good("an edit", alice, { effective: digestOf("edited"), response: digestOf("reply") });
  await good("the last moment of grace", alice, { time: ask.expiresAt + expiryGrace });
  await good("a head that is not looked at when it is counted", alice, {
    roster: { seq: 3, hash: word("x") },
  });

  await bad("forged-outcome: signed by nobody on the roster", "signature", alice, {}, stranger);
  await bad("forged-outcome: signed by the agent", "signature", alice, {}, w.agent.signer);
  await bad("self-approval: by another person's device", "identity", mallory, { identity: alice.identity });
  await bad("not-an-approver: an enrolled outsider", "approver", mallory);
  await bad("cross-tenant: another app", "app", alice, { app: word("app") });
  await bad("cross-request-splice: another request", "request", alice, { request: word("r") });
  await bad("outcome-replay: another paper", "requestDigest", alice, { requestDigest: word("p") });
  await bad("stale-decision: another action", "actionDigest", alice, {
    actionDigest: word("a"),
    effective: word("a"),
  });
  await bad("an edit without a reply", "edit", alice, { effective: word("e") });
  await bad("a rejection of an edit", "edit", alice, {
    effective: word("e"),
    response: word("r"),
    decision: "reject",
  });
  await bad("stale-delivery: after the grace", "time", alice, { time: ask.expiresAt + expiryGrace + 1 });
  await bad("an unknown device", "device", alice, { device: word("d") });
  await bad("downgrade: another version", "type", alice, { type: "guard/v2/statement" });
  await bad("an unknown member", "shape", alice, { comment: "x" });
  await bad("an unknown decision", "shape", alice, { decision: "allow" });
  await bad("a time that is no integer", "shape", alice, { time: now + 0.5 });
  add("revoked-device: revoked since", await sign(alice), "device", 18);
  add("revoked-device: its identity was revoked since", await sign(bob), "identity", 19);
  add("a device before it was enrolled", await sign(carol), "device", 8);

  const honest = await sign(alice);
  const raw = (signature: Signature, body = honest.body): Signed => ({ body, signature });
  add("the signature of another statement", raw((await sign(alice, { time: now })).signature), "signature");
  add("not canonical", raw(honest.signature, `${honest.body} `), "canonical");
  add("downgrade: an assertion for a software key", raw((await sign(carol)).signature), "signature");
  add("a short signature", raw((honest.signature as string).slice(0, 40)), "signature");
  add("an empty signature", raw(""), "signature");
  const half = await sign(bob);
  const rs = fromBase64url(half.signature as string);
  const swapped = base64url(Buffer.concat([rs.subarray(32), rs.subarray(0, 32)]));
  add("p256: s before r", raw(swapped, half.body), "signature");
  add("p256: zeros", raw(base64url(new Uint8Array(64)), half.body), "signature");

  async function lie(name: string, lies: Lies, who: Person = carol) {
    const body = canonicalJson(statementOf(w, ask, who));
    add(name, { body, signature: await (who.signer as Passkey).assert(utf8(body), lies) }, "webauthn");
  }
  await lie("webauthn: of a registration", { client: { type: "webauthn.create" } });
  await lie("webauthn: another challenge", { client: { challenge: word("challenge") } });
  await lie("csrf-clickjack: another origin", { client: { origin: "https://evil.example.com" } });
  await lie("csrf-clickjack: an origin with a slash", { client: { origin: "https://approve.example.com/" } });
  await lie("csrf-clickjack: in a frame of another origin", { client: { crossOrigin: true } });
  await lie("csrf-clickjack: a top origin", { client: { topOrigin: "https://evil.example.com" } });
  await lie("webauthn: another rpId", { rpId: "evil.example.com" });
  await lie("webauthn: nobody was present", { flags: 0x04 });
  await lie("webauthn: nobody was verified", { flags: 0x01 });
  await lie("webauthn: short authenticator data", { authenticator: (bytes) => bytes.subarray(0, 36) });
  await lie("webauthn, EdDSA: nobody was verified", { flags: 0x01 }, dave);
  const assertion = await (carol.signer as Passkey).assert(utf8(canonicalJson(statementOf(w, ask, carol))));
  const der = fromBase64url(assertion.signature);
  const body = canonicalJson(statementOf(w, ask, carol));
  const withSignature = (bytes: Uint8Array) => raw({ ...assertion, signature: base64url(bytes) }, body);
  add(
    "webauthn: a byte after the signature",
    withSignature(Buffer.concat([der, Uint8Array.of(0)])),
    "webauthn",
  );
  const misspelt = (part: keyof typeof assertion, text: string) =>
    add(`webauthn: bad base64url: ${part}`, raw({ ...assertion, [part]: text }, body), "webauthn");
  misspelt("authenticatorData", `${assertion.authenticatorData}=`);
  misspelt("clientDataJSON", `${assertion.clientDataJSON} `);
  misspelt("signature", `${assertion.signature.slice(0, 8)}!${assertion.signature.slice(8)}`);
  add("webauthn: a signature that is not DER", withSignature(rs), "webauthn");
  add(
    "webauthn: extensions in the authenticator data are signed too",
    {
      body,
      signature: await (carol.signer as Passkey).assert(utf8(body), {
        flags: 0x85,
        authenticator: (bytes) => Buffer.concat([bytes, Uint8Array.of(0xa0)]),
      }),
    },
    null,
  );

  return {
    description:
      "Statements (section 7.1) and the signatures under them (2.4). A statement `counts` if it is well-formed, signed by its device's key and counts for `question`, all by the roster of rosters.json with entry `roster` as its head. `why` is a hint.",
    question: ask,
    cases,
  };
}
