import { expect, test } from "vitest";
import { canonicalJson } from "../action/canonical.ts";
import { hexDigestOf } from "../crypto/hash.ts";
import { type Envelope, eventTypes, lineOf, readLine } from "./envelope.ts";

const event: Envelope = {
  tenant_id: "acme",
  user_id: "u1",
  session_id: "sess-001",
  seq: 0,
  ts_unix_ms: 1700000000000,
  event_type: "TOOL_CALL_PROPOSED",
  payload: { tool_name: "read_file", call_id: "c1", args: { path: "/w/<a>&b" } },
};

test("golden values of Aegis", () => {
  const golden = {
    event_type: "TOOL_CALL_PROPOSED",
    seq: 1,
    session_id: "session-abc",
    tenant_id: "tenant-xyz",
    ts_unix_ms: 1700000000000,
  };
  expect(hexDigestOf(canonicalJson(golden))).toBe(
    "cfa697f0eb082a2889ab92b2c457060c08eab0ced2677ac2a09d4488322b6ee3",
  );
  expect(hexDigestOf(lineOf(event))).toBe("902f5e1360b10f77a430db8ed2c0f3c2ad99ebee827196a645e1936edd15b4d2");
  expect(eventTypes).toHaveLength(17);
});

test("a line is read back as it was written, with the keys that objects reorder too", () => {
  const odd = { ...event, payload: { "10": 1, "9": 2, "\u2028": "\u{1f600}", n: 1e21 } };
  expect(readLine(lineOf(odd))).toEqual(odd);
});

test.each([
  ["white space", ` ${lineOf(event)}`],
  ["another key order", JSON.stringify(event)],
  ["a key twice", lineOf(event).replace('"seq":0', '"seq":0,"seq":0')],
  ["another spelling of a number", lineOf(event).replace('"seq":0', '"seq":0.0')],
  ["a lone surrogate", lineOf(event).replace("c1", "\\ud800")],
  ["an unknown event type", lineOf(event).replace("TOOL_CALL_PROPOSED", "constructor")],
  ["an unknown member", canonicalJson({ ...event, hash: "" })],
  ["a predecessor of the first", lineOf({ ...event, prev_hash: "0".repeat(64) })],
  ["a member that every object has", canonicalJson({ ...event, constructor: "" })],
  ["no session", canonicalJson({ ...event, session_id: "" })],
  ["a time that no calendar has", lineOf({ ...event, ts_unix_ms: 9e15 })],
  ["half a sequence number", lineOf({ ...event, seq: 0.5 })],
  ["a list as payload", lineOf({ ...event, payload: [] as never })],
  ["a number as predecessor", canonicalJson({ ...event, seq: 1, prev_hash: 5 })],
  ["a list", "[]"],
  ["no predecessor of the second", lineOf({ ...event, seq: 1 })],
])("canonical-confusion: refused: %s", (_what, line) => {
  expect(() => readLine(line)).toThrow(expect.objectContaining({ code: "verification_failed" }));
});
