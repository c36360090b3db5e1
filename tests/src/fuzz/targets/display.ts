/**
 * What people see of foreign text. Everything shown can be read back to exactly what was there, so no two texts
 * look alike, and nothing that is shown can move, hide or break a line.
 */
import { isDeepStrictEqual } from "node:util";
import { canonicalJson } from "@guard/core";
import {
  homographs,
  type OpenedRequest,
  suspicious,
  uninspectable,
  visible,
  visibleJson,
  visibleString,
} from "@guard/device";
import { detailLines, diffLines, summaryLine, wrapLines } from "../../../../packages/cli/src/words.ts";
import { expect, guarded, type Target } from "../target.ts";
import type { World } from "../world.ts";

const unsafe = /[\p{C}\u2028\u2029\u2800\p{Default_Ignorable_Code_Point}]/u;

/** What `visible` made, read back. */
function unmade(shown: string): string {
  return shown
    .replace(/⟨(\d+) spaces⟩/g, (_, count: string) => " ".repeat(Number(count)))
    .replace(/⟨U\+([0-9A-F]+)⟩/g, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16)));
}

export async function displayTargets({ devices, views }: World): Promise<Target[]> {
  const device = devices[0] as World["devices"][0];
  const request = await device.open(views.at(-1) as World["views"][0]);
  const texts = [
    "refund 900 to bob",
    "раураl",
    "a\u202eb\u001b[2J\r\n  \t x     y",
    "⟨U+202E⟩ ⟨4 spaces⟩",
    '"quoted" \\ \u0000',
    "💣\u{e0041}é",
  ];
  return [
    {
      name: "visible",
      covers: ["visible", "visibleString", "homographs", "suspicious"],
      seeds: texts,
      runs: 1500,
      judge(input) {
        const line = visible(input);
        expect(!unsafe.test(line) && !/\s{4}|[^\S ]/.test(line), "something hidden is shown as it is");
        expect(unmade(line) === input, "two texts look alike");
        const block = visible(input, { lines: true });
        expect(
          block.split("\n").every((each) => !unsafe.test(each)),
          "something hidden is in a block",
        );
        const quoted = visibleString(input);
        expect(
          !unsafe.test(quoted) && quoted.startsWith('"') && quoted.endsWith('"'),
          "something hidden is in a string",
        );
        const raw = unmade(
          quoted
            .slice(1, -1)
            .replace(/\\(.)/g, (_, c: string) => (c === "n" ? "⟨U+A⟩" : c === "\\" ? "⟨U+5C⟩" : "⟨U+22⟩")),
        );
        expect(raw === input, "two strings look alike");
        if (unsafe.test(input.replace(/\n|\r|\t|\ufe0f|\u200d/g, "")))
          expect(suspicious(input).length > 0, "something hidden is not named");
        for (const { word } of homographs(input))
          expect(input.includes(word), "a word is warned of that is not there");
        return true;
      },
    },
    {
      name: "screens",
      covers: ["visibleJson", "uninspectable"],
      seeds: [
        JSON.stringify({
          amount: 900,
          to: texts[2],
          list: [[], {}, [1.5, null, true]],
          [texts[1] as string]: texts[3],
        }),
        ...texts.map((text) => JSON.stringify(text)),
      ],
      runs: 500,
      async judge(input) {
        let value: never;
        try {
          value = JSON.parse(input) as never;
        } catch {
          return false;
        }
        if ((await guarded(() => canonicalJson(value))) === undefined) return false; // No paper can hold it.
        const lines = visibleJson(value);
        const text = lines
          .join("")
          .replace(/⟨(\d+) spaces⟩/g, (_, count: string) => " ".repeat(Number(count)));
        const back = text.replace(/⟨U\+([0-9A-F]+)⟩/g, (_, code: string) =>
          JSON.stringify(String.fromCodePoint(Number.parseInt(code, 16))).slice(1, -1),
        );
        expect(
          isDeepStrictEqual(JSON.parse(back), JSON.parse(JSON.stringify(value))),
          "two values look alike",
        );
        const foreign = typeof value === "string" ? value : input;
        const like: OpenedRequest = {
          ...request,
          ...{ tool: foreign, agent: foreign, args: value, session: foreign, closed: foreign },
          facts: {
            risk: "high",
            title: foreign,
            summary: foreign,
            operation: foreign,
            systems: [foreign],
            metadata: { [foreign]: value },
          },
          policy: { version: foreign, rule: foreign, reasons: [foreign] },
        };
        const shown = [
          ...detailLines(like, foreign, 0).map((line) => line.text),
          summaryLine(like, foreign, 0),
          ...lines,
        ];
        for (const { sha256 } of uninspectable(value)) expect(sha256.length === 64, "a digest is none");
        for (const line of [...shown, ...diffLines(value, request.args).map((each) => each.text)])
          expect(
            !unsafe.test(line),
            `something hidden is on the screen: ${JSON.stringify(line.slice(0, 200))}`,
          );
        const wrapped = wrapLines(
          shown.map((each) => ({ text: each })),
          40,
        );
        expect(wrapped.map((each) => each.text).join("") === shown.join(""), "wrapping loses something");
        return true;
      },
    },
  ];
}
