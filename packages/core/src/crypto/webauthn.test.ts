import { describe, expect, it } from "vitest";
import { base64url, concat, fromBase64url, utf8 } from "./encoding.ts";
import { type Lies, origin, passkey } from "./passkey.fixture.ts";
import { fromHex, platformHex } from "./platform.fixture.ts";
import { verifySignature } from "./signature.ts";

const data = utf8("a statement");
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** r and s of a DER signature. */
function integers(der: Uint8Array): [Uint8Array, Uint8Array] {
  const length = der[3] as number;
  return [der.subarray(4, 4 + length), der.subarray(6 + length)];
}
const integer = (bytes: Uint8Array) => concat(Uint8Array.of(0x02, bytes.length), bytes);
const sequence = (...parts: Uint8Array[]) => {
  const body = concat(...parts);
  return concat(Uint8Array.of(0x30, body.length), body);
};
const lying = (lie: (r: Uint8Array, s: Uint8Array) => Uint8Array): Lies => ({
  signature: (der) => lie(...integers(der)),
});

describe.each(["ES256", "EdDSA"] as const)("csrf-clickjack: a passkey's assertion (%s)", async (alg) => {
  const device = await passkey(alg);

  it("is accepted over exactly these bytes", async () => {
    const assertion = await device.assert(data);
    expect(await verifySignature(device.key, data, assertion)).toBe(true);
    expect(await verifySignature(device.key, utf8("another statement"), assertion)).toBe(false);
    expect(await verifySignature((await passkey(alg)).key, data, assertion)).toBe(false);
  });

  it("is accepted with extension data, and without a crossOrigin member", async () => {
    const extended: Lies = { flags: 0x85, authenticator: (bytes) => concat(bytes, Uint8Array.of(0xa0)) };
    expect(await verifySignature(device.key, data, await device.assert(data, extended))).toBe(true);
    const older: Lies = { client: { crossOrigin: undefined } };
    expect(await verifySignature(device.key, data, await device.assert(data, older))).toBe(true);
  });

  it.each<[string, Lies]>([
    ["another type", { client: { type: "webauthn.create" } }],
    ["no type", { client: { type: undefined } }],
    ["another challenge", { client: { challenge: base64url(new Uint8Array(32)) } }],
    ["the bytes themselves as challenge", { client: { challenge: base64url(data) } }],
    ["a padded challenge", { client: { challenge: `${base64url(data)}=` } }],
    ["another origin", { client: { origin: "https://evil.example" } }],
    ["an origin that begins alike", { client: { origin: `${origin}.evil.example` } }],
    ["the origin with a slash", { client: { origin: `${origin}/` } }],
    ["the origin over http", { client: { origin: origin.replace("https", "http") } }],
    ["several origins", { client: { origin: [origin] } }],
    ["a frame of another origin", { client: { crossOrigin: true } }],
    ["another top origin", { client: { topOrigin: "https://evil.example" } }],
    ["another relying party", { rpId: "evil.example" }],
    ["a parent domain as relying party", { rpId: "example.com" }],
    ["no user present", { flags: 0x04 }],
    ["no user verified", { flags: 0x01 }],
    ["neither", { flags: 0x00 }],
    ["every other flag", { flags: 0xfa }],
    ["authenticator data cut short", { authenticator: (bytes) => bytes.subarray(0, 36) }],
    ["no authenticator data", { authenticator: () => new Uint8Array(0) }],
    ["no signature", { signature: () => new Uint8Array(0) }],
    ["a trailing byte", { signature: (bytes) => concat(bytes, Uint8Array.of(0)) }],
    ["a cut signature", { signature: (bytes) => bytes.subarray(0, -1) }],
    ["a repeated signature", { signature: (bytes) => concat(bytes, bytes) }],
  ])("is refused with %s", async (_name, lies) => {
    expect(await verifySignature(device.key, data, await device.assert(data, lies))).toBe(false);
  });

  it("is refused with a member that assertions do not have: one reading of one signature", async () => {
    const assertion = { ...(await device.assert(data)), userHandle: "" };
    expect(await verifySignature(device.key, data, assertion)).toBe(false);
  });

  it("is refused where its client data are not what was signed", async () => {
    const assertion = await device.assert(data);
    for (const text of ["", "null", "[]", "{", '"webauthn.get"']) {
      const swapped = { ...assertion, clientDataJSON: base64url(utf8(text)) };
      expect(await verifySignature(device.key, data, swapped)).toBe(false);
    }
    const client = new TextDecoder().decode(fromBase64url(assertion.clientDataJSON));
    const spaced = { ...assertion, clientDataJSON: base64url(utf8(` ${client}`)) };
    expect(await verifySignature(device.key, data, spaced)).toBe(false);
  });
});

describe("canonical-confusion: one DER for one signature", async () => {
  const device = await passkey("ES256");

  it.each<[string, Lies]>([
    ["r‖s without DER", lying((r, s) => concat(r.subarray(-32), s.subarray(-32)))],
    ["a long-form length", { signature: (der) => concat(Uint8Array.of(0x30, 0x81), der.subarray(1)) }],
    [
      "an indefinite length",
      { signature: (der) => concat(Uint8Array.of(0x30, 0x80), der.subarray(2), new Uint8Array(2)) },
    ],
    ["a set instead of a sequence", { signature: (der) => concat(Uint8Array.of(0x31), der.subarray(1)) }],
    ["leading zeros", lying((r, s) => sequence(integer(concat(Uint8Array.of(0, 0), r)), integer(s)))],
    ["a third integer", lying((r, s) => sequence(integer(r), integer(s), integer(Uint8Array.of(1))))],
    ["one integer", lying((r) => sequence(integer(r)))],
    ["trailing bytes within", lying((r, s) => sequence(integer(r), integer(s), Uint8Array.of(0)))],
    ["a negative integer", lying((_r, s) => sequence(integer(new Uint8Array(32).fill(0x80)), integer(s)))],
    ["an empty integer", lying((_r, s) => sequence(integer(new Uint8Array(0)), integer(s)))],
    ["zeros", lying(() => sequence(integer(Uint8Array.of(0)), integer(Uint8Array.of(0))))],
    ["s past the order", lying((r, s) => sequence(integer(r), integer(plusOrder(s))))],
  ])("%s is refused", async (_name, lies) => {
    expect(await verifySignature(device.key, data, await device.assert(data, lies))).toBe(false);
  });

  it("short integers are read with their zeros back", async () => {
    // One signature in 128 or so has an r or s of 31 bytes or fewer: all of these verify.
    for (let i = 0; i < 200; i++) {
      const text = utf8(`statement ${i}`);
      expect(await verifySignature(device.key, text, await device.assert(text))).toBe(true);
    }
  });
});

function plusOrder(bytes: Uint8Array): Uint8Array {
  const sum = BigInt(`0x${platformHex(bytes)}`) + order;
  const text = sum.toString(16);
  const even = fromHex(text.length % 2 ? `0${text}` : text);
  return (even[0] as number) >= 0x80 ? concat(Uint8Array.of(0), even) : even;
}
