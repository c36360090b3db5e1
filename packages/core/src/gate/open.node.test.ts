import { afterEach, expect, test, vi } from "vitest";
import { ConfigurationError } from "../errors.ts";
import { fileEvidence } from "../evidence/file.ts";
import { memoryEvidence } from "../evidence/store.ts";
import { createGuard } from "./guard.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

test("act-without-log: an edge worker's files, which last as long as a request, are not taken for evidence", () => {
  vi.stubGlobal("navigator", { userAgent: "Cloudflare-Workers" });
  expect(() => createGuard({ approvers: ["alice@example.com"] })).toThrow(ConfigurationError);
  expect(() => fileEvidence({ file: "chain.jsonl" })).toThrow(ConfigurationError);
  expect(() => createGuard({ approvers: ["alice@example.com"], evidence: memoryEvidence() })).not.toThrow();
});
