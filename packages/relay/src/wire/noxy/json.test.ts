import { fromJson } from "@bufbuild/protobuf";
import { device as wire } from "@guard/wires/noxy";
import { expect, test } from "vitest";
import { readFrame, writeFrame } from "./json.ts";

const base64 = (length: number) => Buffer.alloc(length, 7).toString("base64");
const devicePubkeys = { publicKey: base64(32), pqPublicKey: base64(1184) };
const head = { requestId: "r", appId: "a", timestamp: 1_700_000_000_000, nonce: base64(12) };

function read(payload: object, over: object = {}) {
  const frame = readFrame(JSON.stringify({ ...head, ...over, payload }));
  if (frame === null || !("request" in frame)) throw new Error(JSON.stringify(frame));
  return frame.request;
}

test("a payload is told by its keys, whatever else it has", () => {
  const cases: [object, string][] = [
    [{ devicePubkeys }, "authenticate"],
    [{ devicePubkeys, walletAddress: "0x", signature: "0x", type: "browser" }, "registerDevice"],
    [{ subscribe: true }, "subscribeDecisions"],
    [{ messageId: "m", receivedAt: 1 }, "decisionAck"],
    [{ decisionId: "d", outcome: "REJECT", receivedAt: 1 }, "decisionOutcome"],
    [{ newPubkeys: devicePubkeys, walletAddress: "0x", signature: "" }, "rotateDeviceKeys"],
    [{ walletAddress: "0x", signature: "" }, "revokeDevice"],
  ];
  for (const [payload, expected] of cases) {
    expect(read({ ...payload, more: { deep: [1] } }).payload.case).toBe(expected);
  }
});

test("fields are what they say: bytes, times, enumerations, ids that may be missing", () => {
  const { timestamp, nonce, deviceId, sessionId, payload } = read({ decisionId: "d", outcome: "REJECT" });
  expect([timestamp, nonce, deviceId, sessionId]).toEqual([
    1_700_000_000_000n,
    new Uint8Array(12).fill(7),
    undefined,
    undefined,
  ]);
  expect(payload.value).toMatchObject({ decisionId: "d", outcome: wire.DecisionOutcomeValue.REJECT });
  const named = read({ subscribe: false }, { deviceId: "d", sessionId: "s" });
  expect([named.deviceId, named.sessionId]).toEqual(["d", "s"]);
  expect(named.payload.value).toMatchObject({ subscribe: false });
  const registered = read({ devicePubkeys, walletAddress: "0x", signature: base64(32), type: "browser" });
  expect(registered.payload.value).toMatchObject({ signature: new Uint8Array(32).fill(7), type: "browser" });
});

test("bad-ciphertext: what is changed anywhere is read, or refused in words, and never throws", () => {
  const texts = [
    { ...head, payload: { devicePubkeys } },
    { ...head, payload: { devicePubkeys, walletAddress: "0x", signature: base64(32), type: "browser" } },
    { ...head, payload: { decisionId: "d", outcome: "APPROVE", receivedAt: 1 } },
  ].map((frame) => JSON.stringify(frame).replaceAll(base64(1184), base64(30)));
  const changes = [
    "",
    '"',
    "{",
    "}",
    "[",
    "\\",
    "null",
    "0",
    "-",
    "\u0000",
    "\ud800",
    '"__proto__":',
    "1e999",
  ];
  for (const text of texts) {
    for (let at = 0; at <= text.length; at++) {
      for (const change of changes) {
        for (const changed of [text.slice(0, at) + change + text.slice(at + 1), text.slice(0, at) + change]) {
          const frame = readFrame(changed);
          if (frame && "wrong" in frame) expect(frame.wrong).toMatch(/^(The|This) .*\.$/s);
        }
      }
    }
  }
});

test("a response is Protobuf's JSON with times as numbers, and text in it stays text", () => {
  const response = fromJson(wire.DeviceResponseSchema, {
    requestId: "timestamp",
    timestamp: "1700000000000",
    registerDevice: { deviceId: "5", registeredAt: "1700000000001", sessionId: "6" },
  });
  expect(JSON.parse(writeFrame(response))).toEqual({
    requestId: "timestamp",
    status: "OK",
    timestamp: 1_700_000_000_000,
    registerDevice: { deviceId: "5", registeredAt: 1_700_000_000_001, sessionId: "6" },
  });
});
