import { beforeAll, describe, expect, it } from "vitest";
import { canonicalJson } from "../action/canonical.ts";
import { base64url, randomBytes, utf8 } from "../crypto/encoding.ts";
import { passkey } from "../crypto/passkey.fixture.ts";
import type { Signer } from "../crypto/signature.ts";
import { type Signed, signObject } from "../crypto/signed.ts";
import { VerificationError } from "../errors.ts";
import {
  type Enrolment,
  enrolmentMac,
  fingerprint,
  formatInvitation,
  type Invitation,
  invitationToken,
  newInvitationCode,
  newToken,
  parseInvitation,
  readInvite,
  readTokenGrant,
  tokenHash,
  verifyEnrolment,
} from "./enrolment.ts";
import { appOf, deviceIdOf } from "./records.ts";
import { anyEncryptionKey, newSigner, start } from "./roster.fixture.ts";

let signer: Signer;
let invitation: Invitation;

beforeAll(async () => {
  signer = await newSigner();
  invitation = {
    version: 1,
    relay: "https://relay.example.com",
    app: appOf((await newSigner()).key),
    identity: "alice@example.com",
    expiresAt: start + 3_600_000,
    code: newInvitationCode(),
  };
});

type Body = Omit<Enrolment, "mac">;
const honest = (): Body => ({
  type: "guard/v1/enrolment",
  app: invitation.app,
  identity: invitation.identity,
  expiresAt: invitation.expiresAt,
  key: signer.key,
  encryptionKey: anyEncryptionKey,
  name: "Alice's laptop",
  origin: "terminal",
  tokenHash: tokenHash("device token"),
});
const enrol = (body: Body, { code = invitation.code, by = signer } = {}): Promise<Signed> =>
  signObject(by, { ...body, mac: enrolmentMac(code, body) });
/** What the relay makes of an honest enrolment: other members, the old MAC, any signature it likes. */
const tampered = (lies: Partial<Body>, by = signer): Promise<Signed> =>
  signObject(by, { ...honest(), ...lies, mac: enrolmentMac(invitation.code, honest()) });
const verify = async (signed: Signed | Promise<Signed>, now = start) =>
  verifyEnrolment(invitation, await signed, now);

describe("enrolment", () => {
  it("accepts the keys of whoever has the code", async () => {
    expect(await verify(enrol(honest()))).toMatchObject(honest());
    expect(await verify(enrol(honest()), invitation.expiresAt)).toMatchObject(honest());
    const device = await passkey();
    expect((await verify(enrol({ ...honest(), key: device.key }))).key).toEqual(device.key);
  });

  it("enrolment-mitm: whatever the relay swaps is noticed", async () => {
    const other = await newSigner();
    const swaps: [Partial<Body>, Signer?][] = [
      [{ key: other.key }, other],
      [{ key: (await passkey()).key }, other],
      [{ encryptionKey: base64url(randomBytes(1216)) }],
      [{ tokenHash: tokenHash("the relay's token") }],
      [{ identity: "bob@example.com" }],
      [{ app: appOf(other.key) }],
      [{ expiresAt: invitation.expiresAt + 1 }],
      [{ name: "Alice's phone" }],
      [{ origin: "https://evil.example" }],
    ];
    for (const [lies, by] of swaps) {
      await expect(verify(tampered(lies, by))).rejects.toThrow(/were changed on their way/);
    }
  });

  it("enrolment-mitm: without the code there is no MAC", async () => {
    for (const code of [newInvitationCode(), base64url(new Uint8Array(16))]) {
      await expect(verify(enrol(honest(), { code }))).rejects.toThrow(/were changed on their way/);
    }
    const zeros = signObject(signer, { ...honest(), mac: base64url(new Uint8Array(32)) });
    await expect(verify(zeros)).rejects.toThrow(/were changed on their way/);
  });

  it("whoever has the code can still enrol for nothing but its own invitation", async () => {
    const other = appOf((await newSigner()).key);
    for (const lies of [{ identity: "bob@example.com" }, { app: other }, { expiresAt: start + 9 }]) {
      const error = await verify(enrol({ ...honest(), ...lies })).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(VerificationError);
      expect((error as Error).message).toContain(`another ${Object.keys(lies)[0]}`);
    }
  });

  it("needs proof of possession", async () => {
    await expect(verify(enrol(honest(), { by: await newSigner() }))).rejects.toThrow(/holds its key/);
  });

  it("expires", async () => {
    await expect(verify(enrol(honest()), invitation.expiresAt + 1)).rejects.toThrow(/expired/);
  });

  it("downgrade: extra members and other types are refused", async () => {
    const body = { ...honest(), mac: enrolmentMac(invitation.code, honest()) };
    for (const wrong of [
      { ...body, alg: "none" },
      { ...body, type: "guard/v2/enrolment" },
      { ...body, mac: "" },
      { ...body, encryptionKey: "AAAA" },
    ]) {
      await expect(verify(signObject(signer, wrong))).rejects.toBeInstanceOf(VerificationError);
    }
    const invite = await signObject(signer, {
      type: "guard/v1/invite",
      ...{ app: invitation.app, tokenHash: tokenHash("t"), identity: "a", expiresAt: 1, time: 0, by: "root" },
    } as { type: string });
    expect(readInvite(invite)).toMatchObject({ identity: "a" });
    expect(() => readTokenGrant(invite)).toThrow(VerificationError);
  });
});

describe("an invitation", () => {
  const packed = (value: object) => `guard-invite-${base64url(utf8(canonicalJson(value)))}`;

  it("is one word that reads back, wherever it was pasted", () => {
    const word = formatInvitation(invitation);
    expect(word).toMatch(/^guard-invite-[\w-]+$/);
    for (const text of [word, ` ${word}\n`, `https://page.example/#${word}`, `Please use ${word} today.`]) {
      expect(parseInvitation(text)).toEqual(invitation);
    }
  });

  it("bad-ciphertext: malformed ones are refused with what to do", () => {
    const word = formatInvitation(invitation);
    const whole = { type: "guard/v1/invitation", ...invitation };
    for (const text of [
      "",
      "guard-invite-",
      "hello",
      "guard-invite-A",
      "guard-invite-____",
      word.slice(0, -3),
      `${word}AAAA`,
      word.toLowerCase(),
      packed({ ...whole, version: 2 }),
      packed({ ...whole, code: base64url(randomBytes(8)) }),
      packed({ ...whole, app: "app" }),
      packed({ ...whole, alg: "none" }),
      packed({ ...whole, type: "guard/v1/connection" }),
      `guard-invite-${base64url(utf8(JSON.stringify(whole, null, 1)))}`,
    ]) {
      expect(() => parseInvitation(text)).toThrow(VerificationError);
      expect(() => parseInvitation(text)).toThrow(/Paste all of what "guard invite" printed/);
    }
  });

  it("gives a token that tells nothing of the code, and a hash that tells nothing of the token", () => {
    const token = invitationToken(invitation.code);
    expect(token).toHaveLength(43);
    expect(token).toBe(invitationToken(invitation.code));
    expect(tokenHash(token)).not.toBe(token);
    expect(enrolmentMac(invitation.code, honest())).not.toBe(token);
    expect(newToken()).not.toBe(newToken());
  });
});

it("a fingerprint is three groups of four digits, another for each device", () => {
  const { app, identity, key, encryptionKey } = honest();
  const made = new Set<string>();
  for (let i = 0; i < 100; i++) {
    const text = fingerprint(deviceIdOf({ app, identity: `${identity}${i}`, key, encryptionKey }));
    expect(text).toMatch(/^\d{4} \d{4} \d{4}$/);
    made.add(text);
  }
  expect(made.size).toBe(100);
});
