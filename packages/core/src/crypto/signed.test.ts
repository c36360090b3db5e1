import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { canonicalJson } from "../action/canonical.ts";
import { VerificationError } from "../errors.ts";
import { bytesSchema } from "./bytes-schema.ts";
import { base64url, randomBytes, utf8 } from "./encoding.ts";
import { digestOf } from "./hash.ts";
import { ed25519Signer } from "./signature.ts";
import {
  digestSchema,
  headSchema,
  idOf,
  readBody,
  readSigned,
  signedSchema,
  signObject,
  timeSchema,
  verifySigned,
} from "./signed.ts";

interface Note {
  readonly type: "guard/v1/note";
  readonly amount: number;
}
const schema: z.ZodMiniType<Note> = z.strictObject({ type: z.literal("guard/v1/note"), amount: z.number() });
const read = (body: string) => readBody(schema, "guard/v1/note", body);

describe("signed objects", () => {
  it("are verified by the key, over the bytes that came", async () => {
    const signer = await ed25519Signer(randomBytes(32));
    const signed = await signObject(signer, { type: "guard/v1/note", amount: 1 });
    expect(signed.body).toBe('{"amount":1,"type":"guard/v1/note"}');
    expect(readSigned(schema, "guard/v1/note", signed)).toEqual({ type: "guard/v1/note", amount: 1 });
    expect(await verifySigned(signer.key, signed)).toBe(true);
    expect(await verifySigned(signer.key, { ...signed, body: signed.body.replace("1", "9") })).toBe(false);
    expect(await verifySigned((await ed25519Signer(randomBytes(32))).key, signed)).toBe(false);
  });

  it("have an id that does not depend on the signature", async () => {
    const signed = await signObject(await ed25519Signer(randomBytes(32)), { type: "guard/v1/note" });
    expect(idOf(signed)).toBe(digestOf(signed.body));
    expect(idOf({ ...signed, signature: "" })).toBe(idOf(signed));
  });

  it.each([
    ["downgrade: another version", { type: "guard/v0/note", amount: 1 }],
    ["downgrade: a version to come", { type: "guard/v2/note", amount: 1 }],
    ["downgrade: another type", { type: "guard/v1/statement", amount: 1 }],
    ["downgrade: a type that is no text", { type: ["guard/v1/note"], amount: 1 }],
    ["downgrade: no type", { amount: 1 }],
    ["downgrade: an extra member", { type: "guard/v1/note", amount: 1, alg: "none" }],
    ["a missing member", { type: "guard/v1/note" }],
    ["a member of another type", { type: "guard/v1/note", amount: "1" }],
    ["an array", ["guard/v1/note"]],
    ["null", null],
    ["a text", "guard/v1/note"],
  ])("%s is refused", (_name, value) => {
    expect(() => read(canonicalJson(value))).toThrow(VerificationError);
  });

  it.each([
    ["prototype-ids: an extra __proto__", '{"__proto__":{"amount":1},"amount":1,"type":"guard/v1/note"}'],
    ["prototype-ids: __proto__ in place of a member", '{"__proto__":{"amount":1},"type":"guard/v1/note"}'],
    ["canonical-confusion: another order", '{"type":"guard/v1/note","amount":1}'],
    ["canonical-confusion: white space", '{"amount":1,"type":"guard/v1/note"} '],
    ["canonical-confusion: a duplicate", '{"amount":1,"amount":2,"type":"guard/v1/note"}'],
    ["no JSON", "{"],
    ["nothing", ""],
  ])("%s is refused", (_name, body) => {
    expect(() => read(body)).toThrow(VerificationError);
  });

  it("secret-leak: a long type is cut in the message, members are not quoted", () => {
    const error = (() => {
      try {
        read(canonicalJson({ type: "x".repeat(500), amount: 1 }));
      } catch (error) {
        return error as Error;
      }
    })();
    expect(error?.message.length).toBeLessThan(120);
    expect(() => read('{"amount":"hunter2","type":"guard/v1/note"}')).not.toThrow(/hunter2/);
  });

  it("signatures have one of two shapes", () => {
    const good = { body: "{}", signature: "AAAA" };
    expect(z.safeParse(signedSchema, good).success).toBe(true);
    for (const wrong of [
      { body: "{}" },
      { ...good, alg: "none" },
      { ...good, signature: null },
      { ...good, signature: "A".repeat(101) },
    ]) {
      expect(z.safeParse(signedSchema, wrong).success).toBe(false);
    }
  });
});

it("canonical-confusion: digests, keys, times and heads have one spelling", () => {
  const ok = (schema: z.ZodMiniType, value: unknown) => z.safeParse(schema, value).success;
  const digest = digestOf("");
  expect(ok(digestSchema, digest)).toBe(true);
  for (const wrong of [`${digest}=`, `${digest}\n`, digest.slice(1), `${digest.slice(0, 42)}V`, ""]) {
    expect(ok(digestSchema, wrong)).toBe(false);
    expect(ok(bytesSchema(32), wrong)).toBe(false);
  }
  for (let i = 0; i < 200; i++) expect(ok(digestSchema, base64url(randomBytes(32)))).toBe(true);
  for (const wrong of [-1, 1.5, "1", Number.NaN, 2 ** 60, null]) expect(ok(timeSchema, wrong)).toBe(false);
  expect(ok(headSchema, { seq: 0, hash: digest })).toBe(true);
  expect(ok(headSchema, { seq: -1, hash: digest })).toBe(false);
  expect(utf8(digest)).toHaveLength(43);
});
