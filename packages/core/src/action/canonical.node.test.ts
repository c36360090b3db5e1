import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { canonicalJson, parseCanonical } from "./canonical.ts";

const vectors = new URL("../../../../vectors/rfc8785/", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, vectors), "utf8");

test.each(readdirSync(new URL("input/", vectors)))("RFC 8785: writes %s as the RFC's authors do", (file) => {
  const expected = read(`output/${file}`).replace(/\n$/, "");
  expect(canonicalJson(JSON.parse(read(`input/${file}`)))).toBe(expected);
  expect(canonicalJson(parseCanonical(expected))).toBe(expected);
});
