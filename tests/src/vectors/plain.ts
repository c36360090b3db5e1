/** Reads the vectors of what needs no roster. */
import {
  actionDigest,
  agentKeys,
  appOf,
  base64url,
  canonicalJson,
  decryptionKey,
  deviceIdOf,
  digestOf,
  type Enrolment,
  enrolmentMac,
  fingerprint,
  fromBase64url,
  type Invitation,
  invitationToken,
  parseCanonical,
  parseConnection,
  parseInvitation,
  possessionText,
  type SigningKey,
  schemaDigest,
  tokenHash,
} from "@guard/core";
import { expect, test } from "vitest";
import { type Case, load, taken } from "./shared.ts";

export function readCanonical(file: string) {
  const { good, refused } = load<{
    good: (Case & { text: string; sha256: string })[];
    refused: (Case & { text: string })[];
  }>(file);
  test.each(good)("$name", ({ text, sha256 }) => {
    expect(canonicalJson(parseCanonical(text))).toBe(text);
    expect(digestOf(text)).toBe(sha256);
  });
  test.each(refused)("refused: $name", async ({ text }) => {
    expect(await taken(() => parseCanonical(text))).toBe(false);
  });
}

export function readActions(file: string) {
  const { app, agent, salt, good, schema, result } = load<{
    app: string;
    agent: string;
    salt: string;
    good: (Case & { action: Parameters<typeof actionDigest>[2]; text: string; digest: string })[];
    schema: { tool: Parameters<typeof schemaDigest>[0]; text: string; digest: string };
    result: { value: object; text: string; digest: string };
  }>(file);
  test.each(good)("$name", ({ action, text, digest }) => {
    expect(canonicalJson({ type: "guard/v1/action", app, agent, ...action, salt })).toBe(text);
    expect(actionDigest(app, agent, action, salt)).toBe(digest);
    expect(digestOf(text)).toBe(digest);
  });
  test("delimiter-ambiguity: no two actions have one digest", () => {
    expect(new Set(good.map(({ digest }) => digest)).size).toBe(good.length);
  });
  test("a tool's schema, and a result", () => {
    expect(schemaDigest(schema.tool)).toBe(schema.digest);
    expect(digestOf(schema.text)).toBe(schema.digest);
    expect(canonicalJson({ type: "guard/v1/result", salt, result: result.value })).toBe(result.text);
    expect(digestOf(result.text)).toBe(result.digest);
  });
}

export function readKeys(file: string) {
  type Mac = { value: string };
  const all = load<{
    app: { key: SigningKey; text: string; id: string };
    agent: {
      seed: string;
      app: string;
      key: string;
      derived: Record<string, string>;
      signingKey: SigningKey;
      encryptionKey: string;
      salt: Mac;
      keyId: Mac;
      requests: (Mac & { round: number })[];
      contentKey: Mac & { nonce: string };
    };
    device: { text: string; id: string; fingerprint: string };
    possession: { seq: number; key: SigningKey; text: string };
    token: { token: string; hash: string };
    invitation: {
      code: string;
      token: string;
      tokenHash: string;
      enrolment: Omit<Enrolment, "mac">;
      mac: string;
    };
  }>(file);
  test("an agent's keys", async () => {
    const { agent } = all;
    const keys = await agentKeys(fromBase64url(agent.seed, 32));
    expect(keys.signer.key).toEqual(agent.signingKey);
    expect(keys.decryption.publicKey).toBe(agent.encryptionKey);
    const seed = agent.derived["guard/v1/agent/reply"] as string;
    expect((await decryptionKey(fromBase64url(seed, 32))).publicKey).toBe(agent.encryptionKey);
    expect(keys.salt(agent.app, agent.key)).toBe(agent.salt.value);
    expect(keys.keyId(agent.app, agent.key)).toBe(agent.keyId.value);
    for (const { round, value } of agent.requests)
      expect(keys.requestId(agent.keyId.value, round)).toBe(value);
    expect(base64url(keys.contentKey(agent.contentKey.nonce))).toBe(agent.contentKey.value);
  });
  test("ids, fingerprint, possession, tokens", () => {
    const { app, device, possession, token } = all;
    expect(appOf(app.key)).toBe(app.id);
    expect(digestOf(app.text)).toBe(app.id);
    expect(deviceIdOf(JSON.parse(device.text) as Parameters<typeof deviceIdOf>[0])).toBe(device.id);
    expect(digestOf(device.text)).toBe(device.id);
    expect(fingerprint(device.id)).toBe(device.fingerprint);
    expect(possessionText(app.id, possession.seq, possession.key)).toBe(possession.text);
    expect(tokenHash(token.token)).toBe(token.hash);
  });
  test("an invitation's code", () => {
    const { code, token, tokenHash: hash, enrolment, mac } = all.invitation;
    expect(invitationToken(code)).toBe(token);
    expect(tokenHash(token)).toBe(hash);
    expect(enrolmentMac(code, enrolment)).toBe(mac);
  });
}

export function readConnections(file: string) {
  const { good, refused, invitations } = load<{
    good: (Case & { text: string; connection: object })[];
    refused: (Case & { text: string })[];
    invitations: {
      good: (Case & { text: string; invitation: Invitation })[];
      refused: (Case & { text: string })[];
    };
  }>(file);
  test.each(good)("$name", ({ text, connection }) => expect(parseConnection(text)).toEqual(connection));
  test.each(refused)("refused: $name", async ({ text }) => {
    expect(await taken(() => parseConnection(text))).toBe(false);
  });
  test.each(invitations.good)("invitation: $name", ({ text, invitation }) => {
    expect(parseInvitation(text)).toEqual(invitation);
  });
  test.each(invitations.refused)("invitation refused: $name", async ({ text }) => {
    expect(await taken(() => parseInvitation(text))).toBe(false);
  });
}
