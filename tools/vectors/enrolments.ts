/** Vectors of enrolment: what a device posts for an invitation, as the inviter has to judge it. */
import {
  base64url,
  canonicalJson,
  type Enrolment,
  enrolmentMac,
  fingerprint,
  type Invitation,
  type Signed,
  tokenHash,
  utf8,
  verifyEnrolment,
} from "../../packages/core/src/index.ts";
import { seed, word } from "./random.ts";
import { p256, passkey, software } from "./signers.ts";
import { now, relayUrl, type VectorFile, type World } from "./world.ts";

export async function enrolments(w: World): Promise<VectorFile> {
  const { alice, bob, carol } = w.people;
  const code = base64url(seed("code").subarray(0, 16));
  const { identity } = alice;
  const invitation: Invitation = { version: 1, relay: relayUrl, app: w.app, identity, expiresAt: now, code };
  const { key, encryptionKey, name, origin } = alice.change;
  const honest: Omit<Enrolment, "mac"> = {
    type: "guard/v1/enrolment",
    ...{ app: w.app, identity, expiresAt: now, key, encryptionKey, name, origin },
    tokenHash: tokenHash(word("device token alice")),
  };
  const cases: object[] = [];
  interface Lies {
    readonly facts?: object;
    readonly code?: string;
    readonly after?: object;
    readonly signature?: Signed["signature"];
    readonly at?: number;
  }
  async function add(title: string, why: string | null, lies: Lies = {}, signer = alice.signer) {
    const facts = { ...honest, ...lies.facts } as typeof honest;
    const mac = enrolmentMac(lies.code ?? code, facts);
    const body = canonicalJson({ ...facts, mac, ...lies.after });
    const signature = lies.signature ?? (await signer.sign(utf8(body)));
    const enrolment = { body, signature };
    const at = lies.at ?? now - 1000;
    const taken = await verifyEnrolment(invitation, enrolment, at).then(
      () => true,
      () => false,
    );
    if (taken !== (why === null)) throw new Error(`enrolments: ${title}`);
    cases.push({ name: title, now: at, enrolment, valid: taken, ...(why === null ? {} : { why }) });
  }
  await add("ed25519", null);
  await add("p256", null, { facts: { key: p256("bob").key } }, p256("bob"));
  const page = await passkey("carol", "ES256");
  await add("a passkey: the code's MAC stands for its possession", null, {
    facts: { key: page.key, origin: carol.change.origin },
    signature: "",
  });
  await add("at the last moment", null, { at: now });
  await add("too late", "expiry", { at: now + 1 });
  const stranger = await software("stranger");
  await add(
    "enrolment-mitm: the relay puts its own key in",
    "mac",
    { after: { key: stranger.key } },
    stranger,
  );
  await add(
    "enrolment-mitm: and makes a MAC without the code",
    "mac",
    {
      facts: { key: stranger.key },
      code: base64url(seed("another code").subarray(0, 16)),
    },
    stranger,
  );
  await add("enrolment-mitm: another encryption key", "mac", {
    after: { encryptionKey: bob.change.encryptionKey },
  });
  await add("enrolment-mitm: another token", "mac", { after: { tokenHash: tokenHash("x") } });
  await add("a key that its sender does not hold", "signature", {}, stranger);
  await add("no signature", "signature", { signature: "" });
  await add("for another identity", "identity", { facts: { identity: bob.identity } });
  await add("cross-tenant: for another app", "app", { facts: { app: word("app") } });
  await add("for another invitation", "expiresAt", { facts: { expiresAt: now + 1 } });
  await add("an unknown member", "shape", { facts: { admin: true } });
  await add("downgrade: another version", "type", { facts: { type: "guard/v2/enrolment" } });
  return {
    description:
      "Enrolments (protocol.md, section 4.4): what devices post for `invitation`, judged by the inviter at `now`. `fingerprint` is that of the device of the first case.",
    invitation,
    fingerprint: fingerprint(alice.device),
    cases,
  };
}
