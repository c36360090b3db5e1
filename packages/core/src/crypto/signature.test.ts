import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { base64url, fromBase64url, randomBytes, utf8 } from "./encoding.ts";
import { passkey } from "./passkey.fixture.ts";
import { fromHex, nodeCrypto } from "./platform.fixture.ts";
import {
  cryptoKeySigner,
  ed25519Signer,
  type Signature,
  type Signer,
  type SigningKey,
  signatureSchema,
  signingKeySchema,
  verifySignature,
} from "./signature.ts";

const data = utf8("what is signed");

async function p256Signer(): Promise<Signer> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const pair = await crypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
  const raw = await crypto.subtle.exportKey("raw", pair.publicKey);
  return cryptoKeySigner({ kind: "p256", publicKey: base64url(new Uint8Array(raw)) }, pair.privateKey);
}

describe("ed25519", () => {
  // RFC 8032 §7.1, tests 1 to 3: secret key, public key, message, signature.
  it.each([
    [
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
      "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
      "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
      "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
      "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
  ])("signs as RFC 8032 does: %s", async (seed, publicKey, message, signature) => {
    const signer = await ed25519Signer(fromHex(seed));
    expect(signer.key).toEqual({ kind: "ed25519", publicKey: base64url(fromHex(publicKey)) });
    const signed = await signer.sign(fromHex(message));
    expect(signed).toBe(base64url(fromHex(signature)));
    expect(await verifySignature(signer.key, fromHex(message), signed)).toBe(true);
  });
});

describe("p256", () => {
  it("signs r‖s, which node:crypto verifies too where there is one", async () => {
    const signer = await p256Signer();
    const signature = (await signer.sign(data)) as string;
    expect(fromBase64url(signature)).toHaveLength(64);
    expect(await verifySignature(signer.key, data, signature)).toBe(true);
    expect(await verifySignature(signer.key, utf8("something else"), signature)).toBe(false);
    const point = fromBase64url(signer.key.publicKey);
    const [x, y] = [base64url(point.subarray(1, 33)), base64url(point.subarray(33))];
    if (!nodeCrypto) return;
    const publicKey = nodeCrypto.createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
    const key = { key: publicKey, dsaEncoding: "ieee-p1363" as const };
    expect(nodeCrypto.verify("sha256", data, key, fromBase64url(signature))).toBe(true);
  });

  it("refuses DER, as which another library may write it", async () => {
    // RFC 6979 §A.2.5: P-256, SHA-256, message "sample".
    const [x, y, r, s] = [
      "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
      "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
      "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
      "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ] as const;
    const entry: SigningKey = { kind: "p256", publicKey: base64url(fromHex(`04${x}${y}`)) };
    const sample = utf8("sample");
    expect(await verifySignature(entry, sample, base64url(fromHex(r + s)))).toBe(true);
    const der = fromHex(`3046022100${r}022100${s}`);
    expect(await verifySignature(entry, sample, base64url(der))).toBe(false);
  });
});

describe("malformed signatures are false, never an exception", () => {
  const garbage = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.uint8Array({ maxLength: 100 }).map(base64url),
    fc.uint8Array({ minLength: 64, maxLength: 64 }).map(base64url),
    fc.constant(base64url(new Uint8Array(64))),
    fc.record({ authenticatorData: fc.string(), clientDataJSON: fc.string(), signature: fc.string() }),
    fc.record({
      authenticatorData: fc.uint8Array({ minLength: 37, maxLength: 60 }).map(base64url),
      clientDataJSON: fc.json().map((text) => base64url(utf8(text))),
      signature: fc.uint8Array({ maxLength: 75 }).map(base64url),
    }),
    fc.constantFrom<unknown>(null, undefined, 0, {}, []).map((wrong) => wrong as Signature),
  );

  it("over every kind of key, and over keys that are none", async () => {
    const keys: SigningKey[] = [
      (await ed25519Signer(randomBytes(32))).key,
      (await p256Signer()).key,
      (await passkey("ES256")).key,
      (await passkey("EdDSA")).key,
      { kind: "ed25519", publicKey: "AAAA" },
      { kind: "p256", publicKey: base64url(new Uint8Array(65)) },
      { kind: "p256", publicKey: "not base64url" },
      { ...(await passkey()).key, publicKey: "" },
    ];
    await fc.assert(
      fc.asyncProperty(garbage, fc.constantFrom(...keys), async (signature, key) => {
        expect(await verifySignature(key, data, signature)).toBe(false);
      }),
      { numRuns: 400 },
    );
  });

  it("a flipped bit anywhere in a good one is false", async () => {
    for (const signer of [await ed25519Signer(randomBytes(32)), await p256Signer()]) {
      const good = fromBase64url((await signer.sign(data)) as string);
      for (let bit = 0; bit < 512; bit += 7) {
        const bad = Uint8Array.from(good);
        bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(await verifySignature(signer.key, data, base64url(bad))).toBe(false);
      }
    }
  });
});

it("one-person-quorum: a P-256 key has one spelling, uncompressed, and no hybrid one", async () => {
  const { key } = await p256Signer();
  expect(z.safeParse(signingKeySchema, key).success).toBe(true);
  const device = (await passkey("ES256")).key;
  for (const first of [2, 3, 5, 6, 7]) {
    const point = fromBase64url(key.publicKey);
    point[0] = first;
    const publicKey = base64url(point);
    expect(z.safeParse(signingKeySchema, { ...key, publicKey }).success).toBe(false);
    expect(z.safeParse(signingKeySchema, { ...device, publicKey }).success).toBe(false);
  }
});

describe("downgrade: the algorithm is the roster entry's, never the message's", () => {
  it("a signature of one kind is nothing under a key of another", async () => {
    const ed25519 = await ed25519Signer(randomBytes(32));
    const signature = await ed25519.sign(data);
    const point = (await p256Signer()).key.publicKey;
    const device = await passkey("EdDSA");
    const entries: SigningKey[] = [
      { kind: "p256", publicKey: point },
      { kind: "p256", publicKey: ed25519.key.publicKey },
      { ...device.key, publicKey: ed25519.key.publicKey },
      { ...device.key, alg: "ES256", publicKey: ed25519.key.publicKey },
    ];
    for (const entry of entries) expect(await verifySignature(entry, data, signature)).toBe(false);
    const assertion = await device.assert(data);
    expect(await verifySignature(device.key, data, assertion)).toBe(true);
    for (const entry of [
      { kind: "ed25519", publicKey: device.key.publicKey },
      { ...device.key, alg: "ES256" },
      ed25519.key,
    ] as SigningKey[]) {
      expect(await verifySignature(entry, data, assertion)).toBe(false);
      expect(await verifySignature(entry, data, assertion.signature)).toBe(false);
    }
  });

  it("a key or signature with more in it than there should be is refused", async () => {
    const { key } = await passkey();
    expect(z.safeParse(signingKeySchema, key).success).toBe(true);
    for (const wrong of [
      { ...key, alg: "none" },
      { ...key, alg: "EdDSA" },
      { ...key, origins: [] },
      { ...key, kid: "other" },
      { ...key, publicKey: base64url(new Uint8Array(33)) },
      { kind: "rsa", publicKey: key.publicKey },
      { kind: "ed25519", publicKey: key.publicKey },
      { kind: "p256", publicKey: key.publicKey, alg: "none" },
    ]) {
      expect(z.safeParse(signingKeySchema, wrong).success).toBe(false);
    }
    const assertion = await (await passkey()).assert(data);
    expect(z.safeParse(signatureSchema, { ...assertion, userHandle: "" }).success).toBe(false);
  });
});
