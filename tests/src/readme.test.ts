import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tool } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import { expect, test } from "vitest";
import * as z from "zod";
import { example } from "./readme.example.ts";

const read = (path: string) => readFileSync(join(import.meta.dirname, path), "utf8");
const squeezed = (text: string) => text.replaceAll(/\s+/g, " ").trim();

test("the README shows the example that is compiled here", () => {
  const source = read("readme.example.ts");
  const shown = [...source.matchAll(/\/\/ README\n([\s\S]*?)\/\/ …/g)].map((match) => match[1]).join("\n");
  const block = /```ts\n([\s\S]*?)```/.exec(read("../../README.md"))?.[1] ?? "";
  expect(squeezed(block)).toBe(squeezed(shown));
});

test("the example runs: what needs nobody needs no relay either, once it is connected", async () => {
  const usage = {
    inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: 1, text: 1, reasoning: undefined },
  };
  const model = new MockLanguageModelV4({
    doGenerate: {
      content: [{ type: "text", text: "done" }],
      finishReason: { unified: "stop", raw: undefined },
      usage,
      warnings: [],
    },
  });
  const plain = tool({ inputSchema: z.object({}), execute: async () => "ran" });
  let guarded: object = {};
  await example({ lookupOrder: plain, refund: plain, model, prompt: "go", ticketId: "t" }, (tools) => {
    guarded = tools;
  });
  expect(Object.keys(guarded)).toEqual(["lookupOrder", "refund"]);
});
