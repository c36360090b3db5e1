/** Reads the vectors of sealed requests and replies. */
import {
  agentKeys,
  canonicalJson,
  decryptionKey,
  fromBase64url,
  openReply,
  openRequest,
  readHeader,
  reopenRequest,
  type Signed,
  type SigningKey,
  verifySigned,
} from "@guard/core";
import { expect, test } from "vitest";
import { type Case, load, taken } from "./shared.ts";

export function readRequests(file: string) {
  const { agentKey, agentSeed, devices, cases } = load<{
    agentKey: SigningKey;
    agentSeed: string;
    devices: Record<string, { encryptionSeed: string; encryptionKey: string }>;
    cases: (Case & {
      device: string;
      header: Signed;
      ciphertext: string;
      wrap: { enc: string; ciphertext: string };
      valid: boolean;
      paper?: string;
    })[];
  }>(file);
  test.each(cases)("$name", async ({ device, header: signed, ciphertext, wrap, valid, paper }) => {
    const secret = devices[device];
    const decryption = await decryptionKey(fromBase64url(secret?.encryptionSeed ?? "", 32));
    expect(decryption.publicKey).toBe(secret?.encryptionKey);
    let opened: object | null = null;
    const ok = await taken(async () => {
      const header = readHeader(signed);
      if (!(await verifySigned(agentKey, signed)) || header.agent !== "billing") return;
      opened = await openRequest({ decryption, device, header, ciphertext, wrap });
    });
    expect(ok && opened !== null).toBe(valid);
    if (!valid) return;
    expect(canonicalJson(opened)).toBe(paper);
    const keys = await agentKeys(fromBase64url(agentSeed, 32));
    expect(canonicalJson(await reopenRequest(keys, readHeader(signed), ciphertext))).toBe(paper);
  });
}

export function readReplies(file: string) {
  const { agentSeed, cases } = load<{
    agentSeed: string;
    cases: (Case & {
      statement: { app: string; request: string; device: string; response: string | null };
      reply: { enc: string; ciphertext: string };
      valid: boolean;
      text?: string;
    })[];
  }>(file);
  test.each(cases)("$name", async ({ statement, reply, valid, text }) => {
    const { decryption } = await agentKeys(fromBase64url(agentSeed, 32));
    let opened = "";
    const ok = await taken(async () => {
      opened = canonicalJson(await openReply({ decryption, statement, reply }));
    });
    expect(ok).toBe(valid);
    if (valid) expect(opened).toBe(text);
  });
}
