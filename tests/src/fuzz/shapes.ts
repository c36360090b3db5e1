/**
 * What every signed object has to look like, written apart from Guard's schemas: exact members, exact encodings.
 * The fuzz holds what Guard's readers accept against this table.
 */
import { isBase64url } from "./independent.ts";

type Test = (value: unknown) => boolean;

const digest: Test = (value) => isBase64url(value, 32);
const bytes =
  (length: number): Test =>
  (value) =>
    isBase64url(value, length);
const whole: Test = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
/** A time has to be one that a calendar has (ECMA-262 §21.4.1.1). */
const time: Test = (value) => whole(value) && (value as number) <= 8.64e15;
const text =
  (min = 0, max = Number.POSITIVE_INFINITY): Test =>
  (value) =>
    typeof value === "string" && value.length >= min && value.length <= max;
const name: Test = (value) => typeof value === "string" && /^[a-z0-9][a-z0-9._-]{0,62}$/i.test(value);
const one =
  (...values: unknown[]): Test =>
  (value) =>
    values.includes(value);
const orNull =
  (test: Test): Test =>
  (value) =>
    value === null || test(value);
const list =
  (test: Test, min = 0, max = Number.POSITIVE_INFINITY): Test =>
  (value) =>
    Array.isArray(value) && value.length >= min && value.length <= max && value.every(test);
const anything: Test = () => true;
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** All of `members` and, of what may be left out, nothing else. */
function exactly(members: Record<string, Test>, optional: Record<string, Test> = {}): Test {
  return (value) =>
    isObject(value) &&
    Object.keys(members).every((key) => Object.hasOwn(value, key)) &&
    Object.entries(value).every(([key, member]) => {
      const tests = Object.hasOwn(members, key) ? members : optional;
      return Object.hasOwn(tests, key) && (tests[key] as Test)(member);
    });
}
const either =
  (...tests: Test[]): Test =>
  (value) =>
    tests.some((test) => test(value));

const head = exactly({ seq: whole, hash: digest });
/** Uncompressed, which is the one spelling of a P-256 key. */
const point: Test = (value) => isBase64url(value, 65) && Buffer.from(value as string, "base64url")[0] === 4;
const softwareKey = either(
  exactly({ kind: one("ed25519"), publicKey: bytes(32) }),
  exactly({ kind: one("p256"), publicKey: point }),
);
const passkey = (alg: string, publicKey: Test) =>
  exactly({
    kind: one("webauthn"),
    alg: one(alg),
    publicKey,
    credentialId: text(1, 1400),
    rpId: text(1, 253),
    origins: list(text(0, 300), 1, 20),
  });
const key = either(softwareKey, passkey("ES256", point), passkey("EdDSA", bytes(32)));
const encryptionKey = bytes(1216);
const signature = either(
  text(0, 100),
  exactly({ authenticatorData: text(0, 4096), clientDataJSON: text(0, 8192), signature: text(0, 200) }),
);
export const signed = exactly({ body: text(), signature });

type Terms = {
  approvers: string[];
  quorum: number;
  rejections: number;
  requester: string | null;
  unsigned?: string;
};
const terms: Test = (value) => {
  const shape = exactly(
    {
      approvers: list(text(1, 320), 1, 100),
      quorum: whole,
      rejections: whole,
      editable: one(true, false),
      requester: orNull(text(1, 320)),
    },
    { unsigned: one("noxy") },
  );
  if (!shape(value)) return false;
  const { approvers, quorum, rejections, requester, unsigned } = value as Terms;
  if (unsigned !== undefined && quorum !== 1) return false;
  const sorted = [...new Set(approvers)].sort();
  const others = sorted.filter((identity) => identity !== requester).length;
  return (
    sorted.join("\n") === approvers.join("\n") &&
    quorum >= 1 &&
    quorum <= others &&
    rejections >= 1 &&
    rejections <= 100
  );
};

const change = either(
  exactly({ kind: one("root"), key: softwareKey, possession: bytes(64) }),
  exactly({ kind: one("admin"), admin: name, key: softwareKey }),
  exactly({ kind: one("identity"), identity: text(1, 320) }),
  exactly({ kind: one("agent"), agent: name, key: softwareKey, encryptionKey }),
  exactly({ kind: one("relay"), relay: name, key: softwareKey }),
  exactly({
    kind: one("device"),
    device: digest,
    identity: text(1, 320),
    key,
    encryptionKey,
    name: text(1, 100),
    origin: text(1, 300),
  }),
  exactly({
    kind: one("foreign"),
    device: digest,
    identity: text(1, 320),
    wire: one("noxy"),
    publicKey: bytes(32),
    kemKey: bytes(1184),
    name: text(1, 100),
  }),
  exactly({
    kind: one("revoke"),
    target: exactly({
      kind: one("admin", "identity", "agent", "relay", "device", "foreign"),
      id: text(1, 320),
    }),
    reason: orNull(text(1, 500)),
  }),
  exactly({ kind: one("suspend"), agent: name, reason: orNull(text(1, 500)) }),
  exactly({ kind: one("lift"), agent: name }),
  exactly({ kind: one("renew") }),
);

const act = { app: digest, request: digest };
const bound = { ...act, requestDigest: digest, effective: digest, attempt: bytes(16) };
const asked = { createdAt: time, expiresAt: time, useBy: time, round: whole, nonce: bytes(32), terms };
const facts = exactly(
  {},
  {
    risk: one("low", "medium", "high", "critical"),
    operation: text(0, 200),
    sensitivity: text(0, 200),
    systems: list(text(0, 200), 0, 50),
    title: text(0, 300),
    summary: text(0, 4000),
    metadata: isObject,
  },
);
const header = exactly({
  type: one("guard/v1/request"),
  ...act,
  ...asked,
  agent: text(1, 100),
  keyId: digest,
  requestDigest: digest,
  actionDigest: digest,
  ciphertextHash: digest,
  recipients: list(exactly({ device: digest, wrapHash: digest }), 0, 200),
});
type Times = { createdAt: number; expiresAt: number; useBy: number };
const inOrder = ({ createdAt, expiresAt, useBy }: Times) => createdAt < expiresAt && expiresAt <= useBy;
type Asked = { recipients: { device: string }[]; terms: Terms };
const sealedTo = ({ recipients, terms }: Asked) =>
  new Set(recipients.map(({ device }) => device)).size === recipients.length &&
  (recipients.length > 0 || terms.unsigned !== undefined);

/** By `type`: whether a value is one. */
export const shapes: Readonly<Record<string, Test>> = {
  "guard/v1/consume": exactly({
    type: one("guard/v1/consume"),
    ...bound,
    executionTimeout: (value) =>
      whole(value) && (value as number) >= 1000 && (value as number) <= 604_800_000,
    roster: head,
  }),
  "guard/v1/receipt": exactly({ type: one("guard/v1/receipt"), ...bound, relay: text(), roster: head, time }),
  "guard/v1/report": exactly({
    type: one("guard/v1/report"),
    ...act,
    attempt: bytes(16),
    status: one("completed", "failed"),
    time,
  }),
  "guard/v1/cancel": exactly({ type: one("guard/v1/cancel"), ...act, time }),
  "guard/v1/statement": exactly({
    type: one("guard/v1/statement"),
    ...act,
    requestDigest: digest,
    actionDigest: digest,
    effective: digest,
    decision: one("approve", "reject"),
    response: orNull(digest),
    identity: text(),
    device: digest,
    roster: head,
    time,
  }),
  "guard/v1/unsigned": exactly({
    type: one("guard/v1/unsigned"),
    ...act,
    requestDigest: digest,
    actionDigest: digest,
    effective: digest,
    decision: one("approve", "reject"),
    response: one(null),
    identity: text(),
    wire: one("noxy"),
    reference: text(1, 200),
    roster: head,
    time,
  }),
  "guard/v1/foreign-app": exactly({
    type: one("guard/v1/foreign-app"),
    app: digest,
    wire: one("noxy"),
    name: text(1, 100),
    signingSecret: orNull(text(16, 500)),
    open: one(true, false),
    quota: orNull(whole),
    suspended: one(true, false),
    time,
    by: text(),
  }),
  "guard/v1/request": (value) => header(value) && inOrder(value as Times) && sealedTo(value as Asked),
  "guard/v1/paper": exactly({
    type: one("guard/v1/paper"),
    ...asked,
    action: exactly({ tool: text(1, 200), args: anything, schemaDigest: orNull(digest) }),
    salt: bytes(32),
    facts,
    schema: anything,
    callId: orNull(text(0, 500)),
    session: orNull(text(0, 500)),
    policy: exactly({ version: text(0, 100), rule: text(0, 500), reasons: list(text(0, 1000), 0, 20) }),
    supersedes: orNull(digest),
    roster: head,
  }),
  "guard/v1/reply": exactly({
    type: one("guard/v1/reply"),
    request: digest,
    reason: orNull(text(0, 4000)),
    edit: orNull(exactly({ args: anything })),
  }),
  "guard/v1/roster": exactly({
    type: one("guard/v1/roster"),
    app: digest,
    seq: whole,
    prev: orNull(digest),
    time,
    by: name,
    change,
  }),
  "guard/v1/invite": exactly({
    type: one("guard/v1/invite"),
    app: digest,
    tokenHash: digest,
    identity: text(),
    expiresAt: time,
    time,
    by: text(),
  }),
  "guard/v1/enrolment": exactly({
    type: one("guard/v1/enrolment"),
    app: digest,
    identity: text(),
    expiresAt: time,
    key,
    encryptionKey,
    name: text(1, 100),
    origin: text(1, 300),
    tokenHash: digest,
    mac: bytes(32),
  }),
  "guard/v1/token": exactly({
    type: one("guard/v1/token"),
    app: digest,
    agent: text(),
    tokenHash: digest,
    time,
    by: text(),
  }),
  "guard/v1/checkpoint": (value) =>
    exactly({
      type: one("guard/v1/checkpoint"),
      app: digest,
      agent: text(1),
      chain: bytes(16),
      seq: orNull(whole),
      hash: orNull((hash) => typeof hash === "string" && /^[0-9a-f]{64}$/.test(hash)),
      roster: head,
      time,
    })(value) && ((value as { seq: unknown }).seq === null) === ((value as { hash: unknown }).hash === null),
  "guard/v1/connection": exactly({
    type: one("guard/v1/connection"),
    relay: text(),
    app: digest,
    rootKey: key,
    agent: text(1),
    token: (value) => typeof value === "string" && /^[\x21-\x7e]+$/.test(value),
    seed: bytes(32),
    floor: head,
  }),
  "guard/v1/invitation": exactly({
    type: one("guard/v1/invitation"),
    version: one(1),
    relay: text(),
    app: digest,
    identity: text(),
    expiresAt: time,
    code: bytes(16),
  }),
};
