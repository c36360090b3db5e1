import { beforeAll, describe, expect, it } from "vitest";
import { base64url, randomBytes } from "../crypto/encoding.ts";
import { digestOf } from "../crypto/hash.ts";
import type { Signer } from "../crypto/signature.ts";
import { signObject } from "../crypto/signed.ts";
import { VerificationError } from "../errors.ts";
import { newSigner, start } from "../roster/roster.fixture.ts";
import { readCancel, readConsume, readReceipt, readReport } from "./acts.ts";

let signer: Signer;
beforeAll(async () => {
  signer = await newSigner();
});

const [app, request, requestDigest, effective] = ["app", "request", "paper", "action"].map(digestOf);
const attempt = base64url(randomBytes(16));
const roster = { seq: 1, hash: digestOf("head") };
const bound = { app, request, requestDigest, effective, attempt, roster };

const acts = [
  ["consume", { type: "guard/v1/consume", ...bound, executionTimeout: 60_000 }, readConsume],
  ["receipt", { type: "guard/v1/receipt", ...bound, relay: "main", time: start }, readReceipt],
  ["report", { type: "guard/v1/report", app, request, attempt, status: "failed", time: start }, readReport],
  ["cancel", { type: "guard/v1/cancel", app, request, time: start }, readCancel],
] as const;

describe.each(acts)("a %s", (_name, act, read) => {
  it("reads back, and reads as nothing else", async () => {
    const signed = await signObject(signer, act);
    expect(read(signed)).toEqual(act);
    for (const [, other, readOther] of acts) {
      if (other !== act) expect(() => readOther(signed)).toThrow(VerificationError);
    }
  });

  it("downgrade: is refused with more, with less, or of another version", async () => {
    const { request: _, ...less } = act;
    const wrongs = [{ ...act, force: true }, less, { ...act, type: act.type.replace("v1", "v2") }];
    for (const wrong of wrongs) {
      const signed = await signObject(signer, wrong);
      expect(() => read(signed)).toThrow(VerificationError);
    }
  });
});

it("a consume's members are bounded", async () => {
  for (const lie of [
    { attempt: base64url(randomBytes(15)) },
    { effective: "" },
    { executionTimeout: 999 },
    { executionTimeout: 8 * 86_400_000 },
    { executionTimeout: 1000.5 },
    { roster: { ...roster, seq: -1 } },
  ]) {
    const signed = await signObject(signer, { ...acts[0][1], ...lie });
    expect(() => readConsume(signed)).toThrow(VerificationError);
  }
});
